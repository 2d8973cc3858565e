//! What has moved on one socket so far; the registry reads along while the relay counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::meters::Way;

/// The counts of one socket.
#[derive(Debug, Default)]
pub struct Tally {
    up: Counts,
    down: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Bytes on the wire, frames' headers included.
    pub bytes: u64,
}

impl Tally {
    /// What went one way so far.
    #[must_use]
    pub fn read(&self, way: Way) -> Traffic {
        let counts = self.of(way);
        Traffic {
            messages: counts.messages.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn add(&self, way: Way, messages: u64, bytes: u64) {
        let counts = self.of(way);
        add(&counts.messages, messages);
        add(&counts.bytes, bytes);
    }

    const fn of(&self, way: Way) -> &Counts {
        match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        }
    }
}

/// The record alone writes, so that nobody needs to be kept out meanwhile.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}
