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

use std::{fmt, net::SocketAddr, sync::Arc};

pub use builder::{Builder, Ports, Transport};
pub use estate::Tally;
pub use person::Person;
pub use sessions::ProxySession;
pub use virtual_proxy::{Gives, Release, Strangers, VirtualProxy};

use crate::{
    certificates::Certificates,
    tenant::{Script, Seen, State, notices},
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
        let sessions = self.sessions();
        let theirs = sessions
            .iter()
            .filter(|one| one.person.to_string() == person);
        theirs.count()
    }

    /// What was counted, beside the websockets.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.estate.tally()
    }

    /// Every request seen, on all three ports, in order, with the messages of the websockets.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.estate.shared.ledger.requests()
    }

    /// The methods called on the engine, in order, over all websockets.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.estate.shared.ledger.calls()
    }

    /// Every secret seen or made: tokens, cookies, tickets, keys, and canaries in notices and pages.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.estate.shared.vault.secrets()
    }

    /// The counters as they are now.
    #[must_use]
    pub fn state(&self) -> State {
        self.estate.shared.ledger.state()
    }

    /// Waits until the counters satisfy `reached`, and returns them.
    pub async fn until(&self, reached: impl FnMut(&State) -> bool) -> State {
        self.estate.shared.ledger.until(reached).await
    }

    /// Queues a fault, or applies it at once when it is for the live sockets. `Script::Token` is
    /// for the next request for a csrf token, a ticket or a session.
    pub fn script(&self, script: Script) {
        self.estate.shared.obey(script);
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
        let shared = &self.estate.shared;
        shared.stop.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.estate.shared.stop.cancel();
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
