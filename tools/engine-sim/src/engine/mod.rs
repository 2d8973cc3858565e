//! The engine that calculates: apps, engine sessions, handles, selections. No sockets, no tokens.
//!
//! Enters: who attaches (`SessionKey`) and JSON-RPC requests. Leaves: JSON-RPC answers and
//! pushes, calculated from the engine's own rows. It answers the calls that the client libraries
//! were recorded to make (`recorded/` beside the code) and a few that only a test of denial makes;
//! any other is "method not found" and is kept in `Engine::unknown_calls`.

mod association;
mod calls;
mod cube;
mod data;
mod delta;
mod doc;
mod expression;
mod layout;
mod list;
mod listings;
mod number;
mod object;
#[cfg(test)]
mod recorded;
mod registry;
mod rpc;
mod session;
mod socket;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use data::{BAR_CHART, FINANCE_APP, KPI, PEOPLE_APP, SALES_APP, SHEET, TABLE};
use registry::Registry;
pub use socket::{Changes, Socket};

/// Everything the engine holds: its apps and the engine sessions that are alive.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    registry: Arc<Registry>,
}

impl Engine {
    /// Attaches a socket to the engine session of `key`, making the session when there is none.
    /// The session outlives its last socket by the `ttl` of that socket.
    #[must_use]
    pub fn attach(&self, key: SessionKey, ttl: Duration) -> (Socket, SessionState) {
        let (session, seat, state) = self.registry.attach(key);
        (
            Socket::new(Arc::clone(&self.registry), session, seat, ttl),
            state,
        )
    }

    /// The apps' ids and titles.
    #[must_use]
    pub fn apps(&self) -> Vec<(String, String)> {
        let apps = self.registry.catalogue().apps();
        apps.map(|app| (app.id.clone(), app.title.clone()))
            .collect()
    }

    /// The engine sessions that are alive, with or without a socket.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionKey> {
        self.registry.keys()
    }

    /// The calls nobody recorded, each once, as `Global.Frobnicate`.
    #[must_use]
    pub fn unknown_calls(&self) -> Vec<String> {
        self.registry.unknown_calls()
    }
}

/// What makes two sockets share an engine session: the same user, app and identity.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionKey {
    /// The Qlik user the bearer token stands for.
    pub user: String,
    /// The app segment of the URL.
    pub app: String,
    /// The `/identity/<x>` segment, when there is one.
    pub identity: Option<String>,
}

/// How an attach ended, as `OnConnected` tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionState {
    /// A session that was alive was joined.
    Attached,
    /// A new session was made.
    Created,
}
