//! A client of a token endpoint: how it proves who it is, and how it asks for a token.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::Lent;
use super::asking::send;
use super::error::CredentialError;
use super::explain::At;
use super::grant::Grant;
use super::keepers::Name;
use super::key_file::LiveSigner;
use super::secret::{LiveSecret, is_visible};
use crate::config::{ClientAuth, ClientProof, OAuthClient, Pace};

/// How long an assertion is good.
const ASSERTION_LIFE: Duration = Duration::from_mins(1);

/// What an assertion is (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client and the endpoint that knows it.
pub(super) struct Client {
    id: String,
    means: Means,
    url: url::Url,
    timeout: Duration,
    http: reqwest::Client,
    pub(super) pace: Pace,
    trust: Vec<u8>,
}

/// How a client proves who it is.
enum Means {
    Basic(LiveSecret),
    Body(LiveSecret),
    Nothing,
    Signature(LiveSigner),
}

/// In which shape a request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// As RFC 6749 has it.
    Form,
    /// As Qlik documents it.
    Json,
}

impl Client {
    pub(super) fn new(config: OAuthClient, lent: Lent<'_>) -> Result<Self, CredentialError> {
        Ok(Self {
            id: config.id,
            means: Means::new(config.proof)?,
            url: config.token_url,
            timeout: config.timeout,
            http: lent.http.clone(),
            pace: config.pace,
            trust: lent.trust(),
        })
    }

    /// Where it asks, for the log.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Names all it is set up from, and what it is used for.
    pub(super) fn name(&self, used_for: &[&[u8]]) -> Name {
        let timeout = self.timeout.as_nanos().to_be_bytes();
        let means = self.means.identity();
        let mut parts = vec![
            self.url.as_str().as_bytes(),
            self.id.as_bytes(),
            &means,
            &timeout,
            &self.trust,
        ];
        parts.extend(used_for);
        Name::of(&parts)
    }

    /// Whom Qlik counts its requests to.
    pub(super) fn account(&self) -> Name {
        Name::of(&[b"client", self.url.as_str().as_bytes(), self.id.as_bytes()])
    }

    /// Asks for a token: what is asked besides who asks, and what of it nobody may see.
    pub(super) async fn ask(
        &self,
        shape: Shape,
        asked: Map<String, Value>,
        hidden: Option<&str>,
    ) -> Result<Grant, CredentialError> {
        let mut proof = self.prove().await?;
        proof.fields.extend(asked);
        proof.secrets.extend(hidden.map(str::to_owned));
        let request = self.http.post(self.url.clone());
        let request = match shape {
            Shape::Form => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form(&proof.fields)),
            Shape::Json => request.json(&proof.fields),
        };
        let request = match &proof.basic {
            Some(secret) => request.basic_auth(&self.id, Some(secret)),
            None => request,
        };
        let answer = send(At::Token, request, self.timeout, &proof.secrets).await?;
        Grant::read(&answer.accept(&proof.secrets)?, SystemTime::now())
    }

    async fn prove(&self) -> Result<Proof, CredentialError> {
        let mut proof = Proof::of(&self.id);
        match &self.means {
            Means::Basic(secret) => {
                let secret = secret.text().await.expose_secret().to_owned();
                proof.hide(&self.id, &secret);
                proof.basic = Some(secret);
            }
            Means::Body(secret) => {
                let secret = secret.text().await.expose_secret().to_owned();
                proof.hide(&self.id, &secret);
                proof.say("client_secret", secret);
            }
            Means::Nothing => {}
            Means::Signature(signer) => {
                let assertion = signer.sign(self.assertion()).await?;
                proof.secrets.push(assertion.clone());
                proof.say("client_assertion_type", ASSERTION_TYPE.to_owned());
                proof.say("client_assertion", assertion);
            }
        }
        Ok(proof)
    }

    /// What a client says of itself (RFC 7523 section 3).
    fn assertion(&self) -> Map<String, Value> {
        let said = [
            ("iss", self.id.as_str()),
            ("sub", self.id.as_str()),
            ("aud", self.url.as_str()),
        ];
        said.map(|(name, value)| (name.to_owned(), json!(value)))
            .into_iter()
            .collect()
    }
}

impl Means {
    fn new(proof: ClientProof) -> Result<Self, CredentialError> {
        Ok(match proof {
            ClientProof::Assertion(key) => Self::Signature(LiveSigner::new(key, ASSERTION_LIFE)?),
            ClientProof::Public => Self::Nothing,
            ClientProof::Secret(secret, auth) => {
                let secret = LiveSecret::new(secret, is_visible);
                match auth {
                    ClientAuth::Basic => Self::Basic(secret),
                    ClientAuth::Body => Self::Body(secret),
                }
            }
        })
    }

    fn identity(&self) -> Vec<u8> {
        let secret =
            |kind: &[u8], secret: &LiveSecret| [kind, secret.last().expose_secret()].concat();
        match self {
            Self::Basic(it) => secret(b"basic ", it),
            Self::Body(it) => secret(b"body ", it),
            Self::Nothing => b"public".to_vec(),
            Self::Signature(signer) => signer.identity(),
        }
    }
}

/// What one request says to prove who asks. No `Debug`: it holds the secret.
struct Proof {
    fields: Map<String, Value>,
    basic: Option<String>,
    /// Every form in which the secret is sent, so that no echo of it is shown.
    secrets: Vec<String>,
}

impl Proof {
    fn of(id: &str) -> Self {
        Self {
            fields: Map::from_iter([("client_id".to_owned(), json!(id))]),
            basic: None,
            secrets: Vec::new(),
        }
    }

    fn say(&mut self, field: &str, value: String) {
        self.fields.insert(field.to_owned(), Value::String(value));
    }

    fn hide(&mut self, id: &str, secret: &str) {
        let basic = STANDARD.encode(format!("{id}:{secret}"));
        let forms = [secret.to_owned(), basic];
        self.secrets
            .extend(forms.into_iter().filter(|form| !form.is_empty()));
    }
}

fn form(fields: &Map<String, Value>) -> String {
    let mut form = Serializer::new(String::new());
    for (name, value) in fields {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    form.finish()
}
