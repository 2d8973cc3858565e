//! What is kept of one identity: its token, the fetch under way, the last failure.
//!
//! Pure: the time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

use super::Credential;
use super::error::CredentialError;
use super::shelf::{Flight, Purpose};

/// How long after a forced fetch the next one of the same identity waits.
const FORCED_PAUSE: Duration = Duration::from_mins(1);

/// What is kept of one identity.
#[derive(Default)]
pub(super) struct Place {
    kept: Option<Kept>,
    flight: Option<Flight>,
    failure: Option<Failure>,
    forced: Option<Instant>,
    promised: Option<Instant>,
    used: Option<Instant>,
}

impl Place {
    /// Somebody asks.
    pub(super) fn touch(&mut self, now: Instant) {
        self.used = Some(now);
    }

    /// When somebody last asked.
    pub(super) fn used(&self) -> Option<Instant> {
        self.used
    }

    /// The token, while it lives.
    pub(super) fn kept(&self, now: Instant) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| now < kept.expires)
    }

    /// Forgets the token.
    pub(super) fn drop_kept(&mut self) {
        self.kept = None;
    }

    /// The fetch under way; one whose task is gone is none.
    pub(super) fn flight(&self) -> Option<Flight> {
        self.flight.clone().filter(|flight| !flight.is_closed())
    }

    /// The failure that still stands for an answer.
    pub(super) fn held(&self, now: Instant) -> Option<CredentialError> {
        let failure = self.failure.as_ref()?;
        (now < failure.until).then(|| failure.error.clone())
    }

    /// Whether a fetch was forced just now.
    pub(super) fn was_forced(&self, now: Instant) -> bool {
        let until = self.forced.map(|forced| forced + FORCED_PAUSE);
        until.is_some_and(|until| now < until)
    }

    /// Whether forgetting it all would cost somebody something.
    pub(super) fn is_of_use(&self, now: Instant) -> bool {
        self.flight().is_some()
            || self.kept(now).is_some()
            || self.held(now).is_some()
            || self.was_forced(now)
    }

    /// When somebody who was sent away may come again.
    pub(super) fn promised(&self, now: Instant) -> Option<Instant> {
        self.promised.filter(|promised| now < *promised)
    }

    /// Somebody is sent away until then.
    pub(super) fn promise(&mut self, promised: Instant) {
        self.promised = Some(promised);
    }

    /// They got a turn.
    pub(super) fn fulfil(&mut self) {
        self.promised = None;
    }

    /// A fetch starts at its turn.
    pub(super) fn take_off(&mut self, purpose: Purpose, turn: Instant, flight: Flight) {
        self.flight = Some(flight);
        if purpose == Purpose::Renewal {
            self.forced = Some(turn);
        }
    }

    /// The fetch brought a token, good for `life` from the moment it was asked for; `number` tells
    /// it from others.
    pub(super) fn keep(
        &mut self,
        credential: Credential,
        asked: Instant,
        life: Duration,
        number: u64,
    ) {
        self.flight = None;
        self.failure = None;
        self.kept = Some(Kept {
            credential,
            fresh_until: asked + youth(life, number),
            expires: asked + life,
        });
    }

    /// The fetch brought nothing, and nobody is to blame at this place alone.
    pub(super) fn give_up(&mut self) {
        self.flight = None;
    }

    /// The fetch failed.
    pub(super) fn fail(&mut self, error: CredentialError, pauses: Pauses, now: Instant) {
        self.flight = None;
        let strikes = self.failure.as_ref().map_or(0, |failure| failure.strikes);
        self.failure = Some(Failure {
            error,
            strikes: strikes.saturating_add(1),
            until: now + pauses.after(strikes),
        });
    }
}

/// A token and its times.
pub(super) struct Kept {
    /// It.
    pub(super) credential: Credential,
    fresh_until: Instant,
    expires: Instant,
}

impl Kept {
    /// How long it lives still, once it is time to fetch the next one.
    pub(super) fn left_when_stale(&self, now: Instant) -> Option<Duration> {
        (self.fresh_until <= now).then(|| self.expires.saturating_duration_since(now))
    }
}

/// How long a token is fresh: 70 to 80 % of its life, spread, so that those who came together do
/// not all come back together.
fn youth(life: Duration, number: u64) -> Duration {
    // A multiplier without pattern (Knuth, TAOCP 6.4) and its upper bits: 0 to 1023.
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
    let share = 8192 - u32::try_from(spread).unwrap_or(0);
    life / 10240 * share
}

/// How long to wait after failures in a row: doubling from the first to the longest.
#[derive(Clone, Copy)]
pub(super) struct Pauses {
    first: Duration,
    longest: Duration,
}

impl Pauses {
    /// After failures that may pass.
    pub(super) const PASSING: Self = Self {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(30),
    };

    /// After refusals for good.
    pub(super) const FINAL: Self = Self {
        first: Duration::from_secs(10),
        longest: Duration::from_mins(1),
    };

    pub(super) fn after(self, strikes: u32) -> Duration {
        let times = 2_u32.saturating_pow(strikes);
        self.first.saturating_mul(times).min(self.longest)
    }
}

struct Failure {
    error: CredentialError,
    strikes: u32,
    until: Instant,
}
