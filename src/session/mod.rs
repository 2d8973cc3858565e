//! The first question: who is this? One check per kind of session an app can have.
//!
//! A request's headers enter; a `Session` leaves, or why not. This room talks to the app's own
//! identity side alone (key sets, the app's session endpoint) and never to Qlik.

use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::SessionCheck;
use crate::fault::{Fault, Faulty};
use crate::id::RouteName;
use crate::person::Person;

/// The session checks of one route, in the order of the config.
#[derive(Debug)]
pub struct Sessions {}

impl Sessions {
    /// Prepares the checks of a route. `http` is lent by the house; it follows no redirects.
    pub fn new(
        _route: &RouteName,
        _checks: Vec<SessionCheck>,
        _http: &reqwest::Client,
    ) -> Result<Self, SessionError> {
        Ok(Self {})
    }

    /// Finds who knocks: the first kind that finds a credential of its sort decides.
    #[expect(clippy::unused_async, reason = "kinds ask the network")]
    pub async fn identify(&self, _knock: Knock<'_>) -> Result<Session, SessionError> {
        Err(SessionError::Missing)
    }
}

/// A request as the session checks see it.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What kind of client sent it.
    pub client: Client,
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

/// Why there is no session. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No credential of any configured kind.
    #[error("no session credential in the request")]
    Missing,
}

impl Faulty for SessionError {
    fn fault(&self) -> Fault {
        match self {
            Self::Missing => Fault::NotSignedIn,
        }
    }
}
