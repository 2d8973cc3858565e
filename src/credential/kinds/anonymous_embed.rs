//! `kind = "anonymous-embed"`: an anonymous user of the tenant a person, known to it by a tracking
//! code alone.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

use super::Source;
use crate::config::{AnonymousEmbed, Shown};
use crate::credential::Lent;
use crate::credential::asking::send;
use crate::credential::error::CredentialError;
use crate::credential::explain::At;
use crate::credential::grant::Grant;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minted, Minting};
use crate::credential::secret::{LiveSecret, is_visible};

/// How long a tracking code is, in bytes before it is written in hexadecimal.
const TRACKING: usize = 20;

/// A token per person.
pub(super) fn source(config: AnonymousEmbed, lent: Lent<'_>) -> Source {
    let pace = config.pace;
    let anonymous = Anonymous {
        access_code: LiveSecret::new(config.access_code, is_visible),
        client_id: config.client_id,
        url: config.token_url,
        shown: config.shown,
        timeout: config.timeout,
        http: lent.http.clone(),
    };
    let name = anonymous.identify(&lent.trust());
    Source::Kept {
        keeper: lent.keepers.keeper(name, anonymous, pace),
        who: Who::everybody().person(),
    }
}

struct Anonymous {
    client_id: String,
    access_code: LiveSecret,
    url: Url,
    shown: Shown,
    timeout: Duration,
    http: reqwest::Client,
}

impl Anonymous {
    fn identify(&self, trust: &[u8]) -> Name {
        let shown = format!("{:?} {:?}", self.shown, self.timeout);
        Name::of(&[
            b"anonymous",
            self.url.as_str().as_bytes(),
            self.client_id.as_bytes(),
            self.access_code.last().expose_secret(),
            shown.as_bytes(),
            trust,
        ])
    }

    async fn ask(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let code = self.access_code.text().await;
        let code = code.expose_secret();
        let secrets = [code.to_owned()];
        let request = self.http.post(self.url.clone()).json(&json!({
            "eac": code,
            "client_id": self.client_id,
            "grant_type": "urn:qlik:oauth:anonymous-embed",
            "tracking_code": tracking_code(code, identity),
        }));
        let answer = send(At::Token, request, self.timeout, &secrets).await?;
        let grant = Grant::read(&answer.accept(&secrets)?, SystemTime::now())?;
        Ok(grant.shown(self.shown))
    }
}

impl Mint for Anonymous {
    fn name(&self) -> Cow<'_, str> {
        self.url.origin().ascii_serialization().into()
    }

    fn account(&self) -> Option<Name> {
        let (url, client) = (self.url.as_str(), &self.client_id);
        Some(Name::of(&[b"guests", url.as_bytes(), client.as_bytes()]))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.ask(identity))
    }
}

/// The same for a person at every replica, and nobody can tell from it who that is.
fn tracking_code(access_code: &str, identity: &Identity) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, access_code.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for value in [identity.value(0), identity.value(1)] {
        context.update(&value.len().to_be_bytes());
        context.update(value.as_bytes());
    }
    let tag = context.sign();
    let bytes = tag.as_ref().iter().take(TRACKING);
    bytes.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
