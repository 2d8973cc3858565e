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
}

impl Health {
    /// Well, until an answer says otherwise.
    pub(in crate::session) fn new(route: &RouteName, what: &'static str) -> Self {
        Self {
            route: route.clone(),
            what,
            failing: AtomicBool::new(false),
        }
    }

    /// Whether it has answered last.
    pub(in crate::session) fn is_well(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
    }

    /// Learns from an answer.
    pub(in crate::session) fn learn<T>(&self, answer: &Result<T, SessionError>) {
        let outage = match answer {
            Err(SessionError::Down { outage, .. }) => Some(outage),
            _ => None,
        };
        let was_failing = self.failing.swap(outage.is_some(), Ordering::Relaxed);
        match outage {
            Some(outage) if !was_failing => {
                tracing::warn!(route = %self.route, %outage, "{} fails", self.what);
            }
            None if was_failing => {
                tracing::info!(route = %self.route, "{} answers again", self.what);
            }
            _ => {}
        }
    }
}
