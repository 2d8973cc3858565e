//! Qlik Sense Enterprise on Windows as a client meets it: the proxy's front door with its virtual
//! proxies, the proxy service's API, and the engine's own port, each on a port of the loopback.
//!
//! Enters: HTTP/1.1 requests, by TLS, with a client's certificate where a real one demands it, and
//! faults by script. Leaves: documented answers, frames, and a record of everything that was seen.
//! What is not documented (what a stranger is told, when the proxy speaks first) is a setting.

mod admission;
mod builder;
mod engine_port;
mod estate;
mod front;
mod guest;
mod jwt;
mod person;
mod qps;
mod sessions;
mod tickets;
mod virtual_proxy;

use std::{fmt, net::SocketAddr, ops::Deref, sync::Arc};

pub use builder::{Builder, Ports, Transport};
pub use estate::Tally;
pub use person::Person;
pub use sessions::ProxySession;
pub use virtual_proxy::{Gives, Release, Strangers, VirtualProxy};

use crate::{
    certificates::Certificates,
    tenant::{StandIn, notices},
};
use estate::Estate;

/// An installation that listens. Dropping it stops it.
pub struct Windows {
    front: SocketAddr,
    qps: SocketAddr,
    engine: SocketAddr,
    transport: Transport,
    certificates: Certificates,
    estate: Arc<Estate>,
    stand_in: StandIn,
}

impl Windows {
    /// An installation without a virtual proxy yet.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The front door, `https://127.0.0.1:PORT`; a virtual proxy is `/<prefix>` below it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.transport {
            Transport::Https => format!("https://{}", self.front),
            Transport::Http => format!("http://{}", self.front),
        }
    }

    /// The proxy service's API; `/qps/…` is below it.
    #[must_use]
    pub fn qps_url(&self) -> String {
        format!("https://{}", self.qps)
    }

    /// The engine's own port.
    #[must_use]
    pub fn engine_url(&self) -> String {
        format!("https://{}", self.engine)
    }

    /// What a QMC would export.
    #[must_use]
    pub const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The proxy sessions that are alive, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<ProxySession> {
        self.estate.sessions.list()
    }

    /// How many proxy sessions somebody (`DIRECTORY\id`) has.
    #[must_use]
    pub fn sessions_of(&self, person: &str) -> usize {
        let (sessions, person) = (self.sessions(), Person::parse(person));
        let theirs = sessions
            .iter()
            .filter(|one| Some(&one.person) == person.as_ref());
        theirs.count()
    }

    /// What was counted, beside the websockets.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.estate.tally()
    }

    /// Loses every proxy session without a word, as a restart does: their cookies are bad.
    pub fn forget_sessions(&self) {
        self.estate.sessions.forget();
    }

    /// Ends every proxy session: their sockets hear `OnSessionLoggedOut` and are closed.
    pub fn end_sessions(&self) {
        self.estate.end(notices::LOGGED_OUT, |_| true);
    }

    /// Forgets what was seen, counted and scripted. Sessions, sockets and secrets stay.
    pub fn reset(&self) {
        self.estate.reset();
    }

    /// Stops listening, closes every socket with 1001 and waits until all is over.
    pub async fn stop(self) {
        self.stand_in.halt().await;
    }
}

impl Deref for Windows {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows")
            .field("front", &self.front)
            .field("qps", &self.qps)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
