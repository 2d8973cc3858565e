//! The numbers of the talk among replicas.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The numbers, and whether the last look at the stream went well.
#[derive(Debug)]
pub(super) struct Meters {
    connected: Gauge,
    read: Gauge,
    waiting: Gauge,
    heard: Counter,
    strange: Counter,
    well: AtomicBool,
}

impl Meters {
    /// Makes the numbers and hangs them into a registry.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let meters = Self {
            connected: Gauge::default(),
            read: Gauge::default(),
            waiting: Gauge::default(),
            heard: Counter::default(),
            strange: Counter::default(),
            well: AtomicBool::new(true),
        };
        let connected = "Whether the replicas' Redis answered last time (0 or 1)";
        registry.register("replicas_connected", connected, meters.connected.clone());
        let read = "When the replicas' logouts were last read, since 1970";
        let (name, unit) = ("replicas_read", Unit::Seconds);
        registry.register_with_unit(name, read, unit, meters.read.clone());
        let waiting =
            "What the other replicas are not told yet: logouts, and what operators closed";
        registry.register("replicas_waiting", waiting, meters.waiting.clone());
        let heard = "Logouts read from the replicas' stream, this replica's own among them";
        registry.register("replicas_logouts", heard, meters.heard.clone());
        let strange = "Entries of the replicas' stream that no replica sealed";
        registry.register("replicas_strange", strange, meters.strange.clone());
        meters
    }

    /// The stream was looked at, in vain or not; says whether that is news.
    pub(super) fn looked(&self, well: bool, now: Duration) -> bool {
        self.connected.set(i64::from(well));
        if well {
            self.read.set(now.as_secs().try_into().unwrap_or(i64::MAX));
        }
        self.well.swap(well, Ordering::Relaxed) != well
    }

    /// This many wait to be told.
    pub(super) fn waiting(&self, logouts: usize) {
        self.waiting.set(logouts.try_into().unwrap_or(i64::MAX));
    }

    /// A logout was read.
    pub(super) fn heard(&self) {
        self.heard.inc();
    }

    /// An entry was read that is no replica's; says how many were before it.
    pub(super) fn strange(&self) -> u64 {
        self.strange.inc()
    }
}
