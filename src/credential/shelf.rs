//! What is kept of each identity, and what an asking for it leads to.
//!
//! Pure decisions: the time is a parameter, and nothing here waits. The keeper acts on them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Credential;
use super::alarm::{Alarm, News};
use super::error::{CredentialError, Trouble};
use super::explain::At;
use super::generation::Generation;
use super::identity::Identity;
use super::mint::Minted;
use super::outcome::Outcome;
use super::pace::Turn;
use super::place::{Pauses, Place};
use super::pool::Found;
use super::tempo::Tempo;

/// How many identities are kept.
const ROOM: usize = 10_000;

/// When a fetch gets its turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Queueing {
    /// When it is asked for.
    AtOnce,
    /// When it turns out that no other replica has what is asked for.
    Later,
}

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
    /// When it may start, or be sought at other replicas.
    pub(super) turn: Instant,
    /// The one that there is and that will not do.
    pub(super) but: Option<Generation>,
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
    /// What the token shall be told from others by.
    pub(super) generation: Generation,
}

/// How a fetch ended: for those who wait, for the counters, for the log.
pub(super) struct Landing {
    pub(super) landed: Landed,
    /// What it counts as, if it counts.
    pub(super) outcome: Option<Outcome>,
    pub(super) news: News,
}

/// What is kept of every identity of one mint.
pub(super) struct Shelf {
    places: HashMap<Identity, Place>,
    landed: u64,
    queueing: Queueing,
    tempo: Arc<Tempo>,
    /// That of whoever has to be asked first, if anybody.
    before: Option<Arc<Tempo>>,
    alarm: Alarm,
}

impl Shelf {
    pub(super) fn new(tempo: Arc<Tempo>, queueing: Queueing) -> Self {
        Self {
            places: HashMap::new(),
            landed: 0,
            queueing,
            tempo,
            before: None,
            alarm: Alarm::default(),
        }
    }

    /// The same, of a mint that has to ask somebody first.
    pub(super) fn behind(self, before: Option<Arc<Tempo>>) -> Self {
        Self { before, ..self }
    }

    /// Somebody asks for a credential.
    pub(super) fn ask(&mut self, identity: &Identity, now: Instant) -> Step {
        let grounded = self.grounded_at_once(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        let held = grounded.or_else(|| place.held(now));
        let flight = place.flight();
        let kept = place.kept(now);
        let left = kept.and_then(|kept| kept.left_when_stale(now));
        match (kept.map(|kept| kept.credential.clone()), flight, held) {
            (Some(credential), None, None) => match left {
                Some(left) => self.refresh(identity, credential, left, now),
                None => Step::Serve(credential),
            },
            (Some(credential), ..) => Step::Serve(credential),
            (None, Some(flight), _) => Step::Join(flight),
            (None, None, Some(error)) => Step::Refuse(error),
            (None, None, None) => self.fetch(identity, Purpose::First, None, now),
        }
    }

    /// Somebody was given `refused`, and the engine said no to it.
    pub(super) fn renew(&mut self, identity: &Identity, refused: Generation, now: Instant) -> Step {
        let grounded = self.grounded_at_once(now);
        let Some(place) = self.place(identity, now) else {
            return Step::Refuse(CredentialError::Crowded);
        };
        if let Some(kept) = place.kept(now)
            && kept.credential.generation != refused
        {
            return Step::Serve(kept.credential.clone());
        }
        let held = grounded.or_else(|| place.held(now));
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
            None => self.fetch(identity, Purpose::Renewal, Some(refused), now),
        }
    }

    /// The turn of somebody who found nothing at other replicas; or that it does not come soon. One
    /// who refreshes has until the old credential's end, and nobody is sent away by that.
    pub(super) fn turn(
        &mut self,
        identity: &Identity,
        purpose: Purpose,
        now: Instant,
    ) -> Result<Instant, CredentialError> {
        if let Some(error) = self.grounded(now) {
            return Err(error);
        }
        let patience = self.patience(identity, purpose, now);
        match self.tempo.turn(now, patience) {
            Turn::At(turn) => {
                self.places.entry(identity.clone()).or_default().fulfil();
                Ok(turn)
            }
            Turn::NotBefore(next) if purpose == Purpose::Refresh => {
                Err(CredentialError::Queued { wait: next - now })
            }
            Turn::NotBefore(_) => Err(self.send_away(identity, now)),
        }
    }

    /// The turn of a fetch has come: leave to start it, or why not any more.
    pub(super) fn clear(&mut self, now: Instant) -> Result<(), CredentialError> {
        self.tempo.clear(now)
    }

    fn patience(&self, identity: &Identity, purpose: Purpose, now: Instant) -> Duration {
        if purpose != Purpose::Refresh {
            return Duration::MAX;
        }
        let kept = self.places.get(identity).and_then(|place| place.kept(now));
        let left = kept.and_then(|kept| kept.left_when_stale(now));
        left.unwrap_or_default()
    }

    /// Forgets what is kept of an identity, unless more is being fetched.
    pub(super) fn retire(&mut self, identity: &Identity) -> bool {
        let Some(place) = self.places.get_mut(identity) else {
            return true;
        };
        let idle = place.flight().is_none();
        if idle {
            place.drop_kept();
        }
        idle
    }

    /// A fetch that was not cleared is over. One in the background answers nobody.
    pub(super) fn call_off(
        &mut self,
        identity: &Identity,
        purpose: Purpose,
        error: CredentialError,
    ) -> Landing {
        self.places.entry(identity.clone()).or_default().give_up();
        let answers = purpose != Purpose::Refresh;
        Landing {
            outcome: answers.then(|| Outcome::of_refusal(&error)),
            landed: Err(error),
            news: News::Nothing,
        }
    }

    /// Another replica has a credential for this identity.
    pub(super) fn adopt(&mut self, identity: &Identity, found: Found, now: Instant) -> Landing {
        let credential = Credential::new(found.injection, found.generation);
        // A clock that was set up a moment ago knows nothing earlier.
        let asked = now.checked_sub(found.age).unwrap_or(now);
        self.keep(identity, &credential, asked, now + found.left - asked);
        Landing {
            landed: Ok(credential),
            outcome: Some(Outcome::Shared),
            news: News::Nothing,
        }
    }

    /// A fetch has ended.
    pub(super) fn land(&mut self, identity: &Identity, flown: Flown, now: Instant) -> Landing {
        match flown.minted {
            Ok(minted) => {
                self.tempo.calm();
                let credential = Credential::new(minted.injection, flown.generation);
                self.keep(identity, &credential, flown.asked, minted.life);
                Landing {
                    landed: Ok(credential),
                    outcome: Some(flown.purpose.outcome()),
                    news: self.alarm.calm(),
                }
            }
            Err(error) => Landing {
                outcome: Some(self.note(identity, &error, now)),
                news: self.alarm.raise(&error, now),
                landed: Err(error),
            },
        }
    }

    /// Why nobody may even ask, if so; other replicas may always be asked.
    fn grounded_at_once(&self, now: Instant) -> Option<CredentialError> {
        match self.queueing {
            Queueing::AtOnce => self.grounded(now),
            Queueing::Later => None,
        }
    }

    /// Why a fetch would be in vain now, if so.
    fn grounded(&self, now: Instant) -> Option<CredentialError> {
        let own = self.tempo.grounded(now);
        own.or_else(|| Some(self.before.as_ref()?.grounded(now)?.elsewhere()))
    }

    /// Starts a fetch when its turn comes soon.
    fn fetch(
        &mut self,
        identity: &Identity,
        purpose: Purpose,
        but: Option<Generation>,
        now: Instant,
    ) -> Step {
        let turn = match self.queueing {
            Queueing::AtOnce => self.turn(identity, purpose, now),
            Queueing::Later => Ok(now),
        };
        match turn {
            Ok(turn) => Step::Fetch(self.take_off(identity, purpose, but, turn)),
            Err(error) => Step::Refuse(error),
        }
    }

    /// Starts a fetch if its turn comes while the old credential lives.
    fn refresh(
        &mut self,
        identity: &Identity,
        credential: Credential,
        left: Duration,
        now: Instant,
    ) -> Step {
        let turn = match self.queueing {
            Queueing::AtOnce => self.tempo.turn(now, left),
            Queueing::Later => Turn::At(now),
        };
        match turn {
            Turn::At(turn) => {
                let but = Some(credential.generation);
                let takeoff = self.take_off(identity, Purpose::Refresh, but, turn);
                Step::Refresh(credential, takeoff)
            }
            Turn::NotBefore(_) => Step::Serve(credential),
        }
    }

    fn take_off(
        &mut self,
        identity: &Identity,
        purpose: Purpose,
        but: Option<Generation>,
        turn: Instant,
    ) -> Takeoff {
        let place = self.places.entry(identity.clone()).or_default();
        let (tell, flight) = watch::channel(None);
        place.take_off(purpose, turn, flight);
        Takeoff {
            purpose,
            turn,
            but,
            tell,
        }
    }

    /// Says when to come again; who comes before is told the same once more.
    fn send_away(&mut self, identity: &Identity, now: Instant) -> CredentialError {
        let place = self.places.entry(identity.clone()).or_default();
        let promised = match place.promised(now) {
            Some(promised) => promised,
            None => self.tempo.promise(now),
        };
        place.promise(promised);
        CredentialError::Queued {
            wait: promised - now,
        }
    }

    fn keep(
        &mut self,
        identity: &Identity,
        credential: &Credential,
        asked: Instant,
        life: Duration,
    ) {
        self.landed += 1;
        let place = self.places.entry(identity.clone()).or_default();
        place.keep(credential.clone(), asked, life, self.landed);
    }

    fn note(&mut self, identity: &Identity, error: &CredentialError, now: Instant) -> Outcome {
        self.tempo.learn(error, now);
        let place = self.places.entry(identity.clone()).or_default();
        match error.itself() {
            CredentialError::Throttled { .. } => {
                place.give_up();
                Outcome::Throttled
            }
            // Another client's queue is full: that of the one who makes users.
            CredentialError::Queued { .. } => {
                place.give_up();
                Outcome::SentAway
            }
            CredentialError::Down(..) => {
                place.fail(error.clone(), Pauses::PASSING, now);
                Outcome::FailedPassing
            }
            _ => {
                place.fail(error.clone(), Pauses::FINAL, now);
                Outcome::FailedFinal
            }
        }
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

/// What those who waited get when a fetch ended without a word.
pub(super) fn broken_off() -> CredentialError {
    CredentialError::Down(At::default(), Trouble::BrokenOff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::injection::Injection;

    fn person(number: usize) -> Identity {
        Identity::of([&number.to_string()])
    }

    fn shelf() -> Shelf {
        let pace = config::Pace {
            per_minute: usize::MAX,
            queue: Duration::ZERO,
        };
        Shelf::new(Tempo::new(pace), Queueing::AtOnce)
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
            generation: Generation::fresh(),
        };
        assert!(shelf.land(&person(number), flown, now).landed.is_ok());
    }

    fn is_kept(shelf: &mut Shelf, number: usize, now: Instant) -> bool {
        matches!(shelf.ask(&person(number), now), Step::Serve(_))
    }

    #[test]
    fn a_refresh_that_gets_no_turn_sends_nobody_away() {
        let pace = config::Pace {
            per_minute: 1,
            queue: Duration::from_secs(5),
        };
        let mut shelf = Shelf::new(Tempo::new(pace), Queueing::Later);
        let (ada, start) = (person(1), Instant::now());
        shelf.turn(&ada, Purpose::First, start).unwrap();
        fetch(&mut shelf, 1, start);
        let old = start + Duration::from_mins(50);
        shelf.turn(&person(2), Purpose::First, old).unwrap();
        let Step::Refresh(_, takeoff) = shelf.ask(&ada, old) else {
            panic!("it has grown old")
        };
        let refused = shelf.turn(&ada, takeoff.purpose, old).unwrap_err();
        let landing = shelf.call_off(&ada, takeoff.purpose, refused);
        assert_eq!(landing.outcome, None);
        assert_eq!(shelf.places[&ada].promised(old), None);
        let sent_away = shelf.turn(&person(3), Purpose::First, old);
        let Err(CredentialError::Queued { wait }) = sent_away else {
            panic!("there is no turn")
        };
        assert_eq!(wait, Duration::from_mins(1), "the next is not taken");
    }

    #[test]
    fn the_idlest_make_room_for_who_comes() {
        let (mut shelf, start) = (shelf(), Instant::now());
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
        let (mut shelf, start) = (shelf(), Instant::now());
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
        let (mut shelf, now) = (shelf(), Instant::now());
        let flights: Vec<Step> = (0..ROOM)
            .map(|number| shelf.ask(&person(number), now))
            .collect();
        let one_more = shelf.ask(&person(ROOM), now);
        assert!(matches!(one_more, Step::Refuse(CredentialError::Crowded)));
        drop(flights);
        assert!(matches!(shelf.ask(&person(ROOM), now), Step::Fetch(_)));
    }
}
