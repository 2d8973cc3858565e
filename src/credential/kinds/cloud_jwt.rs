//! `kind = "cloud-jwt"`: a session of Qlik Cloud per person, opened with a JWT that the proxy signs.
//!
//! Shapes: <https://qlik.dev/apis/rest/login> (`POST /login/jwt-session`).

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use cookie_jar::Jar;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Source, cookie_jar};
use crate::config::CloudJwt;
use crate::credential::Lent;
use crate::credential::asking::{Answer, send};
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::At;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::key_file::LiveSigner;
use crate::credential::mint::{Mint, Minted, Minting};
use crate::credential::signer::beginning;
use crate::injection::Injection;
use crate::template::Target;

/// What Qlik wants to read in `aud`.
const AUDIENCE: &str = "qlik.api/login/jwt-session";

/// How long a JWT is good; Qlik takes up to an hour.
const JWT_LIFE: Duration = Duration::from_mins(5);

/// The shortest life of a session that is believed.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The header and the parameter by which a web integration is named.
const WEB_INTEGRATION: &str = "qlik-web-integration-id";

/// A session per person and all that is said of them: subject, name, address, groups.
pub(super) fn source(config: CloudJwt, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let who = Who::everybody()
        .filled(config.subject, Target::Json)
        .filled(config.name, Target::Json)
        .filled(config.email, Target::Json)
        .listed(config.groups);
    let pace = config.pace;
    let logins = Logins {
        issuer: config.issuer,
        signer: LiveSigner::new(config.key, JWT_LIFE)?,
        url: config.login_url,
        web_integration: config.web_integration,
        life: config.life,
        timeout: config.timeout,
        http: lent.http.clone(),
    };
    let name = logins.identify(&lent.trust());
    Ok(Source::Kept {
        keeper: lent.keepers.keeper(name, logins, pace),
        who,
    })
}

struct Logins {
    issuer: String,
    signer: LiveSigner,
    url: Url,
    web_integration: Option<String>,
    life: Duration,
    timeout: Duration,
    http: reqwest::Client,
}

impl Logins {
    fn identify(&self, trust: &[u8]) -> Name {
        let rest = format!(
            "{:?} {:?} {:?}",
            self.web_integration, self.life, self.timeout
        );
        Name::of(&[
            b"cloud-jwt",
            self.url.as_str().as_bytes(),
            self.issuer.as_bytes(),
            &self.signer.identity(),
            rest.as_bytes(),
            trust,
        ])
    }

    async fn log_in(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let jwt = self.signer.sign(self.claims(identity)).await?;
        let secrets = [jwt.clone()];
        let mut request = self.http.post(self.url.clone()).bearer_auth(jwt);
        if let Some(id) = &self.web_integration {
            request = request.header(WEB_INTEGRATION, id);
        }
        let answer = send(At::Login, request, self.timeout, &secrets).await?;
        self.session(&answer.accept(&secrets)?)
            .map_err(|trouble| CredentialError::Down(At::Login, trouble))
    }

    /// What is said of a person.
    fn claims(&self, identity: &Identity) -> Map<String, Value> {
        let [subject, name, email, groups] = [0, 1, 2, 3].map(|place| identity.value(place));
        let said = [
            ("iss", json!(self.issuer)),
            ("aud", json!(AUDIENCE)),
            ("nbf", json!(beginning(SystemTime::now()))),
            ("sub", json!(subject)),
            ("subType", json!("user")),
            ("name", json!(name)),
            ("email", json!(email)),
            ("email_verified", json!(true)),
        ];
        let groups = serde_json::from_str::<Vec<String>>(groups).ok();
        let groups = groups.map(|groups| ("groups", json!(groups)));
        let said = said.into_iter().chain(groups);
        said.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn session(&self, answer: &Answer) -> Result<Minted, Trouble> {
        let jar = Jar::read(&answer.headers);
        let (_, csrf) = jar.only("_csrfToken").ok_or(Trouble::Malformed(
            "sets no cookie _csrfToken: is login_url the tenant's /login/jwt-session?",
        ))?;
        jar.only("eas.sid").ok_or(Trouble::Malformed(
            "sets no cookie eas.sid: is login_url the tenant's /login/jwt-session?",
        ))?;
        let told = jar.life("eas.sid").unwrap_or(self.life);
        let mut injection = Injection::nothing().with_query("qlik-csrf-token", csrf);
        if let Some(id) = &self.web_integration {
            injection = injection.with_query(WEB_INTEGRATION, id);
        }
        for name in ["eas.sid", "eas.sid.sig", "_csrfToken", "_csrfToken.sig"] {
            if let Some((name, value)) = jar.only(name) {
                let with = injection.with_cookie(name, value);
                injection = with.ok_or(Trouble::Malformed("sets a cookie that is none"))?;
            }
        }
        Ok(Minted {
            injection,
            life: told.min(self.life).max(SHORTEST_LIFE),
        })
    }
}

impl Mint for Logins {
    fn name(&self) -> Cow<'_, str> {
        self.url.origin().ascii_serialization().into()
    }

    fn account(&self) -> Option<Name> {
        let login = self.url.as_str().as_bytes();
        Some(Name::of(&[b"logins", login, self.issuer.as_bytes()]))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.log_in(identity))
    }
}
