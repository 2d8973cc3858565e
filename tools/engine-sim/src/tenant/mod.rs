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
mod stand_in;
mod token;
pub(crate) mod upgrade;
pub(crate) mod vault;
pub(crate) mod wire;

use std::{fmt, net::SocketAddr, ops::Deref, sync::Arc};

pub use builder::{Builder, ClientId, ClientKind};
pub use ledger::{Seen, State};
pub use manner::Speaks;
pub use script::{LiveFault, Script, TokenFault, UpgradeFault};
pub use stand_in::StandIn;

use shared::Shared;

/// A stand-in tenant that listens. Dropping it stops it.
pub struct Tenant {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    stand_in: StandIn,
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
        self.stand_in.halt().await;
    }
}

impl Deref for Tenant {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
