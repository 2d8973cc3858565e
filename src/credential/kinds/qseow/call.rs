//! One request to Qlik on Windows, one answer, every wait limited.

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use reqwest::RequestBuilder;
use url::Url;

use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::{At, sentence};
use crate::credential::signer::random_word;

/// The largest answer that is read, in bytes; none that is meant comes near.
const LARGEST: usize = 64 << 10;

/// The header that repeats the key of the query, against forgery.
pub(super) const XRFKEY: &str = "x-qlik-xrfkey";

/// Such a key: any sixteen letters or digits.
pub(super) fn xrfkey() -> String {
    let mut key = random_word();
    key.truncate(16);
    key
}

/// What a status tells of that may pass.
pub(super) fn passing(status: StatusCode) -> Option<Trouble> {
    let words = match status {
        StatusCode::TOO_MANY_REQUESTS => "is that there are too many requests (429)",
        status if status.is_server_error() => "is an error of its own (5xx)",
        _ => return None,
    };
    Some(Trouble::Malformed(words))
}

/// Who asks.
pub(super) struct Caller {
    at: At,
    http: reqwest::Client,
    timeout: Duration,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Caller {
    pub(super) const fn new(at: At, http: reqwest::Client, timeout: Duration) -> Self {
        Self { at, http, timeout }
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url).timeout(self.timeout)
    }

    pub(super) fn delete(&self, url: Url) -> RequestBuilder {
        self.http.delete(url).timeout(self.timeout)
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url).timeout(self.timeout)
    }

    /// Sends a request; what is wrong with the way is told without a word of what was sent.
    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Answer, CredentialError> {
        let answer = self.exchange(request).await;
        answer.map_err(|error| CredentialError::Down(self.at, self.trouble(error)))
    }

    async fn exchange(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let mut response = request.send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn trouble(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() {
            return Trouble::Slow(self.timeout);
        }
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Trouble::Unreachable(sentence(&cause.to_string(), &[]).into())
    }
}
