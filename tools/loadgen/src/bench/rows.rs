//! The rows of the report: what is asked of every contender, and what ours may cost.

use std::time::Duration;

use super::proxies::{Legs, Make};
use crate::rig::Size;

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) task: Task,
    pub(super) legs: Legs,
    pub(super) route: Route,
    pub(super) bar: Bar,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Task {
    /// CPU time a message, calls answered by this size.
    Relay(Size),
    /// CPU time an upgrade.
    Upgrade,
    /// A percentile of the time an answer takes, at a moderate pace.
    Pace(Percentile),
    /// Resident memory a connection that is idle.
    Idle,
    /// The same, after an answer of 1 MiB on every connection.
    AfterBurst,
    /// CPU time a message with thousands of sockets open, as a multiple of that with ten.
    Crowd,
    /// Time a round trip takes of two cores that proxy and load share.
    TwoCores(Size),
    /// How many threads of the proxy did that; no row of its own.
    AtWork(Size),
}

/// A percentile.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Percentile {
    Median,
    NinetyNinth,
}

/// The route of ours that is asked, and by whom.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Route {
    /// Everything passes unread.
    Any,
    /// The same; every socket is another person's, with a token and a session of their own.
    Strangers,
    /// Every call is read.
    Reading,
}

/// What ours must not exceed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bar {
    /// This much, in the row's unit.
    Amount(f64),
    /// What nginx differs from its twin.
    Noise,
    /// Nothing: it is shown.
    None,
    /// This ratio to the best peer.
    Ratio(f64),
}

impl Row {
    /// Its name, by which it can be picked.
    pub(super) fn name(&self) -> String {
        let legs = self.legs.label();
        let (route, whose) = match self.route {
            Route::Any => ("any", ""),
            Route::Strangers => ("any", ", a token each"),
            Route::Reading => ("reading", ""),
        };
        match self.task {
            Task::Relay(Size::Small) => format!("{legs} 200 B, {route} route"),
            Task::Relay(Size::Large) => format!("{legs} 64 KiB answers"),
            Task::Relay(Size::Huge) => format!("{legs} 1 MiB answers"),
            Task::Upgrade => format!("{legs} upgrade"),
            Task::Pace(Percentile::Median) => format!("{legs} paced, p50"),
            Task::Pace(Percentile::NinetyNinth) => format!("{legs} paced, p99"),
            Task::Idle => format!("{legs} memory, idle{whose}"),
            Task::AfterBurst => format!("{legs} memory, idle after a burst{whose}"),
            Task::Crowd => format!("{legs} cost among many to among ten"),
            Task::TwoCores(Size::Small) => format!("{legs} two cores, 200 B"),
            Task::TwoCores(_) => format!("{legs} two cores, 64 KiB"),
            Task::AtWork(_) => format!("{legs} two cores, threads at work"),
        }
    }

    pub(super) const fn unit(&self) -> &'static str {
        match self.task {
            Task::Relay(Size::Small) => "us CPU a message",
            Task::Relay(_) => "us CPU an answer",
            Task::Upgrade => "us CPU an upgrade",
            Task::Pace(_) => "us",
            Task::Idle | Task::AfterBurst => "KiB a connection",
            Task::Crowd => "times",
            Task::TwoCores(_) => "us a round trip",
            Task::AtWork(_) => "threads",
        }
    }
}

/// Every row, in the order of the report.
pub(super) fn all() -> Vec<Row> {
    use Bar::{Amount, Noise, None, Ratio};
    use Legs::{Both, Plain, Tls};
    use Route::{Any, Reading, Strangers};
    let relay = |size, legs, route, bar| row(Task::Relay(size), legs, route, bar);
    let (small, large, huge) = (Size::Small, Size::Large, Size::Huge);
    let (median, last) = (Percentile::Median, Percentile::NinetyNinth);
    vec![
        relay(small, Plain, Reading, Ratio(1.10)),
        relay(small, Plain, Any, Ratio(1.06)),
        relay(small, Tls, Reading, Ratio(0.90)),
        relay(small, Tls, Any, Ratio(0.85)),
        relay(small, Both, Reading, Ratio(0.85)),
        relay(small, Both, Any, Ratio(0.78)),
        relay(large, Plain, Any, Ratio(0.8)),
        relay(large, Tls, Any, Ratio(0.7)),
        relay(large, Both, Any, Ratio(0.7)),
        relay(huge, Plain, Any, Ratio(0.95)),
        relay(huge, Tls, Any, Ratio(0.95)),
        relay(huge, Both, Any, Ratio(0.95)),
        row(Task::Upgrade, Tls, Any, Ratio(0.7)),
        row(Task::Idle, Plain, Any, Amount(3.0)),
        row(Task::Idle, Tls, Any, Amount(7.0)),
        row(Task::Idle, Both, Any, Amount(13.0)),
        row(Task::AfterBurst, Plain, Any, Amount(3.0)),
        row(Task::AfterBurst, Tls, Any, Amount(7.0)),
        row(Task::AfterBurst, Both, Any, Amount(13.0)),
        row(Task::Idle, Plain, Strangers, None),
        row(Task::AfterBurst, Plain, Strangers, None),
        row(Task::Pace(median), Plain, Any, None),
        row(Task::Pace(last), Plain, Any, Noise),
        row(Task::Pace(median), Tls, Any, None),
        row(Task::Pace(last), Tls, Any, Noise),
        row(Task::Crowd, Plain, Any, Ratio(1.10)),
        row(Task::TwoCores(small), Plain, Any, None),
        row(Task::TwoCores(small), Tls, Any, None),
        row(Task::TwoCores(large), Tls, Any, None),
    ]
}

const fn row(task: Task, legs: Legs, route: Route, bar: Bar) -> Row {
    Row {
        task,
        legs,
        route,
        bar,
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Contender {
    Nginx,
    /// nginx once more, to show what the machine adds by itself.
    NginxTwin,
    Haproxy,
    Envoy,
    Ours,
}

impl Contender {
    pub(super) const ALL: [Self; 5] = [
        Self::Nginx,
        Self::NginxTwin,
        Self::Haproxy,
        Self::Envoy,
        Self::Ours,
    ];
    pub(super) const PEERS: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Envoy];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxTwin => "nginx-twin",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Ours => "qix-proxy",
        }
    }

    pub(super) const fn make(self) -> Make {
        match self {
            Self::Nginx | Self::NginxTwin => Make::Nginx,
            Self::Haproxy => Make::Haproxy,
            Self::Envoy => Make::Envoy,
            Self::Ours => Make::Ours,
        }
    }

    /// The size of its buffers: its own default, or what large answers want.
    pub(super) const fn buffer(self, large: bool) -> u32 {
        match self {
            _ if large => 64 << 10,
            Self::Haproxy => 16 << 10,
            _ => 4 << 10,
        }
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) rounds: usize,
    /// How many of them a measurement of memory gets, at the most: each takes long.
    pub(super) memory_rounds: usize,
    pub(super) warm_up: Duration,
    pub(super) span: Duration,
    /// How many sockets a load of calls uses.
    pub(super) sockets: usize,
    /// How many sockets are many.
    pub(super) crowd: usize,
}

impl Plan {
    pub(super) fn rounds(&self, stage: Stage) -> usize {
        match stage {
            Stage::Short => self.rounds,
            Stage::TwoCores | Stage::Crowd => self.rounds.min(7),
            Stage::Memory => self.rounds.min(self.memory_rounds),
        }
    }
}

/// What has its rounds together, by proxies of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// What takes less than a second.
    Short,
    TwoCores,
    Crowd,
    /// Each proxy is started for it.
    Memory,
}

impl Stage {
    pub(super) const ALL: [Self; 4] = [Self::Short, Self::TwoCores, Self::Crowd, Self::Memory];

    /// How many cores a proxy gets.
    pub(super) const fn cores(self) -> u32 {
        match self {
            Self::TwoCores => 2,
            Self::Short | Self::Crowd | Self::Memory => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_can_be_picked_by_a_name_of_its_own() {
        let rows = all();
        let names: HashSet<String> = rows.iter().map(Row::name).collect();
        assert_eq!(names.len(), rows.len());
    }

    #[test]
    fn what_takes_long_gets_fewer_rounds_and_never_more_than_asked_for() {
        let plan = |rounds| Plan {
            rounds,
            memory_rounds: 3,
            warm_up: Duration::ZERO,
            span: Duration::ZERO,
            sockets: 1,
            crowd: 1,
        };
        let rounds = |wanted| Stage::ALL.map(|stage| plan(wanted).rounds(stage));
        assert_eq!(rounds(15), [15, 7, 7, 3]);
        assert_eq!(rounds(2), [2, 2, 2, 2]);
    }

    #[test]
    fn a_bar_in_kib_is_on_memory_alone() {
        for row in all() {
            let is_memory = row.unit() == "KiB a connection";
            assert!(is_memory || !matches!(row.bar, Bar::Amount(_)), "{row:?}");
        }
    }
}
