//! Whether a source is well: said once when it fails, and once when it is well again.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::error::SessionError;
use crate::id::RouteName;

/// How a source does, as its answers tell.
#[derive(Debug)]
pub(in crate::session) struct Health {
    route: RouteName,
    what: &'static str,
    failing: AtomicBool,
    cutting: AtomicBool,
    puzzled: AtomicBool,
}

impl Health {
    /// Well, until an answer says otherwise.
    pub(in crate::session) fn new(route: &RouteName, what: &'static str) -> Self {
        Self {
            route: route.clone(),
            what,
            failing: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
            puzzled: AtomicBool::new(false),
        }
    }

    /// Whether it has answered last.
    pub(in crate::session) fn is_well(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
    }

    /// Learns from an answer. One that cannot be used because of what it says of one session is an
    /// answer all the same.
    pub(in crate::session) fn learn<T>(&self, answer: &Result<T, SessionError>) {
        match answer {
            Err(SessionError::Down { outage, .. }) if outage.is_of_one_session() => {
                if !self.puzzled.swap(true, Ordering::Relaxed) {
                    tracing::warn!(route = %self.route, %outage, "what {} says of a session cannot be used; said once", self.what);
                }
                self.recover();
            }
            Err(SessionError::Down { outage, .. }) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(route = %self.route, %outage, "{} fails", self.what);
                }
            }
            _ => self.recover(),
        }
    }

    /// Open sockets are closed because it has failed for so long.
    pub(in crate::session) fn report_cut(&self) {
        if !self.cutting.swap(true, Ordering::Relaxed) {
            tracing::warn!(route = %self.route, "{} has failed for longer than `grace`: open sockets are closed with 4211", self.what);
        }
    }

    fn recover(&self) {
        self.cutting.store(false, Ordering::Relaxed);
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(route = %self.route, "{} answers again", self.what);
        }
    }
}
