//! Whether somebody is at work: a mark that a relay sets and that a session's watch takes away.
//!
//! It is there for the kinds that prolong a session in the app's stead, and costs the others one
//! comparison a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A mark that all sockets of a session share.
#[derive(Clone, Debug, Default)]
pub struct Activity(Option<Arc<AtomicBool>>);

impl Activity {
    /// A mark that somebody looks at.
    #[must_use]
    pub fn watched() -> Self {
        Self(Some(Arc::default()))
    }

    /// Notes that somebody is at work. It is read before it is written, so that many sockets of one
    /// session do not take the same memory from each other at every message.
    pub fn note(&self) {
        if let Some(mark) = &self.0
            && !mark.load(Ordering::Relaxed)
        {
            mark.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody has been at work since this was last asked.
    #[must_use]
    pub fn take(&self) -> bool {
        let mark = self.0.as_ref();
        mark.is_some_and(|mark| mark.swap(false, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_once_whoever_has_set_it() {
        let mark = Activity::watched();
        let sockets = [mark.clone(), mark.clone()];
        assert!(!mark.take());
        sockets.iter().for_each(Activity::note);
        assert!(mark.take());
        assert!(!mark.take());
        sockets[1].note();
        assert!(mark.take());
    }

    #[test]
    fn where_nobody_looks_nothing_is_marked() {
        let mark = Activity::default();
        mark.note();
        assert!(!mark.take());
    }
}
