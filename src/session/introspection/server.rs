//! The authorisation server's endpoint, and how it is asked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::{Serializer, byte_serialize};

use super::super::error::{Flaw, Outage, SessionError};
use super::super::fetch;
use super::super::vouching::{Answer, Health, Pace, Source};
use super::answer::Rules;
use crate::config::{ClientAuth, Introspection};
use crate::id::RouteName;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// The longest token that is asked about, in bytes.
const LONGEST: usize = 8 * 1024;

/// A client's token. It shows itself to nobody.
#[derive(Debug)]
pub(super) struct Token(SecretString);

impl Token {
    /// Takes what can be a bearer token (RFC 6750 section 2.1).
    pub(super) fn parse(text: &[u8]) -> Result<Self, Flaw> {
        if text.len() > LONGEST {
            return Err(Flaw::Oversized);
        }
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        if !text.iter().all(plain) {
            return Err(Flaw::Malformed);
        }
        let text = String::from_utf8(text.to_vec()).map_err(|_| Flaw::Malformed)?;
        Ok(Self(text.into()))
    }
}

/// The authorisation server.
#[derive(Debug)]
pub(super) struct AuthorisationServer {
    config: Introspection,
    rules: Rules,
    pace: Pace,
    http: reqwest::Client,
    health: Health,
}

impl AuthorisationServer {
    /// Prepares the asking.
    pub(super) fn new(route: &RouteName, config: Introspection, http: &reqwest::Client) -> Self {
        let pace = Pace {
            cache: config.cache,
            recheck: config.recheck,
            grace: config.grace,
            patience: config.timeout,
            // The end of a token is its own and never moves.
            last_look: std::time::Duration::ZERO,
        };
        Self {
            rules: Rules::new(&config),
            config,
            pace: pace.within_reach(),
            http: http.clone(),
            health: Health::new(route, Self::WHAT),
        }
    }

    async fn introspect(&self, token: &Token) -> Result<Answer, SessionError> {
        let response = fetch::send(self.request(token), self.config.timeout).await;
        let response = response.map_err(Self::down)?;
        // RFC 7662 section 2.3: a 401 is about the proxy's own credential, never about the token.
        if response.status() != StatusCode::OK {
            return Err(Self::down(Outage::Status(response.status().as_u16())));
        }
        let body = fetch::body(response, LARGEST).await.map_err(Self::down)?;
        self.rules.judge(&body)
    }

    fn request(&self, Token(token): &Token) -> reqwest::RequestBuilder {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token.expose_secret());
        form.append_pair("token_type_hint", "access_token");
        let mut request = self.http.post(self.config.url.clone());
        let secret = self.config.client_secret.expose_secret();
        match self.config.client_auth {
            ClientAuth::Basic => request = request.header(AUTHORIZATION, self.basic(secret)),
            ClientAuth::Body => {
                form.append_pair("client_id", &self.config.client_id);
                form.append_pair("client_secret", secret);
            }
        }
        request
            .header(ACCEPT, "application/json")
            .header(
                http::header::CONTENT_TYPE,
                "application/x-www-form-urlencoded",
            )
            .body(form.finish())
    }

    /// `client_secret_basic`, whose both parts are form-encoded first (RFC 6749 section 2.3.1).
    fn basic(&self, secret: &str) -> HeaderValue {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.config.client_id), encoded(secret));
        let value = format!("Basic {}", STANDARD.encode(pair));
        // Base64 always is a header's value.
        let value = HeaderValue::try_from(value);
        let mut value = value.unwrap_or(HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }
}

impl Source for AuthorisationServer {
    type Evidence = Token;

    const WHAT: &'static str = "the introspection endpoint";

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn can_be_renewed(&self) -> bool {
        true
    }

    async fn ask(&self, token: &Token) -> Result<Answer, SessionError> {
        let answer = self.introspect(token).await;
        self.health.learn(&answer);
        answer
    }
}
