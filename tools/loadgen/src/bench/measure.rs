//! One measurement: a load on one proxy, and the figures it gives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::keys::{Keys, ORIGIN};
use super::meter::at_work;
use super::proxies::{Legs, Proxy};
use super::rows::{Contender, Percentile, Plan, Route, Row, Stage, Task};
use crate::load::{Aim, Course, Crowd, Seen, percentiles, upgrade};
use crate::rig::{KEY, Rig, Size};

/// The app that is opened.
const APP: &str = "11111111-2222-3333-4444-555555555555";
/// The moderate pace, in calls a second.
const PACE: u32 = 4000;
/// How many of many sockets call at once.
const FEW: usize = 10;
/// How many large answers may be on their way at once, and in a burst.
const LARGE_AT_ONCE: usize = 16;
const BURST_AT_ONCE: usize = 512;
/// How long memory gets to be given back.
const CALM: Duration = Duration::from_secs(3);

/// A load, which gives the figures of one row or of several.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Load {
    Crowd,
    Memory,
    Pace,
    Relay(Size),
    TwoCores(Size),
    Upgrade,
}

impl Load {
    /// The load behind a row.
    pub(super) const fn of(row: &Row) -> Self {
        match row.task {
            Task::Relay(size) => Self::Relay(size),
            Task::Upgrade => Self::Upgrade,
            Task::Pace(_) => Self::Pace,
            Task::Idle | Task::AfterBurst => Self::Memory,
            Task::Crowd => Self::Crowd,
            Task::TwoCores(size) | Task::AtWork(size) => Self::TwoCores(size),
        }
    }

    /// When it has its rounds.
    pub(super) const fn stage(self) -> Stage {
        match self {
            Self::Relay(_) | Self::Upgrade | Self::Pace => Stage::Short,
            Self::TwoCores(_) => Stage::TwoCores,
            Self::Crowd => Stage::Crowd,
            Self::Memory => Stage::Memory,
        }
    }

    /// Whether somebody takes part in a round. Memory takes long and differs little by the round: the
    /// bars are on our own, so that peers have one round of it, and nginx's twin has none.
    pub(super) fn has(self, contender: Contender, round: usize) -> bool {
        match (self, contender) {
            (Self::Memory, Contender::Ours) => true,
            (Self::Memory, Contender::NginxTwin) => false,
            (Self::Memory, _) => round == 1,
            _ => true,
        }
    }

    /// Whether peers get large buffers for it.
    pub(super) const fn is_large(self) -> bool {
        matches!(
            self,
            Self::Relay(Size::Large | Size::Huge) | Self::TwoCores(Size::Large | Size::Huge)
        )
    }
}

/// The requests of everybody, for each route.
pub(super) struct Requests(HashMap<(Route, bool), Arc<[Bytes]>>);

impl Requests {
    /// With requests of so many strangers.
    pub(super) fn new(keys: &Keys, strangers: usize) -> anyhow::Result<Self> {
        let strangers = keys.strangers(strangers)?;
        let mut all = HashMap::new();
        for (route, path, sessions) in [
            (Route::Any, "/any", &keys.sessions),
            (Route::Strangers, "/any", &strangers),
            (Route::Reading, "/reading", &keys.sessions),
        ] {
            for (is_both, suffix) in [(false, ""), (true, "-tls")] {
                let path = format!("{path}{suffix}/app/{APP}");
                let requests = sessions.iter().map(|session| request(&path, session));
                all.insert((route, is_both), requests.collect());
            }
        }
        Ok(Self(all))
    }

    fn of(&self, route: Route, legs: Legs) -> Arc<[Bytes]> {
        Arc::clone(&self.0[&(route, legs == Legs::Both)])
    }
}

fn request(path: &str, session: &str) -> Bytes {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: {ORIGIN}\r\n\
         User-Agent: qix-load\r\nCookie: session={session}\r\n\r\n"
    );
    request.into()
}

/// What a load is put on.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) legs: Legs,
    pub(super) route: Route,
}

/// The bench: the loop that loads, and what it sends.
pub(super) struct Stand {
    pub(super) rig: Rig,
    pub(super) keys_trust: crate::rig::Trust,
    pub(super) requests: Requests,
    pub(super) plan: Plan,
}

impl Stand {
    /// Puts a load on a proxy.
    pub(super) fn measure(
        &mut self,
        load: Load,
        target: Target<'_>,
    ) -> anyhow::Result<Vec<(Task, f64)>> {
        let figures = self.figures(load, target)?;
        target.proxy.meter.check()?;
        Ok(figures)
    }

    fn figures(&mut self, load: Load, target: Target<'_>) -> anyhow::Result<Vec<(Task, f64)>> {
        match load {
            Load::Relay(size) => {
                let seen = self.drive(target, size, self.lines(size))?;
                let messages = if size == Size::Small { 2 } else { 1 };
                Ok(vec![(Task::Relay(size), micros(&seen, messages))])
            }
            Load::TwoCores(size) => {
                let before = target.proxy.meter.threads();
                let seen = self.drive(target, size, self.lines(size))?;
                let threads = at_work(&before, &target.proxy.meter.threads());
                let each = seen.span.as_secs_f64() * 1e6 / seen.times.len() as f64;
                Ok(vec![
                    (Task::TwoCores(size), each),
                    (Task::AtWork(size), threads as f64),
                ])
            }
            Load::Upgrade => {
                let (aim, course) = (self.aim(target), self.course(Size::Small));
                let cpu = || target.proxy.meter.cpu();
                let seen = upgrade(&mut self.rig, &aim, 16, &course, &cpu)?;
                Ok(vec![(Task::Upgrade, micros(&seen, 1))])
            }
            Load::Pace => self.pace(target),
            Load::Memory => self.memory(target),
            Load::Crowd => self.crowd(target),
        }
    }

    fn drive(&mut self, target: Target<'_>, size: Size, lines: usize) -> anyhow::Result<Seen> {
        let (aim, course) = (self.aim(target), self.course(size));
        let cpu = || target.proxy.meter.cpu();
        Crowd::open(&mut self.rig, &aim, lines)?.drive(&course, lines, &cpu)
    }

    fn pace(&mut self, target: Target<'_>) -> anyhow::Result<Vec<(Task, f64)>> {
        let aim = self.aim(target);
        let course = Course {
            span: self.plan.span * 2,
            ..self.course(Size::Small)
        };
        let cpu = || target.proxy.meter.cpu();
        let mut crowd = Crowd::open(&mut self.rig, &aim, self.plan.sockets)?;
        let mut seen = crowd.pace(&course, Duration::from_secs(1) / PACE, &cpu)?;
        let (median, last) = percentiles(&mut seen.times);
        Ok(vec![
            (Task::Pace(Percentile::Median), median),
            (Task::Pace(Percentile::NinetyNinth), last),
        ])
    }

    /// Wants a proxy that has done nothing yet.
    fn memory(&mut self, target: Target<'_>) -> anyhow::Result<Vec<(Task, f64)>> {
        let (aim, many) = (self.aim(target), self.plan.crowd);
        let small = Size::Small.call_frame();
        Crowd::open(&mut self.rig, &aim, FEW)?.call_each(&small, FEW)?;
        let meter = &target.proxy.meter;
        let before = meter.resident()?;
        let mut crowd = Crowd::open(&mut self.rig, &aim, many)?;
        crowd.call_each(&small, FEW)?;
        crowd.rest(CALM)?;
        let idle = meter.resident()?;
        crowd.call_each(&Size::Huge.call_frame(), BURST_AT_ONCE)?;
        crowd.rest(CALM)?;
        let after = meter.resident()?;
        crowd.leave()?;
        let each = |now: u64| (now as f64 - before as f64) / many as f64;
        Ok(vec![
            (Task::Idle, each(idle)),
            (Task::AfterBurst, each(after)),
        ])
    }

    fn crowd(&mut self, target: Target<'_>) -> anyhow::Result<Vec<(Task, f64)>> {
        let (aim, course) = (self.aim(target), self.course(Size::Small));
        let cpu = || target.proxy.meter.cpu();
        let mut among = |lines| -> anyhow::Result<f64> {
            let mut crowd = Crowd::open(&mut self.rig, &aim, lines)?;
            let seen = crowd.drive(&course, FEW, &cpu)?;
            crowd.leave()?;
            Ok(micros(&seen, 2))
        };
        let before = among(FEW)?;
        let many = among(self.plan.crowd)?;
        let after = among(FEW)?;
        Ok(vec![(Task::Crowd, 2.0 * many / (before + after))])
    }

    fn aim(&self, target: Target<'_>) -> Aim {
        Aim {
            address: target.proxy.door(target.legs),
            trust: (target.legs != Legs::Plain).then(|| self.keys_trust.clone()),
            requests: self.requests.of(target.route, target.legs),
        }
    }

    fn course(&self, size: Size) -> Course {
        Course {
            call: size.call_frame(),
            warm_up: self.plan.warm_up,
            span: self.plan.span,
        }
    }

    fn lines(&self, size: Size) -> usize {
        match size {
            Size::Huge => LARGE_AT_ONCE,
            _ => self.plan.sockets,
        }
    }
}

/// What a load cost, in microseconds for each of `messages` an answer.
fn micros(seen: &Seen, messages: usize) -> f64 {
    seen.cost as f64 / 1000.0 / (seen.times.len() * messages) as f64
}
