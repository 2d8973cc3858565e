//! What a client of a tenant meets on the wire: one port with the token endpoint, the engine
//! websocket, and the control paths below `/__sim`.
//!
//! Enters: HTTP/1.1 requests, and faults by script. Leaves: documented answers, frames, and a record
//! of everything that was seen. It never calculates: what a call answers is the engine's business.

mod builder;
mod cloud;
pub(crate) mod control;
pub(crate) mod falter;
mod frames;
pub(crate) mod ledger;
mod live;
pub(crate) mod lock;
pub(crate) mod manner;
pub(crate) mod notices;
pub(crate) mod place;
mod presence;
pub(crate) mod refusal;
mod script;
pub(crate) mod server;
pub(crate) mod shared;
mod token;
pub(crate) mod upgrade;
pub(crate) mod vault;
pub(crate) mod wire;

use std::{fmt, net::SocketAddr, sync::Arc};

pub use builder::{Builder, ClientId, ClientKind};
pub use ledger::{Seen, State};
pub use manner::Speaks;
pub use script::{LiveFault, Script, TokenFault, UpgradeFault};

use shared::Shared;

/// A stand-in tenant that listens. Dropping it stops it.
pub struct Tenant {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

impl Tenant {
    /// A tenant with no client, no key and no user yet.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:PORT`, or `https` when it has a certificate.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request seen outside `/__sim`, in order, with the messages of the websockets.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.ledger.requests()
    }

    /// The methods called on the engine, in order, over all websockets.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.shared.ledger.calls()
    }

    /// The methods that the engine did not know.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        self.shared.ledger.unknown()
    }

    /// Every secret configured or minted, and every canary put where no browser may see it.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.shared.vault.secrets()
    }

    /// The counters as they are now.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.ledger.state()
    }

    /// Waits until the counters satisfy `reached`, and returns them.
    pub async fn until(&self, reached: impl FnMut(&State) -> bool) -> State {
        self.shared.ledger.until(reached).await
    }

    /// The websockets open now.
    #[must_use]
    pub fn sockets_open(&self) -> usize {
        self.state().sockets_open
    }

    /// Queues a fault, or applies it at once when it is for the live sockets.
    pub fn script(&self, script: Script) {
        self.shared.obey(script);
    }

    /// Lets one answer go that is held, or the next that would be.
    pub fn release(&self) {
        self.shared.release.notify_one();
    }

    /// Forgets what was seen, counted and scripted. Sockets, tokens and secrets stay.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Lets somebody else create the next user, just before it would be created through the API.
    pub fn expect_a_rival(&self) {
        self.shared.settings.cloud.directory.expect_a_rival();
    }

    /// Stops listening, closes every socket with 1001 and waits until all is over.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
