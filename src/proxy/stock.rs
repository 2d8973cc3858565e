//! What is there for the whole life of a process, whatever its config says meanwhile.

use std::sync::Arc;

use tracing::warn;

use super::StartError;
use super::outgoing::Outgoing;
use crate::config::{Fixed, Route};
use crate::credential::Keepers;
use crate::gate::{Books, Gate, IdentityKey, Lanes};
use crate::route::Routes;
use crate::server::{House, Peers};
use crate::session::{Pseudonyms, TicketStore};

/// What is there for the whole life of a process.
pub(super) struct Stock {
    pub(super) identities: Arc<IdentityKey>,
    pub(super) pseudonyms: Pseudonyms,
    pub(super) keepers: Keepers,
    pub(super) tickets: Option<TicketStore>,
    pub(super) books: Books,
    pub(super) fixed: Fixed,
}

impl Stock {
    /// Gives every route its hands; what of `before` has not changed goes on.
    pub(super) fn lanes(
        &self,
        outgoing: &Outgoing,
        routes: Vec<Route>,
        before: &Lanes,
    ) -> Result<Arc<Lanes>, StartError> {
        let lanes = routes.into_iter().map(|route| {
            let name = route.name.clone();
            let before = before.get(&name).map(AsRef::as_ref);
            let lane = outgoing.lane(route, self, before)?;
            Ok((name, Arc::new(lane)))
        });
        lanes.collect::<Result<_, _>>().map(Arc::new)
    }

    /// Says what a new config changes in vain.
    pub(super) fn warn_of(&self, fixed: &Fixed) {
        for name in self.fixed.differing(fixed) {
            warn!(
                name,
                "this is taken at the start and has changed since; restart the proxy"
            );
        }
    }

    /// Puts the rooms together that every connection shares.
    pub(super) fn house(&self, lanes: Arc<Lanes>, peers: Peers) -> House {
        let routes = lanes.values().map(|lane| Arc::clone(&lane.route));
        House {
            routes: Routes::new(routes.collect()),
            live: Arc::clone(&self.books.live),
            meters: Arc::clone(&self.books.meters),
            gate: Gate::new(lanes, Arc::clone(&self.identities), self.books.clone()),
            peers,
        }
    }
}
