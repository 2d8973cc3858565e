//! The circuit breaker of one mint: after failures in a row, whoever they were for, only one asking
//! at a time tries it, ever more rarely, until one succeeds.
//!
//! Pure: the time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

use super::error::CredentialError;
use super::place::Pauses;

/// How many failures in a row open it.
const PATIENCE: u32 = 5;

/// How long the one that tries has for it.
const TRIAL: Duration = Duration::from_secs(30);

/// How a mint has fared lately.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    last: Option<CredentialError>,
    until: Option<Instant>,
    /// Until when the one who tries it has for it.
    trial: Option<Instant>,
}

impl Breaker {
    /// The mint answered, whatever it said.
    pub(super) fn calm(&mut self) {
        *self = Self::default();
    }

    /// The mint failed in a way that may pass.
    pub(super) fn strike(&mut self, error: &CredentialError, now: Instant) {
        let over = self.failures.checked_sub(PATIENCE - 1);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(error.clone());
        self.until = over.map(|over| now + Pauses::PASSING.after(over));
        self.trial = None;
    }

    /// Why nobody may try it now, if so.
    pub(super) fn open(&self, now: Instant) -> Option<CredentialError> {
        let until = self.until.max(self.trial);
        until.filter(|until| now < *until)?;
        self.last.clone()
    }

    /// Somebody tries it: where it was open, nobody else may meanwhile.
    pub(super) fn attempt(&mut self, now: Instant) {
        self.trial = self.until.map(|_| now + TRIAL);
    }

    /// Whoever tried it has not come to it: the next may.
    pub(super) fn give_up(&mut self) {
        self.trial = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Trouble;
    use super::super::explain::At;
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_try() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let down = CredentialError::Down(At::Token, Trouble::NotJson);
        for _ in 0..PATIENCE {
            assert!(breaker.open(start).is_none());
            breaker.attempt(start);
            breaker.strike(&down, start);
        }
        assert!(breaker.open(start).is_some());
        let later = start + Duration::from_secs(1);
        assert!(breaker.open(later).is_none());
        breaker.attempt(later);
        assert!(breaker.open(later).is_some(), "one at a time");
        breaker.strike(&down, later);
        assert!(breaker.open(later + Duration::from_millis(1999)).is_some());
        assert!(breaker.open(later + Duration::from_secs(2)).is_none());
        breaker.calm();
        assert!(breaker.open(later).is_none());
        breaker.strike(&down, later);
        assert!(breaker.open(later).is_none(), "one failure is no row");
    }
}
