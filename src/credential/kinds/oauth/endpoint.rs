//! The token endpoint over HTTP: one request, one answer, every wait limited.

use std::borrow::Cow;
use std::error::Error;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::ACCEPT;
use secrecy::ExposeSecret;

use super::wire::{Answer, LARGEST_ANSWER, TokenRequest};
use crate::config::{ClientAuth, OAuth};
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::sentence;
use crate::credential::identity::Identity;
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minting};

/// A token endpoint and the client that is known there.
pub(super) struct Endpoint {
    oauth: OAuth,
    http: reqwest::Client,
}

impl Endpoint {
    pub(super) fn new(oauth: OAuth, http: reqwest::Client) -> Self {
        Self { oauth, http }
    }

    /// What it is set up from.
    pub(super) fn name(&self, trust: Option<&Path>) -> Name {
        let oauth = &self.oauth;
        let auth = match oauth.client_auth {
            ClientAuth::Basic => "basic",
            ClientAuth::Body => "body",
        };
        let trust = trust.map_or(&[][..], |path| path.as_os_str().as_encoded_bytes());
        Name::of(&[
            b"oauth",
            oauth.token_url.as_str().as_bytes(),
            oauth.client_id.as_bytes(),
            oauth.client_secret.expose_secret().as_bytes(),
            auth.as_bytes(),
            oauth.scope.as_bytes(),
            &oauth.timeout.as_nanos().to_be_bytes(),
            trust,
        ])
    }

    async fn ask(&self, identity: &Identity) -> reqwest::Result<Answer> {
        let oauth = &self.oauth;
        let request = self
            .http
            .post(oauth.token_url.clone())
            .timeout(oauth.timeout)
            .header(ACCEPT, "application/json")
            .json(&TokenRequest::new(oauth, identity));
        let request = match oauth.client_auth {
            ClientAuth::Basic => {
                request.basic_auth(&oauth.client_id, Some(oauth.client_secret.expose_secret()))
            }
            ClientAuth::Body => request,
        };
        let mut response = request.send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = match read_body(&mut response).await {
            Ok(body) => body,
            Err(error) if status.is_success() => return Err(error),
            // A refusal says enough by its status.
            Err(_) => None,
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn trouble(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() {
            return Trouble::Slow(self.oauth.timeout);
        }
        let error = error.without_url();
        let cause = deepest_cause(&error).to_string();
        Trouble::Unreachable(sentence(&cause, &self.secrets()).into())
    }

    /// Every form in which the secret is sent, so that no echo of it is shown.
    fn secrets(&self) -> Vec<String> {
        let secret = self.oauth.client_secret.expose_secret();
        let basic = STANDARD.encode(format!("{}:{secret}", self.oauth.client_id));
        let forms = [secret.to_owned(), basic];
        forms.into_iter().filter(|form| !form.is_empty()).collect()
    }
}

impl Mint for Endpoint {
    fn name(&self) -> Cow<'_, str> {
        self.oauth.token_url.origin().ascii_serialization().into()
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let answer = self.ask(identity).await;
            let answer = answer.map_err(|error| CredentialError::Down(self.trouble(error)))?;
            answer.read(SystemTime::now(), &self.secrets())
        })
    }
}

/// What lies below the words of every layer in between.
fn deepest_cause(error: &reqwest::Error) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// The body, or nothing when it is larger than any answer of a token endpoint.
async fn read_body(response: &mut reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
