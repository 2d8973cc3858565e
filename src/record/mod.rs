//! What is kept of a socket's life: counts while it lives, one line when it opens and one when it
//! ends. The last line comes from `Drop`, so that no path, a panic included, loses it.

mod ended;
mod meters;
mod tally;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use tokio::time::Instant;
use tracing::{debug, info, warn};

pub use self::ended::{Cause, Ended, Side};
pub use self::meters::{Meters, Way};
pub use self::tally::{Tally, Traffic};
use crate::id::{ConnectionId, CustomerName, EngineIdentity, RouteName};
use crate::policy::DenyReason;
use crate::qix::{Greeting, Notice, Weight};

/// What is known of a socket when it opens; all of it may stand in a log.
#[derive(Debug)]
pub struct Opening {
    /// The connection.
    pub id: ConnectionId,
    /// The client's address.
    pub client: IpAddr,
    /// The HTTP that its handshake was made over: `HTTP/1.1` or `HTTP/2.0`.
    pub http: Version,
    /// The route.
    pub route: RouteName,
    /// The customer, where the route has customers.
    pub customer: Option<CustomerName>,
    /// The document the URL named, cut and escaped.
    pub app: Arc<str>,
    /// The person within their issuer, cut and escaped.
    pub subject: Arc<str>,
    /// A short hash of the app session's id, to tell sessions apart.
    pub session: Option<Box<str>>,
    /// The engine-session identity.
    pub identity: EngineIdentity,
}

/// What is known of a socket, and what has moved on it; its record and the registry share it.
#[derive(Debug)]
pub struct Ledger {
    /// What was known when it opened.
    pub opening: Opening,
    /// What has moved on it so far.
    pub tally: Tally,
}

impl Ledger {
    /// Begins with nothing moved.
    #[must_use]
    pub fn new(opening: Opening) -> Self {
        Self {
            opening,
            tally: Tally::default(),
        }
    }
}

/// The record of one socket.
#[derive(Debug)]
pub struct Record {
    ledger: Arc<Ledger>,
    opened: Instant,
    denied: u64,
    greeting: Option<Greeting>,
    ended: Option<Ended>,
    meters: Arc<Meters>,
}

impl Record {
    /// Opens the record and says so.
    #[must_use]
    pub fn open(ledger: &Arc<Ledger>, setup: Duration, meters: Arc<Meters>) -> Self {
        let opening = &ledger.opening;
        info!(
            connection = opening.id.0,
            route = %opening.route,
            customer = opening.customer.as_ref().map(CustomerName::as_str),
            client.address = %opening.client,
            http = ?opening.http,
            app = %opening.app,
            subject = %opening.subject,
            session.hash = opening.session.as_deref(),
            engine.identity = %opening.identity,
            setup.ms = millis(setup),
            "socket opened"
        );
        meters.opened(&opening.route);
        let opened = Instant::now();
        Self {
            ledger: Arc::clone(ledger),
            opened,
            denied: 0,
            greeting: None,
            ended: None,
            meters,
        }
    }

    /// Counts what moved one way.
    pub fn moved(&mut self, way: Way, messages: u64, bytes: usize) {
        self.ledger.tally.add(way, messages, bytes as u64);
        self.meters.moved(way, messages, bytes as u64);
    }

    /// Counts a call that was answered in the engine's place.
    pub fn denied(&mut self, reason: DenyReason) {
        self.denied += 1;
        self.meters.denied(reason);
    }

    /// Notes how the engine received the socket.
    pub fn greeted(&mut self, greeting: Greeting) {
        self.greeting = Some(greeting);
        if let Greeting::Refused(state) = greeting {
            warn!(
                connection = self.ledger.opening.id.0,
                state, "the engine will not serve this session"
            );
        }
    }

    /// Counts a notice of Qlik's proxy service.
    pub fn noticed(&mut self, notice: &Notice) {
        let (connection, notice, weight) =
            (self.ledger.opening.id.0, notice.label(), notice.weight());
        self.meters.noticed(notice);
        match weight {
            Weight::Heavy => warn!(connection, notice, "Qlik will not serve this session"),
            Weight::Light => debug!(connection, notice, "Qlik gave notice"),
        }
    }

    /// Notes how it ended.
    pub fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let ended = self.ended.unwrap_or(Ended::STOPPED);
        let Ledger { opening, tally } = &*self.ledger;
        self.meters.ended(&opening.route, ended);
        let (up, down) = (tally.read(Way::Up), tally.read(Way::Down));
        info!(
            connection = opening.id.0,
            route = %opening.route,
            customer = opening.customer.as_ref().map(CustomerName::as_str),
            app = %opening.app,
            subject = %opening.subject,
            session.hash = opening.session.as_deref(),
            cause = ended.cause.label(),
            side = ended.cause.side().label(),
            client.code = ended.client_code.map(|code| code.0),
            engine.code = ended.engine_code.map(|code| code.0),
            open.ms = millis(self.opened.elapsed()),
            up.messages = up.messages,
            up.bytes = up.bytes,
            down.messages = down.messages,
            down.bytes = down.bytes,
            denied = self.denied,
            engine.session = self.greeting.map(Greeting::label),
            "socket ended"
        );
    }
}

#[cfg(test)]
impl Opening {
    pub(crate) fn sample(id: u64, identity: &str) -> Self {
        Self {
            id: ConnectionId(id),
            client: [127, 0, 0, 1].into(),
            http: Version::HTTP_11,
            route: RouteName::new("r"),
            customer: None,
            app: "app".into(),
            subject: "ada".into(),
            session: None,
            identity: EngineIdentity::new(identity),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
