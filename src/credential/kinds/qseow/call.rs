//! One request to Qlik on Windows, one answer, every wait limited.

use std::sync::Arc;
use std::time::Duration;

use reqwest::RequestBuilder;
use url::Url;

use crate::credential::asking::{Answer, exchange};
use crate::credential::error::CredentialError;
use crate::credential::explain::{At, Refusal, Said};
use crate::credential::signer::random_word;

/// The header that repeats the key of the query, against forgery.
pub(super) const XRFKEY: &str = "x-qlik-xrfkey";

/// Such a key: any sixteen letters or digits.
pub(super) fn xrfkey() -> String {
    let mut key = random_word();
    key.truncate(16);
    key
}

/// Who asks.
pub(super) struct Caller {
    at: At,
    http: reqwest::Client,
    timeout: Duration,
}

impl Caller {
    pub(super) const fn new(at: At, http: reqwest::Client, timeout: Duration) -> Self {
        Self { at, http, timeout }
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn delete(&self, url: Url) -> RequestBuilder {
        self.http.delete(url)
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url)
    }

    /// Sends a request; what may pass is an error, whatever else is said an answer. What is wrong
    /// with the way is told without a word of what was sent.
    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Answer, CredentialError> {
        let answer = exchange(self.at, request, self.timeout, &[]).await?;
        // What it says besides is a page for people.
        let refusal = Refusal::new(answer.status, &Said::default(), &[]);
        match answer.passing(&Arc::new(refusal.at(self.at))) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}
