//! What is kept of each identity, and what an asking for it leads to.
//!
//! Pure decisions: the time is a parameter, and nothing here waits. The keeper acts on them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Credential;
use super::alarm::{Alarm, News};
use super::error::{CredentialError, Trouble};
use super::keeper::Minted;
use super::lookup::Identity;
use super::outcome::Outcome;

/// How many identities are kept.
const ROOM: usize = 10_000;

/// How long after a forced fetch the next one of the same identity waits.
const FORCED_PAUSE: Duration = Duration::from_secs(10);

/// First and longest pause after failures that may pass.
const PASSING_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// First and longest pause after refusals for good.
const FINAL_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// Tells a token from all others of the process' life.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Generation(u64);

/// How a flight ends, for everybody who waits for it.
pub(super) type Landed = Result<Credential, CredentialError>;

/// A fetch under way; `None` until it has landed.
pub(super) type Flight = watch::Receiver<Option<Landed>>;

/// What an asking leads to.
pub(super) enum Step {
    /// Start this fetch and wait for it.
    Fetch(Takeoff),
    /// Wait for a fetch that is under way.
    Join(Flight),
    /// Start this fetch in the background and answer with what is kept.
    Refresh(Credential, Takeoff),
    /// Answer with an error.
    Refuse(CredentialError),
    /// Answer with what is kept.
    Serve(Credential),
}

/// A fetch to be started.
pub(super) struct Takeoff {
    /// Why it starts.
    pub(super) purpose: Purpose,
    /// Where its end is told.
    pub(super) tell: watch::Sender<Option<Landed>>,
}

/// Why a fetch starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// Somebody has none.
    First,
    /// The kept one grows old.
    Refresh,
    /// The engine refused the kept one.
    Renewal,
}

impl Purpose {
    fn outcome(self) -> Outcome {
        match self {
            Self::First => Outcome::Fetched,
            Self::Refresh => Outcome::Refreshed,
            Self::Renewal => Outcome::Renewed,
        }
    }
}

/// A fetch that has ended.
pub(super) struct Flown {
    pub(super) purpose: Purpose,
    /// When it started; a token's life counts from here.
    pub(super) asked: Instant,
    pub(super) minted: Result<Minted, CredentialError>,
}

/// How a fetch ended: for those who wait, for the counters, for the log.
pub(super) struct Landing {
    pub(super) landed: Landed,
    pub(super) outcome: Outcome,
    pub(super) news: News,
}

/// What is kept of every identity of one token endpoint.
#[derive(Default)]
pub(super) struct Shelf {
    places: HashMap<Identity, Place>,
    generation: u64,
    closed_until: Option<Instant>,
    alarm: Alarm,
}

impl Shelf {
    /// Somebody asks for a credential.
    pub(super) fn ask(&mut self, identity: &Identity, now: Instant) -> Step {
        let closed = self.closed(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        let (flight, held) = (place.flight(), closed.or_else(|| place.held(now)));
        match (place.valid(now), flight) {
            (Some(kept), None) if kept.fresh_until <= now && held.is_none() => {
                let credential = kept.credential.clone();
                Step::Refresh(credential, place.take_off(Purpose::Refresh))
            }
            (Some(kept), _) => Step::Serve(kept.credential.clone()),
            (None, Some(flight)) => Step::Join(flight),
            (None, None) => match held {
                Some(error) => Step::Refuse(error),
                None => Step::Fetch(place.take_off(Purpose::First)),
            },
        }
    }

    /// Somebody was given `refused`, and the engine said no to it.
    pub(super) fn renew(&mut self, identity: &Identity, refused: Generation, now: Instant) -> Step {
        let closed = self.closed(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        if let Some(kept) = place.valid(now)
            && kept.credential.generation != refused
        {
            return Step::Serve(kept.credential.clone());
        }
        if let Some(flight) = place.flight() {
            place.kept = None;
            return Step::Join(flight);
        }
        if place.was_forced(now) {
            // What is kept stays: dropping it would let the next asking fetch after all.
            let held = closed.or_else(|| place.held(now));
            return Step::Refuse(held.unwrap_or(CredentialError::RefusedAgain));
        }
        place.kept = None;
        if let Some(error) = closed.or_else(|| place.held(now)) {
            return Step::Refuse(error);
        }
        place.forced = Some(now);
        Step::Fetch(place.take_off(Purpose::Renewal))
    }

    /// A fetch has ended.
    pub(super) fn land(&mut self, identity: &Identity, flown: Flown, now: Instant) -> Landing {
        match flown.minted {
            Ok(minted) => Landing {
                landed: Ok(self.keep(identity, minted, flown.asked)),
                outcome: flown.purpose.outcome(),
                news: self.alarm.calm(),
            },
            Err(error) => Landing {
                outcome: self.note(identity, &error, now),
                news: self.alarm.raise(&error, now),
                landed: Err(error),
            },
        }
    }

    fn keep(&mut self, identity: &Identity, minted: Minted, asked: Instant) -> Credential {
        self.generation += 1;
        let credential = Credential {
            injection: minted.injection,
            generation: Generation(self.generation),
        };
        let place = self.places.entry(identity.clone()).or_default();
        place.flight = None;
        place.failure = None;
        place.kept = Some(Kept {
            credential: credential.clone(),
            fresh_until: asked + minted.life * 4 / 5,
            expires: asked + minted.life,
        });
        credential
    }

    fn note(&mut self, identity: &Identity, error: &CredentialError, now: Instant) -> Outcome {
        let place = self.places.entry(identity.clone()).or_default();
        place.flight = None;
        match error {
            CredentialError::Throttled { wait } => {
                self.closed_until = self.closed_until.max(Some(now + *wait));
                Outcome::Throttled
            }
            CredentialError::Down(_) => {
                place.fail(error, PASSING_PAUSE, now);
                Outcome::FailedPassing
            }
            _ => {
                place.fail(error, FINAL_PAUSE, now);
                Outcome::FailedFinal
            }
        }
    }

    /// Why nobody may ask the endpoint now, if so.
    fn closed(&self, now: Instant) -> Option<CredentialError> {
        let wait = self.closed_until?.duration_since(now);
        (!wait.is_zero()).then_some(CredentialError::Throttled { wait })
    }

    fn place(&mut self, identity: &Identity, now: Instant) -> Option<&mut Place> {
        if !self.places.contains_key(identity) {
            self.make_room(now);
            if self.places.len() >= ROOM {
                return None;
            }
        }
        let place = self.places.entry(identity.clone()).or_default();
        place.used = Some(now);
        Some(place)
    }

    /// Makes room for one more: clears what is of no use, and then the tenth that was idle
    /// longest, so that the search is paid for by many who come.
    fn make_room(&mut self, now: Instant) {
        if self.places.len() < ROOM {
            return;
        }
        self.places.retain(|_, place| place.is_of_use(now));
        if self.places.len() < ROOM {
            return;
        }
        let idle = self
            .places
            .values()
            .filter(|place| place.flight().is_none());
        let mut used: Vec<_> = idle.map(|place| place.used).collect();
        if used.is_empty() {
            return;
        }
        let tenth = used.len() / 10;
        let (_, &mut cut, _) = used.select_nth_unstable(tenth);
        self.places
            .retain(|_, place| place.used > cut || place.flight().is_some());
    }
}

/// What is kept of one identity.
#[derive(Default)]
struct Place {
    kept: Option<Kept>,
    flight: Option<Flight>,
    failure: Option<Failure>,
    forced: Option<Instant>,
    used: Option<Instant>,
}

impl Place {
    fn take_off(&mut self, purpose: Purpose) -> Takeoff {
        let (tell, flight) = watch::channel(None);
        self.flight = Some(flight);
        Takeoff { purpose, tell }
    }

    /// The fetch under way; one whose task is gone is none.
    fn flight(&self) -> Option<Flight> {
        self.flight.clone().filter(|flight| !flight.is_closed())
    }

    fn valid(&self, now: Instant) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| now < kept.expires)
    }

    /// The failure that still stands for an answer.
    fn held(&self, now: Instant) -> Option<CredentialError> {
        let failure = self
            .failure
            .as_ref()
            .filter(|failure| now < failure.until)?;
        Some(failure.error.clone())
    }

    fn was_forced(&self, now: Instant) -> bool {
        self.forced
            .is_some_and(|forced| now < forced + FORCED_PAUSE)
    }

    fn fail(&mut self, error: &CredentialError, pause: (Duration, Duration), now: Instant) {
        let (first, longest) = pause;
        let strikes = self.failure.as_ref().map_or(0, |failure| failure.strikes);
        let pause = first
            .saturating_mul(2_u32.saturating_pow(strikes))
            .min(longest);
        self.failure = Some(Failure {
            error: error.clone(),
            strikes: strikes.saturating_add(1),
            until: now + pause,
        });
    }

    fn is_of_use(&self, now: Instant) -> bool {
        self.flight().is_some()
            || self.valid(now).is_some()
            || self.held(now).is_some()
            || self.was_forced(now)
    }
}

struct Kept {
    credential: Credential,
    fresh_until: Instant,
    expires: Instant,
}

struct Failure {
    error: CredentialError,
    strikes: u32,
    until: Instant,
}

/// What those who waited get when a fetch ended without a word.
pub(super) fn broken_off() -> CredentialError {
    CredentialError::Down(Trouble::BrokenOff)
}
