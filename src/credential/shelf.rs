//! What is kept of each identity, and what an asking for it leads to.
//!
//! Pure decisions: the time is a parameter, and nothing here waits. The keeper acts on them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Credential;
use super::alarm::{Alarm, News};
use super::error::{CredentialError, Trouble};
use super::explain::Refusal;
use super::identity::Identity;
use super::mint::Minted;
use super::outcome::Outcome;
use super::place::{Pauses, Place};

/// How many identities are kept.
const ROOM: usize = 10_000;

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
    closed: Option<Closed>,
    alarm: Alarm,
}

impl Shelf {
    /// Somebody asks for a credential.
    pub(super) fn ask(&mut self, identity: &Identity, now: Instant) -> Step {
        let closed = self.closed(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        let held = closed.or_else(|| place.held(now));
        match (place.kept(now), place.flight()) {
            (Some(kept), None) if kept.is_stale(now) && held.is_none() => {
                let credential = kept.credential.clone();
                Step::Refresh(credential, place.take_off(Purpose::Refresh, now))
            }
            (Some(kept), _) => Step::Serve(kept.credential.clone()),
            (None, Some(flight)) => Step::Join(flight),
            (None, None) => match held {
                Some(error) => Step::Refuse(error),
                None => Step::Fetch(place.take_off(Purpose::First, now)),
            },
        }
    }

    /// Somebody was given `refused`, and the engine said no to it.
    pub(super) fn renew(&mut self, identity: &Identity, refused: Generation, now: Instant) -> Step {
        let closed = self.closed(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        if let Some(kept) = place.kept(now)
            && kept.credential.generation != refused
        {
            return Step::Serve(kept.credential.clone());
        }
        let held = closed.or_else(|| place.held(now));
        if let Some(flight) = place.flight() {
            place.drop_kept();
            return Step::Join(flight);
        }
        if place.was_forced(now) {
            // What is kept stays: dropping it would let the next asking fetch after all.
            return Step::Refuse(held.unwrap_or(CredentialError::RefusedAgain));
        }
        place.drop_kept();
        match held {
            Some(error) => Step::Refuse(error),
            None => Step::Fetch(place.take_off(Purpose::Renewal, now)),
        }
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
        place.keep(credential.clone(), asked, minted.life);
        credential
    }

    fn note(&mut self, identity: &Identity, error: &CredentialError, now: Instant) -> Outcome {
        let place = self.places.entry(identity.clone()).or_default();
        match error {
            CredentialError::Throttled { refusal, wait } => {
                place.give_up();
                self.close(refusal, now + *wait);
                Outcome::Throttled
            }
            CredentialError::Down(_) => {
                place.fail(error.clone(), Pauses::PASSING, now);
                Outcome::FailedPassing
            }
            _ => {
                place.fail(error.clone(), Pauses::FINAL, now);
                Outcome::FailedFinal
            }
        }
    }

    /// Nobody may ask the endpoint before `until`, nor before what was said earlier.
    fn close(&mut self, refusal: &Arc<Refusal>, until: Instant) {
        let refusal = Arc::clone(refusal);
        let earlier = self.closed.take();
        let longer = earlier.filter(|closed| closed.until > until);
        self.closed = longer.or(Some(Closed { refusal, until }));
    }

    /// Why nobody may ask the endpoint now, if so.
    fn closed(&self, now: Instant) -> Option<CredentialError> {
        let closed = self.closed.as_ref().filter(|closed| now < closed.until)?;
        Some(CredentialError::Throttled {
            refusal: Arc::clone(&closed.refusal),
            wait: closed.until - now,
        })
    }

    fn place(&mut self, identity: &Identity, now: Instant) -> Option<&mut Place> {
        if !self.places.contains_key(identity) && !self.has_room(now) {
            return None;
        }
        let place = self.places.entry(identity.clone()).or_default();
        place.touch(now);
        Some(place)
    }

    /// Makes room for one more: clears what is of no use, and then the tenth that was idle
    /// longest, so that one search serves many who come.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.places.len() >= ROOM {
            self.places.retain(|_, place| place.is_of_use(now));
        }
        if self.places.len() >= ROOM {
            self.clear_idlest();
        }
        self.places.len() < ROOM
    }

    fn clear_idlest(&mut self) {
        let in_flight = |place: &Place| place.flight().is_some();
        let idle = self.places.iter().filter(|(_, place)| !in_flight(place));
        let mut idle: Vec<_> = idle
            .map(|(key, place)| (place.used(), key.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        idle.truncate(ROOM / 10);
        for (_, identity) in idle {
            self.places.remove(&identity);
        }
    }
}

/// The endpoint asked to be left alone.
struct Closed {
    refusal: Arc<Refusal>,
    until: Instant,
}

/// What those who waited get when a fetch ended without a word.
pub(super) fn broken_off() -> CredentialError {
    CredentialError::Down(Trouble::BrokenOff)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::injection::Injection;

    fn person(number: usize) -> Identity {
        Identity::of([&number.to_string()])
    }

    fn fetch(shelf: &mut Shelf, number: usize, now: Instant) {
        let Step::Fetch(takeoff) = shelf.ask(&person(number), now) else {
            panic!("{number} is not fetched")
        };
        let minted = Minted {
            injection: Injection::nothing(),
            life: Duration::from_hours(1),
        };
        let flown = Flown {
            purpose: takeoff.purpose,
            asked: now,
            minted: Ok(minted),
        };
        assert!(shelf.land(&person(number), flown, now).landed.is_ok());
    }

    fn is_kept(shelf: &mut Shelf, number: usize, now: Instant) -> bool {
        matches!(shelf.ask(&person(number), now), Step::Serve(_))
    }

    #[test]
    fn the_idlest_make_room_for_who_comes() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        let at = |number: usize| start + Duration::from_millis(number as u64);
        for number in 0..ROOM {
            fetch(&mut shelf, number, at(number));
        }
        let now = at(ROOM);
        assert!(is_kept(&mut shelf, 0, now), "it is no longer idle");
        for number in ROOM..ROOM * 2 {
            fetch(&mut shelf, number, at(number));
            assert!(shelf.places.len() <= ROOM);
        }
        let end = at(2 * ROOM);
        assert!(is_kept(&mut shelf, 2 * ROOM - 1, end));
        assert!(is_kept(&mut shelf, 2 * ROOM - 5000, end));
        assert!(!is_kept(&mut shelf, 1, end));
    }

    #[test]
    fn what_is_dead_goes_before_what_is_idle() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        for number in 0..ROOM - 1 {
            fetch(&mut shelf, number, start);
        }
        let later = start + Duration::from_hours(2);
        fetch(&mut shelf, ROOM, later);
        fetch(&mut shelf, ROOM + 1, later);
        assert_eq!(shelf.places.len(), 2);
    }

    #[test]
    fn when_all_are_being_fetched_nobody_else_is() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        let flights: Vec<Step> = (0..ROOM)
            .map(|number| shelf.ask(&person(number), now))
            .collect();
        let one_more = shelf.ask(&person(ROOM), now);
        assert!(matches!(one_more, Step::Refuse(CredentialError::Crowded)));
        drop(flights);
        assert!(matches!(shelf.ask(&person(ROOM), now), Step::Fetch(_)));
    }
}
