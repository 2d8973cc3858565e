//! A socket's being there, from its first breath to its last.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{script::LiveFault, shared::Shared};

/// A socket that counts as open, and can be told faults.
pub(super) struct Presence {
    id: u64,
    pub(super) told: mpsc::UnboundedReceiver<LiveFault>,
    shared: Arc<Shared>,
}

impl Presence {
    pub(super) fn enter(shared: Arc<Shared>) -> Self {
        let (id, told) = shared.stage.join();
        shared.ledger.count(|state| {
            state.sockets_open += 1;
            state.sockets_opened += 1;
        });
        Self { id, told, shared }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.shared.stage.leave(self.id);
        self.shared.ledger.count(|state| state.sockets_open -= 1);
    }
}
