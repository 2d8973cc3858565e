//! `kind = "token-exchange"`: the app's own token, exchanged for one of Qlik's (RFC 8693).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Source;
use crate::config::{Shown, TokenExchange};
use crate::credential::Lent;
use crate::credential::client::{Client, Shape};
use crate::credential::error::CredentialError;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minting};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A token per token of the app's.
pub(super) fn source(config: TokenExchange, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let exchange = Exchange {
        client: Client::new(config.client, lent)?,
        scope: config.scope,
        audience: config.audience,
        shown: config.shown,
    };
    let parts = [
        format!("{:?}", exchange.scope),
        format!("{:?}", exchange.audience),
        format!("{:?}", exchange.shown),
    ];
    let [scope, audience, shown] = parts.each_ref().map(String::as_bytes);
    let name = exchange.client.name(&[b"exchange", scope, audience, shown]);
    let pace = exchange.client.pace;
    Ok(Source::Kept {
        keeper: lent.keepers.keeper(name, exchange, pace),
        who: Who::everybody().session_token(),
    })
}

struct Exchange {
    client: Client,
    scope: Option<String>,
    audience: Option<String>,
    shown: Shown,
}

impl Exchange {
    fn asked(&self, token: &str) -> Map<String, Value> {
        let purpose = (self.shown == Shown::Query).then_some("websocket");
        let fields = [
            ("grant_type", Some(GRANT)),
            ("subject_token", Some(token)),
            ("subject_token_type", Some(ACCESS_TOKEN)),
            ("purpose", purpose),
            ("scope", self.scope.as_deref()),
            ("audience", self.audience.as_deref()),
        ];
        let said = fields.into_iter();
        let said = said.filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        said.collect()
    }
}

impl Mint for Exchange {
    fn name(&self) -> Cow<'_, str> {
        self.client.origin().into()
    }

    fn account(&self) -> Option<Name> {
        Some(self.client.account())
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let token = identity.value(0);
            let asked = self.asked(token);
            let grant = self.client.ask(Shape::Form, asked, Some(token)).await?;
            Ok(grant.shown(self.shown))
        })
    }
}
