//! Ways to load a proxy: call after call, at a pace, once on every line, or upgrade after upgrade.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;

use crate::rig::{LineId, Rig, Trust, What};

/// How many lines are opened at once.
const AT_ONCE: usize = 64;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a wait for an event is, at the most.
const TURN: Duration = Duration::from_millis(20);

/// What the CPU time of what is loaded can be read from, in nanoseconds.
pub(crate) type Meter<'a> = dyn Fn() -> anyhow::Result<u64> + 'a;

/// Where to knock, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    /// The door.
    pub(crate) address: SocketAddr,
    /// Its TLS, if it speaks it.
    pub(crate) trust: Option<Trust>,
    /// Whole upgrade requests, taken in turn.
    pub(crate) requests: Arc<[Bytes]>,
}

/// What a load saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What the meter rose by.
    pub(crate) cost: u64,
    /// How long it took.
    pub(crate) span: Duration,
    /// How long each answer took.
    pub(crate) times: Vec<Duration>,
}

/// How a load is applied.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// The call, as a masked frame.
    pub(crate) call: Bytes,
    /// How long before it counts.
    pub(crate) warm_up: Duration,
    /// How long it counts.
    pub(crate) span: Duration,
}

/// Open lines through one door.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    rig: &'a mut Rig,
    lines: Vec<LineId>,
    /// Lines that wait for nothing, the longest idle first.
    idle: VecDeque<LineId>,
    happened: Vec<(LineId, What)>,
}

impl<'a> Crowd<'a> {
    /// Opens lines.
    pub(crate) fn open(rig: &'a mut Rig, aim: &Aim, count: usize) -> anyhow::Result<Self> {
        let mut crowd = Self {
            rig,
            lines: Vec::new(),
            idle: VecDeque::new(),
            happened: Vec::new(),
        };
        let deadline = Instant::now() + PATIENCE;
        while crowd.idle.len() < count {
            while crowd.lines.len() < count && crowd.lines.len() - crowd.idle.len() < AT_ONCE {
                let request = aim.requests[crowd.lines.len() % aim.requests.len()].clone();
                let line = crowd.rig.open(aim.address, aim.trust.as_ref(), request)?;
                crowd.lines.push(line);
            }
            crowd.turn(TURN, &mut |_| {})?;
            ensure!(Instant::now() < deadline, "{count} lines do not open");
        }
        Ok(crowd)
    }

    /// Calls again as soon as an answer has come, on `outstanding` lines at once and on all in turn.
    pub(crate) fn drive(
        &mut self,
        course: &Course,
        outstanding: usize,
        meter: &Meter<'_>,
    ) -> anyhow::Result<Seen> {
        let frame = &course.call;
        for _ in 0..outstanding.min(self.idle.len()) {
            self.call_next(frame, Instant::now())?;
        }
        self.repeat(frame, course.warm_up)?;
        let (cost, began) = (meter()?, Instant::now());
        let times = self.repeat(frame, course.span)?;
        let seen = Seen {
            cost: meter()? - cost,
            span: began.elapsed(),
            times,
        };
        self.settle()?;
        Ok(seen)
    }

    /// Calls at a pace, come what may; times count from when a call was due.
    pub(crate) fn pace(
        &mut self,
        course: &Course,
        every: Duration,
        meter: &Meter<'_>,
    ) -> anyhow::Result<Seen> {
        let frame = &course.call;
        let mut times = Vec::new();
        let began = Instant::now();
        let mut due = began;
        let mut counted = None;
        while began.elapsed() < course.warm_up + course.span {
            if counted.is_none() && began.elapsed() >= course.warm_up {
                times.clear();
                counted = Some((meter()?, Instant::now()));
            }
            while due <= Instant::now() && !self.idle.is_empty() {
                self.call_next(frame, due)?;
                due += every;
            }
            self.turn(Duration::ZERO, &mut |time| times.push(time))?;
        }
        let (cost, since) = counted.context("a pace without a span")?;
        let seen = Seen {
            cost: meter()? - cost,
            span: since.elapsed(),
            times,
        };
        self.settle()?;
        Ok(seen)
    }

    /// Calls once on every line.
    pub(crate) fn call_each(&mut self, frame: &Bytes, outstanding: usize) -> anyhow::Result<Seen> {
        let began = Instant::now();
        let mut times = Vec::with_capacity(self.lines.len());
        let mut asked = 0;
        while times.len() < self.lines.len() {
            while asked < self.lines.len() && asked - times.len() < outstanding {
                self.call_next(frame, Instant::now())?;
                asked += 1;
            }
            self.turn(TURN, &mut |time| times.push(time))?;
            ensure!(began.elapsed() < 4 * PATIENCE, "answers do not come");
        }
        let span = began.elapsed();
        Ok(Seen {
            cost: 0,
            span,
            times,
        })
    }

    /// Closes every line, and waits until whoever is loaded has closed those to the answerer, too:
    /// that is work, and would be taken for what comes next.
    pub(crate) fn leave(mut self) -> anyhow::Result<()> {
        for line in self.lines.drain(..) {
            self.rig.close(line);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.rig.answering() > 0 {
            self.turn(TURN, &mut |_| {})?;
            ensure!(Instant::now() < deadline, "lines stay open to the engine");
        }
        Ok(())
    }

    /// Says nothing for a while, but answers pings.
    pub(crate) fn rest(&mut self, span: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.turn(TURN, &mut |_| {})?;
        }
        Ok(())
    }

    fn repeat(&mut self, frame: &Bytes, span: Duration) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        let until = Instant::now() + span;
        while Instant::now() < until {
            let before = times.len();
            self.turn(TURN, &mut |time| times.push(time))?;
            let now = Instant::now();
            for _ in before..times.len() {
                self.call_next(frame, now)?;
            }
        }
        Ok(times)
    }

    /// Waits for the answers that are still owed.
    fn settle(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.idle.len() < self.lines.len() {
            self.turn(TURN, &mut |_| {})?;
            ensure!(Instant::now() < deadline, "answers do not come");
        }
        Ok(())
    }

    fn call_next(&mut self, frame: &Bytes, since: Instant) -> anyhow::Result<()> {
        let line = self.idle.pop_front().context("no line is idle")?;
        self.rig.call(line, frame.clone(), since)
    }

    fn turn(
        &mut self,
        patience: Duration,
        answered: &mut dyn FnMut(Duration),
    ) -> anyhow::Result<()> {
        self.rig.turn(patience, &mut self.happened)?;
        for (line, what) in &self.happened {
            match what {
                What::Opened => self.idle.push_back(*line),
                What::Answered(time) => {
                    self.idle.push_back(*line);
                    answered(*time);
                }
                What::Lost => bail!("a line was lost: {}", self.rig.trouble()),
            }
        }
        Ok(())
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        for line in &self.lines {
            self.rig.close(*line);
        }
    }
}

/// Upgrades again and again, `at_once` at a time; each websocket is closed as soon as it is open.
pub(crate) fn upgrade(
    rig: &mut Rig,
    aim: &Aim,
    at_once: usize,
    course: &Course,
    meter: &Meter<'_>,
) -> anyhow::Result<Seen> {
    let mut knocking: Vec<(LineId, Instant)> = Vec::new();
    let (mut happened, mut turn) = (Vec::new(), 0);
    let mut times = Vec::new();
    let began = Instant::now();
    let mut counted = None;
    while began.elapsed() < course.warm_up + course.span {
        if counted.is_none() && began.elapsed() >= course.warm_up {
            times.clear();
            counted = Some((meter()?, Instant::now()));
        }
        while knocking.len() < at_once {
            let request = aim.requests[turn % aim.requests.len()].clone();
            turn += 1;
            let now = Instant::now();
            knocking.push((rig.open(aim.address, aim.trust.as_ref(), request)?, now));
        }
        rig.turn(TURN, &mut happened)?;
        for (line, what) in &happened {
            ensure!(
                *what == What::Opened,
                "an upgrade failed: {}",
                rig.trouble()
            );
            let place = knocking.iter().position(|(knock, _)| knock == line);
            let (line, since) = knocking.swap_remove(place.context("an unknown line")?);
            times.push(since.elapsed());
            rig.close(line);
        }
    }
    let (cost, since) = counted.context("a course without a span")?;
    for (line, _) in knocking {
        rig.close(line);
    }
    Ok(Seen {
        cost: meter()? - cost,
        span: since.elapsed(),
        times,
    })
}

/// Two sorted-out figures of many: the median and the 99th in a hundred, in microseconds.
pub(crate) fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: usize| {
        let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
        times
            .get(place)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    (at(50), at(99))
}
