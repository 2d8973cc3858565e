//! `kind = "oauth-client"` and `kind = "oauth-impersonation"`: a token of the client's own, or one
//! a person, from the tenant's token endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Source;
use super::users::{Newcomer, Users};
use crate::config::{LookupField, OAuth, OAuthImpersonation};
use crate::credential::Lent;
use crate::credential::client::{Client, Shape};
use crate::credential::error::CredentialError;
use crate::credential::grant::Grant;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minting};
use crate::credential::tempo::Tempo;
use crate::template::Target;

/// One token for all.
pub(super) fn client(config: OAuth, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let tokens = Tokens::new(config, lent)?;
    let (name, pace) = (tokens.identify(&[b"oauth"]), tokens.client.pace);
    Ok(Source::Kept {
        keeper: lent.keepers.keeper(name, tokens, pace),
        who: Who::everybody(),
    })
}

/// A token per person: the field that is looked up and its value; where people are provisioned,
/// their name and address besides, as far as they are told: who is a user already needs none.
pub(super) fn impersonation(
    config: OAuthImpersonation,
    lent: Lent<'_>,
) -> Result<Source, CredentialError> {
    let field = match config.field {
        LookupField::Subject => "subject",
        LookupField::UserId => "userId",
    };
    let mut who = Who::everybody()
        .fixed(field)
        .filled(config.value, Target::Json);
    let tokens = Tokens::new(config.oauth, lent)?;
    let pace = tokens.client.pace;
    let Some(mut provision) = config.provision else {
        let name = tokens.identify(&[b"oauth"]);
        let keeper = lent.keepers.keeper(name, tokens, pace);
        return Ok(Source::Kept { keeper, who });
    };
    who = who.wished(provision.name.clone(), Target::Json);
    let email = provision.email.take();
    let is_addressed = email.is_some();
    if let Some(email) = email {
        who = who.wished(email, Target::Json);
    }
    let users = Users::new(provision, lent)?;
    let addressed = [u8::from(is_addressed)];
    let name = tokens.identify(&[b"oauth, provisioned", &users.identity(), &addressed]);
    let provisioned = Provisioned {
        tokens,
        users,
        is_addressed,
    };
    let keeper = lent.keepers.keeper(name, provisioned, pace);
    Ok(Source::Kept { keeper, who })
}

/// Tokens by client credentials or by impersonation.
pub(super) struct Tokens {
    client: Client,
    scope: String,
}

impl Tokens {
    pub(super) fn new(config: OAuth, lent: Lent<'_>) -> Result<Self, CredentialError> {
        Ok(Self {
            client: Client::new(config.client, lent)?,
            scope: config.scope,
        })
    }

    /// What it is set up from, and what it is used for.
    pub(super) fn identify(&self, used_for: &[&[u8]]) -> Name {
        let parts = [&[self.scope.as_bytes()], used_for].concat();
        self.client.name(&parts)
    }

    /// A token of the client's own.
    pub(super) async fn own(&self) -> Result<Grant, CredentialError> {
        let asked = json!({"grant_type": "client_credentials", "scope": self.scope});
        self.client.ask(Shape::Json, fields(asked), None).await
    }

    /// A token of the one user whose `field` has this value.
    async fn of_user(&self, field: &str, value: &str) -> Result<Grant, CredentialError> {
        let asked = json!({
            "grant_type": "urn:qlik:oauth:user-impersonation",
            "scope": self.scope,
            "user_lookup": {"field": field, "value": value},
        });
        self.client.ask(Shape::Json, fields(asked), None).await
    }
}

impl Mint for Tokens {
    fn name(&self) -> Cow<'_, str> {
        self.client.origin().into()
    }

    fn account(&self) -> Option<Name> {
        Some(self.client.account())
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let grant = if identity.is_shared() {
                self.own().await
            } else {
                self.of_user(identity.value(0), identity.value(1)).await
            };
            grant.map(Grant::into_header)
        })
    }
}

/// Tokens of people who are users of the tenant by then.
struct Provisioned {
    tokens: Tokens,
    users: Users,
    /// Whether new users have an address.
    is_addressed: bool,
}

impl Mint for Provisioned {
    fn name(&self) -> Cow<'_, str> {
        self.tokens.name()
    }

    fn account(&self) -> Option<Name> {
        self.tokens.account()
    }

    fn before(&self) -> Option<Arc<Tempo>> {
        Some(self.users.tempo())
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let [subject, name, email] = [1, 2, 3].map(|place| identity.value(place));
            let email = self.is_addressed.then_some(email);
            let newcomer = Newcomer {
                subject,
                name,
                email,
            };
            let id = self.users.find_or_create(&newcomer).await;
            let id = id.map_err(CredentialError::elsewhere)?;
            let grant = self.tokens.of_user("userId", &id).await?;
            Ok(grant.into_header())
        })
    }
}

fn fields(asked: Value) -> Map<String, Value> {
    match asked {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
