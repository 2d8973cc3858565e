//! What is kept of a socket's life: counts while it lives, one line when it opens and one when it
//! ends. The last line comes from `Drop`, so that no path, a panic included, loses it.

mod ended;
mod meters;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

pub use self::ended::{Cause, Ended, Side};
pub use self::meters::{Meters, Way};
use crate::id::{ConnectionId, RouteName};
use crate::policy::DenyReason;
use crate::qix::Greeting;

/// What is known of a socket when it opens; all of it may stand in a log.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The connection.
    pub id: ConnectionId,
    /// The client's address.
    pub client: IpAddr,
    /// The route.
    pub route: RouteName,
    /// The document the URL named, cut and escaped.
    pub app: String,
    /// The person within their issuer, cut and escaped.
    pub subject: String,
    /// A short hash of the app session's id, to tell sessions apart.
    pub session: Option<String>,
    /// The engine-session identity.
    pub identity: String,
}

/// The record of one socket.
#[derive(Debug)]
pub struct Record {
    opening: Opening,
    opened: Instant,
    up: Count,
    down: Count,
    denied: u64,
    greeting: Option<Greeting>,
    ended: Option<Ended>,
    meters: Arc<Meters>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    messages: u64,
    bytes: u64,
}

impl Record {
    /// Opens the record and says so.
    #[must_use]
    pub fn open(opening: Opening, setup: Duration, meters: Arc<Meters>) -> Self {
        info!(
            connection = %opening.id,
            route = %opening.route,
            client.address = %opening.client,
            app = %opening.app,
            subject = %opening.subject,
            session.hash = opening.session.as_deref(),
            engine.identity = %opening.identity,
            setup.ms = millis(setup),
            "socket opened"
        );
        meters.opened(&opening.route);
        let opened = Instant::now();
        let (up, down) = (Count::default(), Count::default());
        Self {
            opening,
            opened,
            up,
            down,
            denied: 0,
            greeting: None,
            ended: None,
            meters,
        }
    }

    /// Counts what moved one way.
    pub fn moved(&mut self, way: Way, messages: u64, bytes: usize) {
        let count = match way {
            Way::Down => &mut self.down,
            Way::Up => &mut self.up,
        };
        count.messages += messages;
        count.bytes += bytes as u64;
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
            warn!(connection = %self.opening.id, state, "the engine will not serve this session");
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
        self.meters.ended(&self.opening.route, ended);
        info!(
            connection = %self.opening.id,
            route = %self.opening.route,
            app = %self.opening.app,
            subject = %self.opening.subject,
            session.hash = self.opening.session.as_deref(),
            cause = ended.cause.label(),
            side = ended.cause.side().label(),
            client.code = ended.client_code.map(|code| code.0),
            engine.code = ended.engine_code.map(|code| code.0),
            open.ms = millis(self.opened.elapsed()),
            up.messages = self.up.messages,
            up.bytes = self.up.bytes,
            down.messages = self.down.messages,
            down.bytes = self.down.bytes,
            denied = self.denied,
            engine.session = self.greeting.map(Greeting::label),
            "socket ended"
        );
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
