//! The rules that count now, and what they make of sockets that were let in under older ones.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Lane, lease, origin};
use crate::fault::Fault;
use crate::id::RouteName;
use crate::live::{Live, Socket};
use crate::person::Person;
use crate::record::Cause;

/// Every route with its hands.
pub type Lanes = HashMap<RouteName, Arc<Lane>>;

/// The rules that count now.
#[derive(Debug, Default)]
pub struct Law(RwLock<Arc<Lanes>>);

impl Law {
    /// Lets other rules count from now on, and ends the open sockets that they would not let in, or
    /// would lead elsewhere; says how many.
    pub fn enact(&self, lanes: &Arc<Lanes>, live: &Live) -> usize {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *now = Arc::clone(lanes);
        drop(now);
        live.judge(|socket| objection(lanes, socket, socket.person()))
    }

    /// The rules.
    #[must_use]
    pub fn lanes(&self) -> Arc<Lanes> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses whoever has taken a seat under rules that count no more, if those that do object.
    /// The seat comes first: either it is seen when rules are enacted, or they are seen here.
    pub(super) fn refuse_outlawed(&self, under: &Arc<Lanes>, socket: &Socket) -> Result<(), Fault> {
        let now = self.lanes();
        if Arc::ptr_eq(&now, under) {
            return Ok(());
        }
        match objection(&now, socket, socket.person()) {
            None => Ok(()),
            Some(Cause::Moved) => Err(Fault::Reloaded),
            Some(_) => Err(Fault::NotPermitted),
        }
    }
}

/// What rules have against a socket, were it this person's: that it may not be, or that it would be another.
pub(super) fn objection(lanes: &Lanes, socket: &Socket, person: &Person) -> Option<Cause> {
    let (opening, grounds) = (socket.opening(), socket.grounds());
    let admitted = lanes
        .get(&opening.route)
        .filter(|lane| origin::admits(&lane.route, grounds.origin.as_ref()));
    let admitted = admitted.and_then(|lane| Some((lane, lane.homes.of(person).ok()?)));
    let Some((lane, home)) = admitted else {
        return Some(Cause::Withdrawn);
    };
    let (app, target) = (grounds.app.as_ref(), grounds.permit.target());
    let Ok(permit) = lease(&home.access, person, app, target) else {
        return Some(Cause::Withdrawn);
    };
    let stays = home.customer == opening.customer
        && permit.covers(&grounds.permit)
        && home.basis(&lane.route) == grounds.basis;
    (!stays).then_some(Cause::Moved)
}
