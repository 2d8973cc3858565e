//! The first question: who is this? One check per kind of session an app can have.
//!
//! A request's headers enter; a `Session` leaves, or why not. This room talks to the app's own
//! identity side alone (key sets, the app's session endpoint) and never to Qlik.

mod bearer;
mod cookies;
mod error;
mod fetch;
mod flight;
mod forward_auth;
mod introspection;
mod json;
mod jwt;
mod moment;
mod pseudonym;
mod redis;
mod subject;
#[cfg(test)]
mod testing;
mod trusted_header;
mod vouching;

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::error::{Flaw, Outage, SessionError, Twice};
use self::forward_auth::ForwardAuthCheck;
use self::introspection::IntrospectionCheck;
use self::jwt::JwtCheck;
pub use self::pseudonym::Pseudonyms;
use self::redis::RedisCheck;
use self::trusted_header::TrustedHeaderCheck;
use crate::config::SessionCheck;
use crate::id::RouteName;
use crate::person::Person;

/// The session checks of one route, in the order of the config.
#[derive(Debug)]
pub struct Sessions {
    checks: Vec<Check>,
}

impl Sessions {
    /// Prepares the checks of a route.
    pub fn new(
        route: &RouteName,
        checks: Vec<SessionCheck>,
        lent: Lent<'_>,
    ) -> Result<Self, SessionError> {
        let checks = checks
            .into_iter()
            .map(|check| Check::new(route, check, lent))
            .collect::<Result<_, _>>()?;
        Ok(Self { checks })
    }

    /// Finds who knocks: the first kind that finds a credential of its sort decides.
    pub async fn identify(&self, knock: Knock<'_>) -> Result<Session, SessionError> {
        for check in &self.checks {
            if let Some(session) = check.identify(knock).await? {
                return Ok(session);
            }
        }
        Err(SessionError::Missing)
    }
}

/// What the house lends to the checks.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a> {
    /// A client that follows no redirects.
    pub http: &'a reqwest::Client,
    /// The TLS of outgoing connections that speak no HTTP.
    pub tls: &'a Arc<ClientConfig>,
    /// Names for those whom nobody names.
    pub pseudonyms: &'a Pseudonyms,
}

/// A request as the session checks see it.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What kind of client sent it.
    pub client: Client,
    /// The other end of its TCP connection, whatever its headers say.
    pub peer: IpAddr,
}

/// Whether a request comes from a browser, by its `Origin`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// It carries an allowed `Origin`: cookies count, `Authorization` does not.
    Browser,
    /// It carries no `Origin`: `Authorization` counts, cookies never do.
    Program,
}

/// An app session that a check has found valid.
#[derive(Clone, Debug)]
pub struct Session {
    person: Person,
    standing: watch::Receiver<Standing>,
}

impl Session {
    /// Whose session it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// How the session stands, now and as it changes.
    ///
    /// A kind that cannot change its mind lets go of the sending half at once: then the value
    /// stays readable and `changed()` is an error, which is not an end.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

/// How a session stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is over: logged out, revoked, or no longer vouched for.
    Ended,
    /// It is valid, until then if that is known.
    Valid {
        /// When it expires, leeway included.
        until: Option<Instant>,
    },
}

/// One way to know a session, ready to be asked. `None` means that the request carries no
/// credential of this kind's sort, so that the next kind is asked.
#[derive(Debug)]
enum Check {
    ForwardAuth(ForwardAuthCheck),
    Introspection(IntrospectionCheck),
    Jwt(JwtCheck),
    Redis(RedisCheck),
    TrustedHeader(TrustedHeaderCheck),
}

impl Check {
    fn new(route: &RouteName, check: SessionCheck, lent: Lent<'_>) -> Result<Self, SessionError> {
        match check {
            SessionCheck::ForwardAuth(config) => {
                ForwardAuthCheck::new(route, config, lent.http).map(Self::ForwardAuth)
            }
            SessionCheck::Introspection(config) => Ok(Self::Introspection(
                IntrospectionCheck::new(route, config, lent.http),
            )),
            SessionCheck::Jwt(config) => JwtCheck::new(route, config, lent.http).map(Self::Jwt),
            SessionCheck::Redis(config) => RedisCheck::new(route, config, lent).map(Self::Redis),
            SessionCheck::TrustedHeader(config) => {
                Ok(Self::TrustedHeader(TrustedHeaderCheck::new(config)))
            }
        }
    }

    async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        match self {
            Self::ForwardAuth(check) => check.identify(knock).await,
            Self::Introspection(check) => check.identify(knock).await,
            Self::Jwt(check) => check.identify(knock).await,
            Self::Redis(check) => check.identify(knock).await,
            Self::TrustedHeader(check) => check.identify(knock),
        }
    }
}
