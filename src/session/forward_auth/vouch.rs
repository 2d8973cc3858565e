//! A yes of the app that is in force, shared by every socket of the same browser.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::moment::Moment;
use super::super::{Session, Standing};
use super::answer::Answer;
use crate::person::Person;

/// A yes that is in force.
#[derive(Debug)]
pub(super) struct Vouch {
    standing: watch::Sender<Standing>,
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    person: Person,
    expires: Option<f64>,
    confirmed: Instant,
    asked: Instant,
    failing: Option<Instant>,
}

impl Vouch {
    /// Puts a yes into force.
    pub(super) fn new(answer: Answer) -> Self {
        let now = Instant::now();
        let (standing, _) = watch::channel(valid(answer.expires));
        Self {
            standing,
            record: Mutex::new(Record {
                person: answer.person,
                expires: answer.expires,
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
            app: None,
        }
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

    /// When the app is to be asked again.
    pub(super) fn due(&self, recheck: Duration) -> Instant {
        self.record().asked + recheck
    }

    /// When the grace of a failing endpoint is over, while it fails.
    pub(super) fn deadline(&self, grace: Duration) -> Option<Instant> {
        self.record().failing.map(|since| since + grace)
    }

    /// Whether it is over, whatever the app says from now on.
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
        let moved = record.expires != answer.expires;
        record.person = answer.person.clone();
        record.expires = answer.expires;
        record.confirmed = now;
        record.asked = now;
        record.failing = None;
        drop(record);
        if moved {
            self.stand(valid(answer.expires));
        }
        !self.is_over()
    }

    /// Notes that the app could not be asked since `began`; it is over when the grace is.
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

fn valid(expires: Option<f64>) -> Standing {
    let until = expires.map(|unix| Moment::now().until(unix));
    Standing::Valid { until }
}
