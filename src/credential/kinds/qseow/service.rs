//! The proxy service's API (QPS, port 4243): tickets and sessions for whoever shows the client
//! certificate. Shapes: "Proxy Service API" on help.qlik.com.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::call::{Caller, XRFKEY, xrfkey};
use super::holder;
use crate::config::QseowService;
use crate::credential::asking::Answer;
use crate::credential::attributes::Attributes;
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::{Advice, At};
use crate::credential::identity::Identity;

/// The proxy service's API for one virtual proxy.
pub(super) struct Service {
    url: Url,
    /// The virtual proxy's prefix, with a slash at its end where there is one.
    prefix: String,
    attributes: Attributes,
    caller: Caller,
}

/// Whom a ticket or session is for.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) directory: &'a str,
    pub(super) id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Wish<'a> {
    user_directory: &'a str,
    user_id: &'a str,
    attributes: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Drawn {
    ticket: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    user_directory: String,
    user_id: String,
}

impl Service {
    pub(super) fn new(config: &QseowService, http: reqwest::Client) -> Self {
        let session = &config.session;
        let prefix = match session.url.path().trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self {
            url: config.service.url.clone(),
            prefix,
            attributes: Attributes::new(&config.attributes, super::BESIDES),
            caller: Caller::new(At::Service, http, session.timeout),
        }
    }

    /// A ticket, good for one use within a minute.
    pub(super) async fn draw(&self, identity: &Identity) -> Result<String, CredentialError> {
        let answer = self.post("ticket", identity, None).await?;
        let bad = Trouble::Malformed("holds no ticket");
        let drawn: Drawn = made(&answer, bad)?;
        Ok(drawn.ticket)
    }

    /// Adds a session of this id.
    pub(super) async fn add(
        &self,
        identity: &Identity,
        session: &str,
    ) -> Result<(), CredentialError> {
        let answer = self.post("session", identity, Some(session)).await?;
        let bad = Trouble::Malformed("does not say whose session it made");
        let found: Found = made(&answer, bad)?;
        if found.is(holder(identity)) {
            return Ok(());
        }
        let other = Trouble::Malformed("names another user than was asked for");
        Err(CredentialError::Down(At::Service, other))
    }

    /// Whether somebody's session of this id is there.
    pub(super) async fn has(
        &self,
        holder: Holder<'_>,
        session: &str,
    ) -> Result<bool, CredentialError> {
        let (url, key) = self.address(&["session", session]);
        let request = self.caller.get(url).header(XRFKEY, key);
        let answer = self.caller.call(request).await?;
        match answer.status {
            StatusCode::OK => {
                let body = answer.body.as_deref().unwrap_or_default();
                let found: Option<Found> = serde_json::from_slice(body).ok();
                Ok(found.is_some_and(|found| found.is(holder)))
            }
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(refused(status)),
        }
    }

    async fn post(
        &self,
        what: &str,
        identity: &Identity,
        session_id: Option<&str>,
    ) -> Result<Answer, CredentialError> {
        let (url, key) = self.address(&[what]);
        let holder = holder(identity);
        let wish = Wish {
            user_directory: holder.directory,
            user_id: holder.id,
            attributes: self.attributes(identity),
            session_id,
        };
        let request = self.caller.post(url).header(XRFKEY, key).json(&wish);
        self.caller.call(request).await
    }

    /// Ends a session; says whether it was there.
    pub(super) async fn end(&self, session: &str) -> Result<bool, CredentialError> {
        let (url, key) = self.address(&["session", session]);
        let request = self.caller.delete(url).header(XRFKEY, key);
        let answer = self.caller.call(request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(refused(status)),
        }
    }

    /// What is told besides: an object an attribute, and one for each text of a list.
    fn attributes(&self, identity: &Identity) -> Vec<Value> {
        let told = self.attributes.of(identity);
        let each = told.flat_map(|(name, value)| match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| json!({ name: item }))
                .collect(),
            text => vec![json!({ name: text })],
        });
        each.collect()
    }

    /// The URL of a thing, with a key against forgery that the header repeats.
    fn address(&self, segments: &[&str]) -> (Url, String) {
        let key = xrfkey();
        let mut url = self.url.clone();
        url.set_path(&format!("/qps/{}", self.prefix));
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().append_pair("xrfkey", &key);
        (url, key)
    }
}

impl Found {
    /// Qlik keeps the names of Windows users without regard to case.
    fn is(&self, holder: Holder<'_>) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        same(&self.user_directory, holder.directory) && same(&self.user_id, holder.id)
    }
}

fn made<T: for<'a> Deserialize<'a>>(answer: &Answer, bad: Trouble) -> Result<T, CredentialError> {
    if !answer.status.is_success() {
        return Err(refused(answer.status));
    }
    let body = answer.body.as_deref().unwrap_or_default();
    serde_json::from_slice(body).map_err(|_| CredentialError::Down(At::Service, bad))
}

fn refused(status: StatusCode) -> CredentialError {
    CredentialError::TurnedAway {
        status: status.as_u16(),
        advice: advice_on(status),
    }
}

#[rustfmt::skip] // a row a status
fn advice_on(status: StatusCode) -> Advice {
    let advice = Advice::new;
    match status.as_u16() {
        400 => advice("the proxy service did not take the request", "check user_directory, user, and that the virtual proxy is of this kind and linked"),
        401 | 403 => advice("the proxy service does not take the client certificate", "export it anew from the QMC of this installation"),
        404 => advice("the proxy service has no virtual proxy of this prefix", "check engine.url"),
        _ => advice("this is no answer of the proxy service's API", "check api_url"),
    }
}
