//! What every stand-in can be asked and told, whichever Qlik it stands in for.

use std::sync::Arc;

use super::{
    ledger::{Seen, State},
    script::Script,
    shared::Shared,
};

/// A stand-in that listens. Dropping it stops it.
pub struct StandIn(Arc<Shared>);

impl StandIn {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Every request seen outside `/__sim`, in order, with the messages of the websockets.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.0.ledger.requests()
    }

    /// The methods called on the engine, in order, over all websockets.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.0.ledger.calls()
    }

    /// The methods that the engine did not know.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        self.0.ledger.unknown()
    }

    /// Every secret configured, seen or made, and every canary put where no browser may see it.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.0.vault.secrets()
    }

    /// The counters as they are now.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.ledger.state()
    }

    /// Waits until the counters satisfy `reached`, and returns them.
    pub async fn until(&self, reached: impl FnMut(&State) -> bool) -> State {
        self.0.ledger.until(reached).await
    }

    /// The websockets open now.
    #[must_use]
    pub fn sockets_open(&self) -> usize {
        self.state().sockets_open
    }

    /// Queues a fault, or applies it at once when it is for the live sockets. `Script::Token` is
    /// for the next request for a credential, whatever it is called here.
    pub fn script(&self, script: Script) {
        self.0.obey(script);
    }

    /// Lets one answer go that is held, or the next that would be.
    pub fn release(&self) {
        self.0.release.notify_one();
    }

    /// Stops listening, closes every socket with 1001 and waits until all is over.
    pub(crate) async fn halt(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}
