//! The first question: who is this? One check per kind of session an app can have.
//!
//! A request's headers enter; a `Session` leaves, or why not. This room talks to the app's own
//! identity side alone (key sets, the app's session endpoint) and never to Qlik.

mod activity;
mod bearer;
mod cookies;
mod error;
mod evidence;
mod fetch;
mod forward_auth;
mod introspection;
mod json;
mod jwt;
mod login;
mod moment;
mod pseudonym;
mod redis;
mod renewal;
mod showing;
mod subject;
mod tally;
#[cfg(test)]
mod testing;
mod ticket;
mod trusted_header;
mod vouching;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::activity::Activity;
pub use self::error::{Flaw, Outage, SessionError, Spoilt, Twice};
use self::evidence::Wanted;
use self::forward_auth::ForwardAuthCheck;
use self::introspection::IntrospectionCheck;
use self::jwt::JwtCheck;
use self::moment::Moment;
pub use self::pseudonym::Pseudonyms;
use self::redis::RedisCheck;
use self::renewal::Renewals;
pub use self::showing::Showing;
use self::tally::Tally;
pub use self::tally::{CheckOutcome, CheckReport};
use self::ticket::TicketCheck;
pub use self::ticket::{Ticket, TicketStore};
use self::trusted_header::TrustedHeaderCheck;
use crate::config::SessionCheck;
use crate::fault::{Fault, Faulty};
use crate::id::{AppId, RouteName};
use crate::peer::Peer;
use crate::person::{ClaimPath, Person};
use crate::revocation::Revocation;

/// The session checks of one route, in the order of the config.
#[derive(Debug)]
pub struct Sessions {
    checks: Vec<(Check, Tally)>,
    wanted: Wanted,
    renewals: Renewals,
    tokens: Tokens,
}

/// What becomes of the token that a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tokens {
    /// It is forgotten once it has been judged.
    Forgotten,
    /// The person keeps it.
    Kept,
}

impl Sessions {
    /// Prepares the checks of a route.
    pub fn new(
        route: &RouteName,
        checks: Vec<SessionCheck>,
        lent: Lent<'_>,
    ) -> Result<Self, SessionError> {
        let wanted = Wanted::of(&checks);
        let checks = checks
            .into_iter()
            .map(|check| Check::new(route, check, lent).map(|it| (it, Tally::default())))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            checks,
            wanted,
            renewals: Renewals::default(),
            tokens: Tokens::Forgotten,
        })
    }

    /// Lets people keep the tokens that their sessions are, for a credential that is made of them.
    #[must_use]
    pub fn keeping_tokens(self) -> Self {
        Self {
            tokens: Tokens::Kept,
            ..self
        }
    }

    /// Judges a logout token that an issuer has sent: by the first check that takes such tokens and
    /// finds it good.
    pub async fn logout(&self, token: &[u8]) -> Result<Logout, SessionError> {
        let mut flaw = SessionError::Missing;
        for (check, _) in &self.checks {
            match check.logout(token).await {
                Ok(Some(logout)) => return Ok(logout),
                // Who cannot be asked now may know the token: the issuer is to come again.
                Err(error) if flaw.fault() != Fault::SessionCheckDown => flaw = error,
                Ok(None) | Err(_) => {}
            }
        }
        Err(flaw)
    }

    /// Finds who knocks: the first kind that finds a credential of its sort decides.
    pub async fn identify(&self, knock: Knock<'_>) -> Result<Session, SessionError> {
        for (check, tally) in &self.checks {
            let found = match check {
                Check::Ticket(tickets) => self.redeem(tickets, knock).await,
                _ => self.ask(check, knock).await,
            };
            tally.count(&found);
            if let Some(session) = found? {
                return Ok(session);
            }
        }
        Err(SessionError::Missing)
    }

    /// Finds who knocks by anything but a ticket.
    async fn vouch(&self, knock: Knock<'_>) -> Result<Session, SessionError> {
        for (check, tally) in &self.checks {
            let found = self.ask(check, knock).await;
            tally.count(&found);
            if let Some(session) = found? {
                return Ok(session);
            }
        }
        Err(SessionError::Missing)
    }

    async fn ask(&self, check: &Check, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let found = check
            .identify(knock)
            .await?
            .map(|session| match self.tokens {
                Tokens::Forgotten => session,
                Tokens::Kept => session.bearing(check.token(knock)),
            });
        Ok(found.map(|session| match check {
            // A token says its end once; only another token can say a later one.
            Check::Jwt(_) => self.renewals.follow(session),
            _ => session,
        }))
    }

    /// Moves on the end of the open sockets of the same issuer, subject and session id to the end
    /// of this session, where it is later; says how many moved. Those that are asked about live by
    /// the token of this session from now on.
    pub fn renew(&self, session: &Session) -> usize {
        let asked_about = self.checks.iter().map(|(check, _)| match check {
            Check::Introspection(check) => check.renew(session),
            _ => 0,
        });
        self.renewals.renew(session) + asked_about.sum::<usize>()
    }
}

/// A logout that an issuer has announced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Logout {
    /// What it says.
    pub revocation: Revocation,
    /// How long it is to be remembered: as long as a session that it hits could live.
    pub remember: Duration,
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
    /// Where replicas keep their tickets; without it each process has its own.
    pub tickets: Option<&'a TicketStore>,
    /// The claims by which it is decided what somebody may open, and whose they are: when one of them
    /// says something else, a session does not go on as it was.
    pub minded: &'a Arc<[ClaimPath]>,
}

/// A request as the session checks see it.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What kind of client sent it.
    pub client: Client,
    /// The other end of its TCP connection, whatever its headers say.
    pub peer: Peer,
    /// What else a websocket request says; `None` for a plain one, which no ticket opens.
    pub upgrade: Option<Upgrade<'a>>,
}

/// What else a websocket request says.
#[derive(Clone, Copy)]
pub struct Upgrade<'a> {
    /// The query of its URL.
    pub query: Option<&'a str>,
    /// The document it asks for, as [`Document::as_str`](crate::qix::Document::as_str) says it.
    pub document: &'a str,
}

impl fmt::Debug for Upgrade<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade(…)")
    }
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
    activity: Activity,
    app: Option<AppId>,
}

impl Session {
    /// Whose session it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The one app that it may open, where it came by a ticket that says so.
    #[must_use]
    pub fn app(&self) -> Option<&AppId> {
        self.app.as_ref()
    }

    fn bearing(self, token: Option<SecretString>) -> Self {
        match token {
            Some(token) => Self {
                person: self.person.bearing(token),
                ..self
            },
            None => self,
        }
    }

    fn only(self, app: Option<AppId>) -> Self {
        Self { app, ..self }
    }

    /// How the session stands, now and as it changes.
    ///
    /// A kind that cannot change its mind lets go of the sending half at once: then the value
    /// stays readable and `changed()` is an error, which is not an end.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Where its sockets mark that somebody is at work.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Whether it is still good.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.standing.borrow().is_valid(Instant::now())
    }

    /// When it expires by what is known now, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        match *self.standing.borrow() {
            Standing::Changed | Standing::Ended | Standing::Unknown => None,
            Standing::Valid { until } => until.map(|until| Moment::now().unix_at(until)),
        }
    }
}

/// How a session stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It goes on, but not as it was: something else is said of what its person may open.
    Changed,
    /// It is over: logged out, revoked, or no longer vouched for.
    Ended,
    /// Nobody could say for too long whether it goes on.
    Unknown,
    /// It is valid, until then if that is known.
    Valid {
        /// When it expires.
        until: Option<Instant>,
    },
}

impl Standing {
    /// Whether it is valid at this moment.
    #[must_use]
    pub fn is_valid(self, now: Instant) -> bool {
        match self {
            Self::Changed | Self::Ended | Self::Unknown => false,
            Self::Valid { until } => until.is_none_or(|until| until > now),
        }
    }
}

/// One way to know a session, ready to be asked. `None` means that the request carries no
/// credential of this kind's sort, so that the next kind is asked.
#[derive(Debug)]
enum Check {
    ForwardAuth(ForwardAuthCheck),
    Introspection(IntrospectionCheck),
    Jwt(Box<JwtCheck>),
    Redis(RedisCheck),
    Ticket(TicketCheck),
    TrustedHeader(TrustedHeaderCheck),
}

impl Check {
    fn new(route: &RouteName, check: SessionCheck, lent: Lent<'_>) -> Result<Self, SessionError> {
        match check {
            SessionCheck::ForwardAuth(config) => {
                ForwardAuthCheck::new(route, config, lent).map(Self::ForwardAuth)
            }
            SessionCheck::Introspection(config) => Ok(Self::Introspection(
                IntrospectionCheck::new(route, config, lent),
            )),
            SessionCheck::Jwt(config) => JwtCheck::new(route, config, lent.http)
                .map(Box::new)
                .map(Self::Jwt),
            SessionCheck::Redis(config) => RedisCheck::new(route, config, lent).map(Self::Redis),
            SessionCheck::Ticket(rules) => {
                Ok(Self::Ticket(TicketCheck::new(route, rules, lent.tickets)))
            }
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
            // A ticket stands for what another check has found.
            Self::Ticket(_) => Ok(None),
            Self::TrustedHeader(check) => check.identify(knock),
        }
    }

    /// The token that the session is, where it is one.
    fn token(&self, knock: Knock<'_>) -> Option<SecretString> {
        let cookie = match self {
            Self::Introspection(check) => check.cookie(),
            Self::Jwt(check) => check.cookie(),
            _ => return None,
        };
        let text = bearer::find(knock, cookie).ok()??;
        let text = std::str::from_utf8(text).ok()?;
        Some(text.into())
    }

    async fn logout(&self, token: &[u8]) -> Result<Option<Logout>, SessionError> {
        match self {
            Self::Jwt(check) => check.logout(token).await,
            _ => Ok(None),
        }
    }
}
