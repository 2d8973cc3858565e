//! What all who ask in the name of one client share, whoever they ask for: the turns that were
//! given, how long the endpoint wants to be left alone, and how it fared lately.
//!
//! Nothing of a person's or a customer's is here. Pure decisions: the time is a parameter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::error::CredentialError;
use super::explain::Refusal;
use super::pace::{Pace, Turn};
use crate::config;

/// How the requests of one client follow each other.
#[derive(Debug)]
pub(super) struct Tempo {
    /// The longest wait for a turn.
    queue: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    closed: Option<Closed>,
    breaker: Breaker,
}

/// The endpoint asked to be left alone.
#[derive(Debug)]
struct Closed {
    refusal: Arc<Refusal>,
    until: Instant,
}

impl Tempo {
    pub(super) fn new(pace: config::Pace) -> Arc<Self> {
        Arc::new(Self {
            queue: pace.queue,
            state: Mutex::new(State {
                pace: Pace::new(pace),
                closed: None,
                breaker: Breaker::default(),
            }),
        })
    }

    /// The longest wait for a turn.
    pub(super) const fn queue(&self) -> Duration {
        self.queue
    }

    /// The next turn, unless it comes later than `patience`, the client's own included.
    pub(super) fn turn(&self, now: Instant, patience: Duration) -> Turn {
        self.state().pace.turn(now, patience)
    }

    /// When somebody who is sent away may come again.
    pub(super) fn promise(&self, now: Instant) -> Instant {
        self.state().pace.promise(now)
    }

    /// Why nobody may ask the endpoint now, if so.
    pub(super) fn grounded(&self, now: Instant) -> Option<CredentialError> {
        self.state().grounded(now)
    }

    /// Leave to ask the endpoint, or why not; where it failed in a row, nobody else gets leave
    /// meanwhile.
    pub(super) fn clear(&self, now: Instant) -> Result<(), CredentialError> {
        let mut state = self.state();
        if let Some(error) = state.grounded(now) {
            return Err(error);
        }
        state.breaker.attempt(now);
        Ok(())
    }

    /// Learns how an asking ended that was no success. What failed elsewhere says nothing of the
    /// endpoint.
    pub(super) fn learn(&self, error: &CredentialError, now: Instant) {
        match error {
            CredentialError::Throttled { refusal, wait } => self.heed(refusal, now + *wait),
            CredentialError::Down(..) => self.state().breaker.strike(error, now),
            CredentialError::Elsewhere(_) | CredentialError::Queued { .. } => {
                self.state().breaker.give_up();
            }
            _ => self.calm(),
        }
    }

    /// Nobody may ask the endpoint before `until`, nor before what was said earlier.
    pub(super) fn heed(&self, refusal: &Arc<Refusal>, until: Instant) {
        let refusal = Arc::clone(refusal);
        let mut state = self.state();
        let longer = state.closed.take().filter(|closed| closed.until > until);
        state.closed = longer.or(Some(Closed { refusal, until }));
    }

    /// The endpoint answered, whatever it said.
    pub(super) fn calm(&self) {
        self.state().breaker.calm();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn grounded(&self, now: Instant) -> Option<CredentialError> {
        self.closed(now).or_else(|| self.breaker.open(now))
    }

    fn closed(&self, now: Instant) -> Option<CredentialError> {
        let closed = self.closed.as_ref().filter(|closed| now < closed.until)?;
        Some(CredentialError::Throttled {
            refusal: Arc::clone(&closed.refusal),
            wait: closed.until - now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Trouble;
    use super::super::explain::At;
    use super::*;

    #[test]
    fn who_tries_and_fails_elsewhere_keeps_nobody_from_trying() {
        let pace = config::Pace {
            per_minute: 80,
            queue: Duration::ZERO,
        };
        let (tempo, start) = (Tempo::new(pace), Instant::now());
        let down = || CredentialError::Down(At::Token, Trouble::NotJson);
        for _ in 0..5 {
            tempo.clear(start).unwrap();
            tempo.learn(&down(), start);
        }
        assert!(tempo.grounded(start).is_some());
        let later = start + Duration::from_secs(1);
        let queued = CredentialError::Queued {
            wait: Duration::from_secs(1),
        };
        for error in [down().elsewhere(), queued] {
            tempo.clear(later).unwrap();
            assert!(tempo.grounded(later).is_some(), "one at a time");
            tempo.learn(&error, later);
            assert!(tempo.grounded(later).is_none(), "{error}");
        }
        tempo.clear(later).unwrap();
        tempo.learn(&down(), later);
        assert!(tempo.grounded(later).is_some(), "it fails in a row still");
    }
}
