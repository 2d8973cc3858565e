//! The numbers of the remembered logouts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers.
#[derive(Debug, Default)]
pub(super) struct Meters {
    remembered: Gauge,
    forgotten: Counter,
}

impl Meters {
    /// Makes the numbers and hangs them into a registry.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let remembered = "Logouts of issuers that are remembered";
        registry.register("logouts_remembered", remembered, meters.remembered.clone());
        let forgotten =
            "Logouts that were forgotten before their time, because there were too many";
        registry.register("logouts_forgotten", forgotten, meters.forgotten.clone());
        meters
    }

    /// So many are remembered.
    pub(super) fn remember(&self, logouts: usize) {
        self.remembered.set(logouts.try_into().unwrap_or(i64::MAX));
    }

    /// So many were forgotten before their time; says how many were before.
    pub(super) fn forget(&self, logouts: u64) -> u64 {
        self.forgotten.inc_by(logouts)
    }
}
