//! `kind = "oauth-client"` and `kind = "oauth-impersonation"`.

use url::Url;

use super::client::{Proof, client};
use super::provision::provision;
use super::shared::demand_shared;
use crate::config::defaults;
use crate::config::model::{Credential, LookupField, OAuth, OAuthImpersonation};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::person::ClaimPath;
use crate::template::Template;

/// A token per person.
pub(super) fn impersonation(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let oauth = oauth(t, engine, defaults::SCOPE);
    let user = t.required_table(
        "user",
        "field = \"subject\"",
        "How Qlik finds the person.",
        user,
    );
    let provision = t.optional_table(
        "provision",
        "Look people up, and make them users of the tenant where they are none yet.",
        |t| provision(t, engine),
    );
    let (field, value) = user?;
    let (oauth, provision) = (oauth?, provision?);
    let same = |own: &OAuth| own.client.id == oauth.client.id;
    if provision.as_ref().is_some_and(|own| same(&own.admin)) {
        let what = "the client that administers users cannot be the one that impersonates them";
        return Err(t.refuse("provision", what, "write the `client_id` of another client"));
    }
    if provision.is_some() && field == LookupField::UserId {
        let what = "people without a user have no id of Qlik's either";
        return Err(t.refuse("user", what, "write `field = \"subject\"`"));
    }
    Ok(Credential::OAuthImpersonation(Box::new(
        OAuthImpersonation {
            oauth,
            field,
            value,
            provision,
        },
    )))
}

fn user(t: &mut Table<'_>) -> Result<(LookupField, Template), Noted> {
    let field = t.required(
        "field",
        "\"subject\"",
        "The field of the Qlik user that must match: \"subject\" (the identity provider's) or \
         \"userId\" (Qlik's own).",
    );
    let claim: Result<Option<ClaimPath>, _> = t.optional(
        "claim",
        "The claim of the app's session whose value is looked up, by name or JSON pointer.",
    );
    let value: Result<Option<Template>, _> = t.optional(
        "value",
        "Instead of `claim`: the value that is looked up, with claims between braces.",
    );
    let names = &["claim", "value"];
    t.exactly_one(names)?;
    let claim = claim?.map(Template::claim);
    let value = claim.or(value?).ok_or_else(|| t.lacks(names))?;
    Ok((field?, value))
}

/// The machine client's own token.
pub(super) fn machine(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    let oauth = oauth(t, engine, defaults::SCOPE);
    demand_shared(t)?;
    oauth.map(Credential::OAuthClient)
}

/// The client and its scope.
pub(super) fn oauth(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
    scope: &str,
) -> Result<OAuth, Noted> {
    let client = client(t, engine, Proof::Demanded);
    let scope = t.or("scope", scope.to_owned(), "The scope asked for.");
    Ok(OAuth {
        client: client?,
        scope: scope?,
    })
}
