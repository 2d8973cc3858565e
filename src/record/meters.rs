//! The numbers of the whole process. Every label comes from a closed set: ours, or the config's.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::ended::Ended;
use crate::fault::Fault;
use crate::id::RouteName;
use crate::policy::DenyReason;

/// The way a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Engine → client.
    Down,
    /// Client → engine.
    Up,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfRoute {
    route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfEnd {
    route: String,
    reason: &'static str,
    side: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfNotice {
    notice: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfReason {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfWay {
    direction: &'static str,
}

/// The numbers of the whole process.
#[derive(Debug)]
pub struct Meters {
    open: Family<OfRoute, Gauge>,
    opened: Family<OfRoute, Counter>,
    ended: Family<OfEnd, Counter>,
    refused: Family<OfReason, Counter>,
    denied: Family<OfReason, Counter>,
    notices: Family<OfNotice, Counter>,
    up: Traffic,
    down: Traffic,
    gate: Histogram,
    dial: Histogram,
}

/// Counters of one way, taken out of their families once, because every message counts.
#[derive(Clone, Debug)]
struct Traffic {
    messages: Counter,
    bytes: Counter,
}

impl Meters {
    /// Makes the numbers and hangs them into a registry.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let (messages, bytes) = (Family::default(), Family::default());
        let traffic = |direction| Traffic {
            messages: Counter::clone(&messages.get_or_create(&OfWay { direction })),
            bytes: Counter::clone(&bytes.get_or_create(&OfWay { direction })),
        };
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let meters = Self {
            open: Family::default(),
            opened: Family::default(),
            ended: Family::default(),
            refused: Family::default(),
            denied: Family::default(),
            notices: Family::default(),
            up: traffic("up"),
            down: traffic("down"),
            gate: seconds(),
            dial: seconds(),
        };
        registry.register("messages", "Messages relayed", messages);
        registry.register_with_unit("relayed", "Bytes relayed", Unit::Bytes, bytes);
        meters.register(registry);
        meters
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("sockets_open", "Sockets being relayed", self.open.clone());
        registry.register("sockets_opened", "Sockets opened", self.opened.clone());
        let ended = "Sockets ended, by reason and side";
        registry.register("sockets_ended", ended, self.ended.clone());
        registry.register(
            "refused",
            "Requests refused, by reason",
            self.refused.clone(),
        );
        registry.register(
            "denied_calls",
            "Calls answered by the proxy",
            self.denied.clone(),
        );
        registry.register(
            "notices",
            "Notices of Qlik's proxy service on Windows",
            self.notices.clone(),
        );
        let gate = "From the request to the 101, or to the refusal";
        registry.register_with_unit("gate", gate, Unit::Seconds, self.gate.clone());
        let dial = "From the first packet to the engine to its 101";
        registry.register_with_unit("dial", dial, Unit::Seconds, self.dial.clone());
    }

    pub(super) fn opened(&self, route: &RouteName) {
        let label = OfRoute {
            route: route.to_string(),
        };
        self.open.get_or_create(&label).inc();
        self.opened.get_or_create(&label).inc();
    }

    pub(super) fn ended(&self, route: &RouteName, ended: Ended) {
        let label = OfRoute {
            route: route.to_string(),
        };
        self.open.get_or_create(&label).dec();
        let (reason, side) = (ended.cause.label(), ended.cause.side().label());
        self.ended
            .get_or_create(&OfEnd {
                route: route.to_string(),
                reason,
                side,
            })
            .inc();
    }

    pub(super) fn moved(&self, way: Way, messages: u64, bytes: u64) {
        let traffic = match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        };
        traffic.messages.inc_by(messages);
        traffic.bytes.inc_by(bytes);
    }

    pub(super) fn denied(&self, reason: DenyReason) {
        self.denied
            .get_or_create(&OfReason {
                reason: reason.label(),
            })
            .inc();
    }

    pub(super) fn noticed(&self, notice: &'static str) {
        self.notices.get_or_create(&OfNotice { notice }).inc();
    }

    /// Counts a refusal.
    pub fn refused(&self, fault: Fault) {
        self.refused
            .get_or_create(&OfReason {
                reason: fault.answer().label,
            })
            .inc();
    }

    /// Times the gate.
    pub fn gate_took(&self, duration: Duration) {
        self.gate.observe(duration.as_secs_f64());
    }

    /// Times a dial.
    pub fn dial_took(&self, duration: Duration) {
        self.dial.observe(duration.as_secs_f64());
    }
}
