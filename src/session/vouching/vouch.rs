//! A yes that is in force, shared by every socket that brings the same evidence.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::moment::Moment;
use super::super::{Activity, Session, Standing};
use super::Answer;
use crate::person::Person;

/// Ends that are no further apart than this are the same, in seconds.
const SAME: f64 = 0.2;

/// A yes that is in force.
#[derive(Debug)]
pub(super) struct Vouch {
    last_look: Duration,
    standing: watch::Sender<Standing>,
    activity: Activity,
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    person: Person,
    expires: Option<f64>,
    end: Option<Instant>,
    confirmed: Instant,
    asked: Instant,
    failing: Option<Instant>,
}

impl Vouch {
    /// Puts a yes into force; `last_look` is what its sessions are given beyond their end.
    pub(super) fn new(answer: Answer, last_look: Duration, activity: Activity) -> Self {
        let now = Instant::now();
        let end = end(answer.expires);
        let (standing, _) = watch::channel(valid(end, last_look));
        Self {
            last_look,
            standing,
            activity,
            record: Mutex::new(Record {
                person: answer.person,
                expires: answer.expires,
                end,
                confirmed: now,
                asked: now,
                failing: None,
            }),
        }
    }

    /// A session under this vouch.
    pub(super) fn session(&self) -> Session {
        Session {
            person: self.record().person.clone(),
            standing: self.standing.subscribe(),
            activity: self.activity.clone(),
            app: None,
        }
    }

    /// Whether somebody has been at work under it since this was last asked.
    pub(super) fn take_activity(&self) -> bool {
        self.activity.take()
    }

    /// Whether it is good for one more socket without asking.
    pub(super) fn is_fresh(&self, cache: Duration) -> bool {
        let valid = match *self.standing.borrow() {
            Standing::Ended => false,
            Standing::Valid { until } => until.is_none_or(|until| until > Instant::now()),
        };
        valid && self.fresh_until(cache) > Instant::now()
    }

    /// Until when it is good for further sockets.
    pub(super) fn fresh_until(&self, cache: Duration) -> Instant {
        self.record().confirmed + cache
    }

    /// Whether a socket is open under it.
    pub(super) fn is_used(&self) -> bool {
        self.standing.receiver_count() > 0
    }

    /// Waits until no socket is open under it.
    pub(super) async fn unused(&self) {
        self.standing.closed().await;
    }

    /// When the source is to be asked again.
    pub(super) fn due(&self, recheck: Duration) -> Instant {
        self.record().asked + recheck
    }

    /// When the grace of a failing source is over, while it fails.
    pub(super) fn deadline(&self, grace: Duration) -> Option<Instant> {
        self.record().failing.map(|since| since + grace)
    }

    /// When the session's end has come and nobody has asked since whether it moved on.
    pub(super) fn last_look(&self) -> Option<Instant> {
        let record = self.record();
        let end = record.end.filter(|_| !self.last_look.is_zero());
        end.filter(|end| *end > record.asked)
    }

    /// Whether it is over, whatever the source says from now on.
    pub(super) fn is_over(&self) -> bool {
        *self.standing.borrow() == Standing::Ended
    }

    /// Takes another yes; one for somebody else ends it. Whether it is still in force.
    pub(super) fn confirm(&self, answer: &Answer) -> bool {
        let mut record = self.record();
        if record.person.subject() != answer.person.subject() {
            drop(record);
            self.end();
            return false;
        }
        let now = Instant::now();
        let moved = has_moved(record.expires, answer.expires);
        record.person = answer.person.clone();
        if moved {
            record.expires = answer.expires;
            record.end = end(answer.expires);
        }
        let end = record.end;
        record.confirmed = now;
        record.asked = now;
        record.failing = None;
        drop(record);
        if moved {
            self.stand(valid(end, self.last_look));
        }
        !self.is_over()
    }

    /// Notes that the source could not be asked since `began`; it is over when the grace is.
    pub(super) fn miss(&self, began: Instant, grace: Duration) {
        let mut record = self.record();
        let now = Instant::now();
        record.asked = now;
        let since = *record.failing.get_or_insert(began);
        drop(record);
        if since + grace <= now {
            self.end();
        }
    }

    /// Ends every session under it, for good.
    pub(super) fn end(&self) {
        self.stand(Standing::Ended);
    }

    fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|now| {
            let moves = *now != Standing::Ended && *now != standing;
            if moves {
                *now = standing;
            }
            moves
        });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an end is another one; how long a store's answer was on its way makes none.
fn has_moved(from: Option<f64>, to: Option<f64>) -> bool {
    match (from, to) {
        (Some(from), Some(to)) => (to - from).abs() > SAME,
        (from, to) => from.is_some() != to.is_some(),
    }
}

fn end(expires: Option<f64>) -> Option<Instant> {
    expires.map(|unix| Moment::now().until(unix))
}

fn valid(end: Option<Instant>, last_look: Duration) -> Standing {
    let until = end.map(|end| end + last_look);
    Standing::Valid { until }
}
