//! `kind = "oauth-client"` and `kind = "oauth-impersonation"`.

use url::Url;

use crate::config::defaults;
use crate::config::model::{Credential, LookupField, OAuth, OAuthImpersonation};
use crate::config::notes::Noted;
use crate::config::read::engine::{allow_http, refuse_plain};
use crate::config::table::Table;
use crate::config::value::{Positive, SecretText, WebUrl, is_plain};
use crate::person::ClaimPath;
use crate::template::Template;

/// A token per person.
pub(super) fn impersonation(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let oauth = client(t, engine);
    let user = t.required_table(
        "user",
        "field = \"subject\"",
        "How Qlik finds the person.",
        user,
    );
    let (field, value) = user?;
    let oauth = oauth?;
    let impersonation = OAuthImpersonation {
        oauth,
        field,
        value,
    };
    Ok(Credential::OAuthImpersonation(impersonation))
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

/// The client and its endpoint.
pub(super) fn client(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<OAuth, Noted> {
    let client_id = t.required("client_id", "\"…\"", "The OAuth client's id.");
    let client_secret = t.required(
        "client_secret",
        "{ env = \"QLIK_CLIENT_SECRET\" }",
        "The OAuth client's secret.",
    );
    let client_auth = t.or(
        "client_auth",
        defaults::CLIENT_AUTH,
        "Where the secret goes: the \"body\", as Qlik documents, or a \"basic\" header.",
    );
    let token_url = token_url(t, engine);
    let scope = t.or("scope", defaults::SCOPE.to_owned(), "The scope asked for.");
    let timeout = t.or(
        "timeout",
        Positive(defaults::TOKEN_TIMEOUT),
        "How long fetching a token may take.",
    );
    let SecretText(client_secret) = client_secret?;
    Ok(OAuth {
        client_id: client_id?,
        client_secret,
        client_auth: client_auth?,
        token_url: token_url?,
        scope: scope?,
        timeout: timeout?.0,
    })
}

fn token_url(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Url, Noted> {
    let written: Result<Option<WebUrl>, _> = t.optional(
        "token_url",
        "The token endpoint; by default /oauth/token at the engine's origin.",
    );
    let allow_http = allow_http(t);
    if let Some(WebUrl(url)) = written? {
        refuse_plain(t, "token_url", &url, allow_http)?;
        return Ok(url);
    }
    let mut url = engine?.clone();
    url.set_path(defaults::TOKEN_PATH);
    if is_plain(&url) && !allow_http? {
        return Err(t.absent(
            "the client's secret would go to the engine's origin over plain http",
            "write `token_url`, or `allow_http = true` in this table if that way is trusted",
        ));
    }
    Ok(url)
}
