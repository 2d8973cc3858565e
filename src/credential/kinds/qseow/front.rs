//! The front door of a virtual proxy: a key enters, the cookie of a proxy session leaves, and the
//! token against forgery that belongs to it.
//!
//! Qlik counts five sessions a person, so the cookie of each is remembered and shown again: a
//! session that still lives goes on, and only one that does not is followed by another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::call::{Caller, XRFKEY, passing, xrfkey};
use crate::config::ProxySession;
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::At;
use crate::credential::identity::Identity;
use crate::credential::mint::Minted;
use crate::injection::Injection;

/// What a virtual proxy calls its session's cookie, unless it is renamed.
const COOKIE_NAME: &str = "X-Qlik-Session";
/// The header that brings the token against forgery, and the query parameter that shows it.
const CSRF: HeaderName = HeaderName::from_static("qlik-csrf-token");
/// Where it is asked for.
const DOOR: &str = "/qps/csrftoken";
/// Where somebody is logged out.
const USER: &str = "/qps/user";
/// How many sessions are remembered.
const ROOM: usize = 10_000;

/// The front door of a virtual proxy.
pub(super) struct Front {
    config: ProxySession,
    caller: Caller,
    origin: HeaderValue,
    remembered: Mutex<HashMap<Identity, Entered>>,
}

/// What opens a session.
pub(super) enum Key<'a> {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// Only the session that is there already.
    None,
    /// A ticket.
    Ticket(&'a str),
}

impl Key<'_> {
    /// A token.
    pub(super) fn bearer(token: &str) -> Result<Self, CredentialError> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| CredentialError::BadSigningKey)?;
        value.set_sensitive(true);
        Ok(Self::Header(AUTHORIZATION, value))
    }
}

/// A session that is open.
#[derive(Clone)]
pub(super) struct Entered {
    cookie: (String, Arc<str>),
    csrf: Option<String>,
}

impl Front {
    pub(super) fn new(
        config: ProxySession,
        http: reqwest::Client,
    ) -> Result<Self, CredentialError> {
        let origin = match &config.origin {
            Some(origin) => origin.as_str().to_owned(),
            None => config.url.origin().ascii_serialization(),
        };
        let origin = HeaderValue::try_from(origin).map_err(|_| CredentialError::BadKey)?;
        Ok(Self {
            caller: Caller::new(At::Front, http, config.timeout),
            origin,
            config,
            remembered: Mutex::default(),
        })
    }

    /// Opens a session with a key, or goes on with the one that is remembered.
    pub(super) async fn enter(
        &self,
        identity: &Identity,
        key: Key<'_>,
    ) -> Result<Entered, CredentialError> {
        let known = self.session(identity);
        let answer = self.knock(known.as_ref(), &key).await?;
        let given = self.given(&answer.headers);
        let Some(cookie) = given.or_else(|| known.map(|value| (self.cookie_name(), value))) else {
            return Err(turned_away(answer.status));
        };
        let csrf = match csrf(&answer.headers) {
            Some(csrf) => Some(csrf),
            // A ticket that is taken leads elsewhere first.
            None if answer.status.is_redirection() => {
                let again = self.knock(Some(&cookie.1), &Key::None).await?;
                csrf(&again.headers)
            }
            None => None,
        };
        if csrf.is_none() && answer.status != StatusCode::NOT_FOUND && !answer.status.is_success() {
            if answer.status == StatusCode::UNAUTHORIZED || answer.status.is_redirection() {
                self.forget(identity);
            }
            return Err(turned_away(answer.status));
        }
        let entered = Entered { cookie, csrf };
        self.keep(identity, entered.clone());
        Ok(entered)
    }

    /// Goes on with the session that is remembered, if it still lives.
    pub(super) async fn resume(
        &self,
        identity: &Identity,
    ) -> Result<Option<Entered>, CredentialError> {
        if !self.remembered().contains_key(identity) {
            return Ok(None);
        }
        match self.enter(identity, Key::None).await {
            // Whoever brings no token against forgery does not say that the session lives.
            Ok(entered) => Ok(Some(entered).filter(|entered| entered.csrf.is_some())),
            Err(CredentialError::TurnedAway { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The session that is remembered.
    pub(super) fn session(&self, identity: &Identity) -> Option<Arc<str>> {
        let remembered = self.remembered();
        let session = remembered.get(identity)?;
        Some(Arc::clone(&session.cookie.1))
    }

    /// Remembers a session.
    pub(super) fn remember(&self, identity: &Identity, session: &Arc<str>) {
        let entered = Entered {
            cookie: (self.cookie_name(), Arc::clone(session)),
            csrf: None,
        };
        self.keep(identity, entered);
    }

    /// Forgets a session, and says which it was.
    pub(super) fn forget(&self, identity: &Identity) -> Option<Arc<str>> {
        let session = self.remembered().remove(identity)?;
        Some(session.cookie.1)
    }

    /// How long a session is kept after its last use.
    pub(super) const fn linger(&self) -> Option<Duration> {
        self.config.linger
    }

    /// Logs somebody out, whereby all their sessions at this virtual proxy end.
    pub(super) async fn log_out(&self, identity: &Identity) -> Result<bool, CredentialError> {
        let session = self.remembered().remove(identity);
        let Some(session) = session else {
            return Ok(false);
        };
        let (mut url, key) = (self.address(USER), xrfkey());
        url.query_pairs_mut().append_pair("xrfkey", &key);
        let request = self.caller.delete(url).header(XRFKEY, key);
        let request = request.header(ORIGIN, self.origin.clone());
        let request = request.header(COOKIE, self.line(&session.cookie.1)?);
        let request = match session.csrf {
            Some(csrf) => request.header(CSRF, csrf),
            None => request,
        };
        let answer = self.caller.call(request).await?;
        if answer.status.is_success() {
            Ok(true)
        } else {
            Err(turned_away(answer.status))
        }
    }

    fn keep(&self, identity: &Identity, session: Entered) {
        let mut remembered = self.remembered();
        if remembered.len() >= ROOM && !remembered.contains_key(identity) {
            // Nobody in particular: whoever is forgotten and comes again opens a second session.
            let forgotten = remembered.keys().next().cloned();
            forgotten.map(|forgotten| remembered.remove(&forgotten));
        }
        remembered.insert(identity.clone(), session);
    }

    /// What the upgrade carries.
    pub(super) fn minted(&self, entered: &Entered) -> Result<Minted, CredentialError> {
        let injection = Injection::nothing().with_header(ORIGIN, self.origin.clone());
        let (name, value) = &entered.cookie;
        let carried = injection.with_cookie(name, value);
        let bad = Trouble::Malformed("gives a session cookie that no header can carry");
        let injection = carried.ok_or(CredentialError::Down(At::Front, bad))?;
        let injection = match &entered.csrf {
            Some(csrf) => injection.with_query(CSRF.as_str(), csrf),
            None => injection,
        };
        Ok(Minted {
            injection,
            life: self.config.life,
        })
    }

    /// What the log calls it.
    pub(super) fn name(&self) -> String {
        self.config.url.origin().ascii_serialization()
    }

    async fn knock(
        &self,
        known: Option<&Arc<str>>,
        key: &Key<'_>,
    ) -> Result<Knocked, CredentialError> {
        let mut url = self.address(DOOR);
        if let Key::Ticket(ticket) = key {
            url.query_pairs_mut().append_pair("QlikTicket", ticket);
        }
        let mut request = self.caller.get(url);
        if let Key::Header(name, value) = key {
            request = request.header(name, value);
        }
        if let Some(cookie) = known {
            request = request.header(COOKIE, self.line(cookie)?);
        }
        let answer = self.caller.call(request).await?;
        Ok(Knocked {
            status: answer.status,
            headers: answer.headers,
        })
    }

    fn address(&self, what: &str) -> Url {
        let mut url = self.config.url.clone();
        let path = format!("{}{what}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    fn line(&self, cookie: &str) -> Result<HeaderValue, CredentialError> {
        let line = HeaderValue::try_from(format!("{}={cookie}", self.cookie_name()));
        let mut line = line.map_err(|_| CredentialError::BadKey)?;
        line.set_sensitive(true);
        Ok(line)
    }

    /// The session's cookie in an answer.
    fn given(&self, headers: &HeaderMap) -> Option<(String, Arc<str>)> {
        let lines = headers.get_all(SET_COOKIE).iter();
        let mut pairs =
            lines.filter_map(|line| line.to_str().ok()?.split(';').next()?.split_once('='));
        let ours = |name: &str| match &self.config.cookie {
            Some(cookie) => cookie.as_str() == name,
            None => name.starts_with(COOKIE_NAME),
        };
        let (name, value) = pairs.find(|(name, value)| ours(name.trim()) && !value.is_empty())?;
        Some((name.trim().to_owned(), value.trim().into()))
    }

    /// `X-Qlik-Session-<prefix>`, with `-HTTP` at its end over plain HTTP.
    pub(super) fn cookie_name(&self) -> String {
        if let Some(name) = &self.config.cookie {
            return name.as_str().to_owned();
        }
        let prefix = match self.config.url.path().trim_matches('/') {
            "" => String::new(),
            prefix => format!("-{prefix}"),
        };
        let suffix = match self.config.url.scheme() {
            "http" => "-HTTP",
            _ => "",
        };
        format!("{COOKIE_NAME}{prefix}{suffix}")
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Identity, Entered>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Front({})", self.name())
    }
}

struct Knocked {
    status: StatusCode,
    headers: HeaderMap,
}

fn csrf(headers: &HeaderMap) -> Option<String> {
    let token = headers.get(CSRF)?.to_str().ok()?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

fn turned_away(status: StatusCode) -> CredentialError {
    if let Some(trouble) = passing(status) {
        return CredentialError::Down(At::Front, trouble);
    }
    let advice = match status.as_u16() {
        200..=299 => {
            "it gave no session cookie: check session_cookie, and how the virtual proxy authenticates"
        }
        300..=399 => {
            "it wants people to sign in: check how the virtual proxy authenticates, and engine.url's prefix"
        }
        400 => "the virtual proxy is not linked to a proxy service; link it in the QMC",
        401 => {
            "it does not take what it was shown: check the signing key against the virtual proxy's certificate, the names of its attributes, and both clocks"
        }
        403 => "the Host allow list of the virtual proxy has not the host of engine.url or origin",
        404 => "there is no virtual proxy of this prefix: check engine.url",
        _ => "check engine.url and the virtual proxy",
    };
    CredentialError::TurnedAway {
        status: status.as_u16(),
        advice,
    }
}
