//! The front door of a virtual proxy: a key enters, the cookie of a proxy session leaves, and the
//! token against forgery that belongs to it.
//!
//! Qlik counts five sessions a person, so the cookie of each is remembered and shown again: a
//! session that still lives goes on, and only one that does not is followed by another.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::call::{Caller, XRFKEY, xrfkey};
use super::memory::{Cookie, Entered, Memory};
use crate::config::ProxySession;
use crate::credential::asking::Answer;
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::{Advice, At};
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

/// The front door of a virtual proxy.
pub(super) struct Front {
    config: ProxySession,
    caller: Caller,
    origin: HeaderValue,
    memory: Memory,
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
            memory: Memory::default(),
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
        let Some(cookie) = given.or(known) else {
            return Err(turned_away(answer.status));
        };
        let csrf = match csrf(&answer.headers) {
            Some(csrf) => Some(csrf),
            // A ticket that is taken leads elsewhere first.
            None if answer.status.is_redirection() => {
                let again = self.knock(Some(&cookie), &Key::None).await?;
                csrf(&again.headers)
            }
            None => None,
        };
        if csrf.is_none() && answer.status != StatusCode::NOT_FOUND && !answer.status.is_success() {
            if answer.status == StatusCode::UNAUTHORIZED || answer.status.is_redirection() {
                self.memory.forget(identity);
            }
            return Err(turned_away(answer.status));
        }
        let entered = Entered { cookie, csrf };
        self.memory.keep(identity, entered.clone());
        Ok(entered)
    }

    /// Goes on with the session that is remembered, if it still lives.
    pub(super) async fn resume(
        &self,
        identity: &Identity,
    ) -> Result<Option<Entered>, CredentialError> {
        if self.memory.of(identity).is_none() {
            return Ok(None);
        }
        match self.enter(identity, Key::None).await {
            // Whoever brings no token against forgery does not say that the session lives.
            Ok(entered) => Ok(Some(entered).filter(|entered| entered.csrf.is_some())),
            Err(CredentialError::TurnedAway { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The cookie of the session that is remembered.
    pub(super) fn session(&self, identity: &Identity) -> Option<Cookie> {
        Some(self.memory.of(identity)?.cookie)
    }

    /// Remembers a session that was added.
    pub(super) fn remember(&self, identity: &Identity, session: String) {
        let cookie = Cookie {
            name: self.cookie_name(),
            value: session,
        };
        self.memory.keep(identity, Entered { cookie, csrf: None });
    }

    /// Remembers the session that another replica opened.
    pub(super) fn adopt(&self, identity: &Identity, made: &Injection) {
        let Some((name, value)) = made.cookies().next() else {
            return;
        };
        let cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        self.memory.keep(identity, Entered { cookie, csrf: None });
    }

    /// Forgets a session, and says which it was.
    pub(super) fn forget(&self, identity: &Identity) -> Option<Cookie> {
        Some(self.memory.forget(identity)?.cookie)
    }

    /// Whether two identities are one person to Qlik, who keeps the names of Windows users without
    /// regard to case.
    pub(super) fn is_same_person(one: &Identity, other: &Identity) -> bool {
        let same = |place| one.value(place).to_lowercase() == other.value(place).to_lowercase();
        same(super::DIRECTORY) && same(super::ID)
    }

    /// How long a session is kept after its last use.
    pub(super) const fn linger(&self) -> Option<Duration> {
        self.config.linger
    }

    /// Logs somebody out, whereby all their sessions at this virtual proxy end.
    pub(super) async fn log_out(&self, identity: &Identity) -> Result<bool, CredentialError> {
        let Some(session) = self.memory.forget(identity) else {
            return Ok(false);
        };
        let (mut url, key) = (self.address(USER), xrfkey());
        url.query_pairs_mut().append_pair("xrfkey", &key);
        let request = self.caller.delete(url).header(XRFKEY, key);
        let request = request.header(ORIGIN, self.origin.clone());
        let request = request.header(COOKIE, session.cookie.line()?);
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

    /// What the upgrade carries.
    pub(super) fn minted(&self, entered: &Entered) -> Result<Minted, CredentialError> {
        let injection = Injection::nothing().with_header(ORIGIN, self.origin.clone());
        let carried = injection.with_cookie(&entered.cookie.name, &entered.cookie.value);
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
        known: Option<&Cookie>,
        key: &Key<'_>,
    ) -> Result<Answer, CredentialError> {
        let mut url = self.address(DOOR);
        if let Key::Ticket(ticket) = key {
            url.query_pairs_mut().append_pair("QlikTicket", ticket);
        }
        let mut request = self.caller.get(url);
        if let Key::Header(name, value) = key {
            request = request.header(name, value);
        }
        if let Some(cookie) = known {
            request = request.header(COOKIE, cookie.line()?);
        }
        self.caller.call(request).await
    }

    fn address(&self, what: &str) -> Url {
        let mut url = self.config.url.clone();
        let path = format!("{}{what}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// The session's cookie in an answer.
    fn given(&self, headers: &HeaderMap) -> Option<Cookie> {
        let lines = headers.get_all(SET_COOKIE).iter();
        let mut pairs =
            lines.filter_map(|line| line.to_str().ok()?.split(';').next()?.split_once('='));
        let ours = |name: &str| match &self.config.cookie {
            Some(cookie) => cookie.as_str() == name,
            None => name.starts_with(COOKIE_NAME),
        };
        let (name, value) = pairs.find(|(name, value)| ours(name.trim()) && !value.is_empty())?;
        Some(Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }

    /// `X-Qlik-Session-<prefix>`, with `-HTTP` at its end over plain HTTP.
    fn cookie_name(&self) -> String {
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
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Front({})", self.name())
    }
}

fn csrf(headers: &HeaderMap) -> Option<String> {
    let token = headers.get(CSRF)?.to_str().ok()?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

fn turned_away(status: StatusCode) -> CredentialError {
    CredentialError::TurnedAway {
        status: status.as_u16(),
        advice: advice_on(status),
    }
}

#[rustfmt::skip] // a row a status
fn advice_on(status: StatusCode) -> Advice {
    let advice = Advice::new;
    match status.as_u16() {
        200..=299 => advice("it gave no session cookie", "check session_cookie, and how the virtual proxy authenticates"),
        300..=399 => advice("it wants people to sign in", "check how the virtual proxy authenticates, and engine.url's prefix"),
        400 => advice("the virtual proxy is not linked to a proxy service", "link it in the QMC"),
        401 => advice("it does not take what it was shown", "check the signing key against the virtual proxy's certificate, the names of its attributes, and both clocks"),
        403 => advice("the Host allow list of the virtual proxy has not the host of engine.url or origin", "add that host's name to the Host allow list in the QMC (names alone, no scheme or port), or write an origin that is on it"),
        404 => advice("there is no virtual proxy of this prefix", "check engine.url"),
        _ => advice("this is no answer of a virtual proxy", "check engine.url and the virtual proxy"),
    }
}
