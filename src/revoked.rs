//! The logouts that are remembered, so that a session that was ended is not let in again.
//!
//! The order that closes the race: a logout is remembered first and then ends the open sockets; a
//! newcomer takes its seat first and then asks here. Whichever comes second sees the other.

mod meters;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tracing::warn;

use self::meters::Meters;
use crate::fault::Fault;
use crate::id::{Issuer, SessionId, Subject};
use crate::live::Live;
use crate::person::Person;
use crate::record::Cause;
use crate::revocation::{Begun, Revocation, Whom};

/// How many logouts are remembered at once; only issuers that the config trusts can add one.
const MOST: usize = 200_000;

/// Logouts that are remembered no further apart than this are one, told twice.
const SAME: Duration = Duration::from_secs(2);

/// The remembered logouts, and the sockets they end.
#[derive(Debug)]
pub struct Revoked {
    live: Arc<Live>,
    memory: Mutex<Logouts>,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Logouts {
    sessions: HashMap<(Issuer, SessionId), Instant>,
    /// What people began.
    begun: Reaches,
    /// What they began that has no session id.
    nameless: Reaches,
    /// In the order in which they were remembered, to be forgotten in it.
    order: VecDeque<(Revocation, Instant)>,
}

/// Up to which second it reaches what a person began, and when it is forgotten.
#[derive(Debug, Default)]
struct Reaches(HashMap<(Issuer, Subject), (u64, Instant)>);

impl Revoked {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(live: Arc<Live>, registry: &mut Registry) -> Self {
        Self {
            live,
            memory: Mutex::default(),
            meters: Meters::new(registry),
        }
    }

    /// Remembers a logout for as long as a session that it hits could live, and ends the sockets
    /// it hits; says how many. One that is known already ends nothing: what it hits was ended when
    /// it became known, and none was let in since.
    pub fn revoke(&self, revocation: &Revocation, remember: Duration) -> usize {
        if !self.remember(revocation, Instant::now() + remember) {
            return 0;
        }
        self.live.end_where(
            |socket| revocation.hits(socket.person()),
            Cause::SessionEnded,
        )
    }

    fn remember(&self, revocation: &Revocation, expiry: Instant) -> bool {
        let mut memory = self.lock();
        let lost = memory.forget_old(Instant::now());
        let news = memory.remember(revocation, expiry);
        self.meters.remember(memory.order.len());
        drop(memory);
        if lost > 0 && self.meters.forget(lost) == 0 {
            warn!(
                most = MOST,
                "too many logouts to remember; the oldest is forgotten, and more will be"
            );
        }
        news
    }

    /// Refuses a person whose session was ended. To be asked once the seat is taken.
    pub fn refuse_ended(&self, person: &Person) -> Result<(), Fault> {
        if self.lock().holds(person, Instant::now()) {
            Err(Fault::NotSignedIn)
        } else {
            Ok(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, Logouts> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logouts {
    /// Says whether it is news.
    fn remember(&mut self, revocation: &Revocation, expiry: Instant) -> bool {
        if self.knows(revocation, expiry) {
            return false;
        }
        let issuer = &revocation.issuer;
        match &revocation.whom {
            Whom::Session(session, theirs) => {
                let key = (issuer.clone(), session.clone());
                let known = self.sessions.entry(key).or_insert(expiry);
                *known = (*known).max(expiry);
                if let Some(theirs) = theirs {
                    self.nameless.remember(issuer, theirs, expiry);
                }
            }
            Whom::Subject(theirs) => self.begun.remember(issuer, theirs, expiry),
        }
        self.order.push_back((revocation.clone(), expiry));
        true
    }

    /// Whether a logout is remembered that reaches as far, for as long: replicas hear the same one
    /// again and again.
    fn knows(&self, revocation: &Revocation, expiry: Instant) -> bool {
        let issuer = &revocation.issuer;
        match &revocation.whom {
            Whom::Session(session, theirs) => {
                let known = self.sessions.get(&(issuer.clone(), session.clone()));
                let mut theirs = theirs.iter();
                known.is_some_and(|known| lasts(*known, expiry))
                    && theirs.all(|theirs| self.nameless.knows(issuer, theirs, expiry))
            }
            Whom::Subject(theirs) => self.begun.knows(issuer, theirs, expiry),
        }
    }

    fn holds(&self, person: &Person, now: Instant) -> bool {
        let by_session = match person.session() {
            Some(session) => {
                let key = (person.issuer().clone(), session.clone());
                self.sessions.get(&key).is_some_and(|expiry| now < *expiry)
            }
            None => self.nameless.holds(person, now),
        };
        by_session || self.begun.holds(person, now)
    }

    /// Forgets what is past, and the oldest where there are too many; says how many were not past.
    fn forget_old(&mut self, now: Instant) -> u64 {
        let mut lost = 0;
        while let Some((_, expiry)) = self.order.front() {
            let counts = now < *expiry;
            if counts && self.order.len() < MOST {
                break;
            }
            lost += u64::from(counts);
            if let Some((revocation, expiry)) = self.order.pop_front() {
                self.forget(&revocation, expiry);
            }
        }
        lost
    }

    /// Forgets a logout, unless the same one was announced again since.
    fn forget(&mut self, revocation: &Revocation, expiry: Instant) {
        let issuer = &revocation.issuer;
        match &revocation.whom {
            Whom::Session(session, theirs) => {
                let key = (issuer.clone(), session.clone());
                let known = self.sessions.get(&key);
                if known.is_some_and(|known| *known <= expiry) {
                    self.sessions.remove(&key);
                }
                if let Some(theirs) = theirs {
                    self.nameless.forget(issuer, theirs, expiry);
                }
            }
            Whom::Subject(theirs) => self.begun.forget(issuer, theirs, expiry),
        }
    }
}

impl Reaches {
    /// The furthest reach counts, for the longest time.
    fn remember(&mut self, issuer: &Issuer, theirs: &Begun, expiry: Instant) {
        let entry = self.0.entry((issuer.clone(), theirs.subject.clone()));
        let known = entry.or_insert((theirs.until, expiry));
        *known = (known.0.max(theirs.until), known.1.max(expiry));
    }

    fn knows(&self, issuer: &Issuer, theirs: &Begun, expiry: Instant) -> bool {
        let known = self.0.get(&(issuer.clone(), theirs.subject.clone()));
        known.is_some_and(|(reach, known)| *reach >= theirs.until && lasts(*known, expiry))
    }

    fn holds(&self, person: &Person, now: Instant) -> bool {
        let subject = person.subject();
        let known = self.0.get(&(person.issuer().clone(), subject.clone()));
        known.is_some_and(|(until, expiry)| {
            let (subject, until) = (subject.clone(), *until);
            now < *expiry && Begun { subject, until }.hits(person)
        })
    }

    fn forget(&mut self, issuer: &Issuer, theirs: &Begun, expiry: Instant) {
        let key = (issuer.clone(), theirs.subject.clone());
        if self.0.get(&key).is_some_and(|(_, known)| *known <= expiry) {
            self.0.remove(&key);
        }
    }
}

/// Whether what is known until one moment is known until another, told twice.
fn lasts(known: Instant, expiry: Instant) -> bool {
    known + SAME >= expiry
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use futures_util::FutureExt;
    use prometheus_client::encoding::text::encode;
    use serde_json::{Map, json};

    use super::*;
    use crate::config::Limits;
    use crate::live::Grounds;
    use crate::record::{Ledger, Opening};

    const DAY: Duration = Duration::from_hours(24);

    fn revoked() -> Revoked {
        let caps = Limits {
            sockets: 9,
            sockets_per_subject: 9,
            identities_per_subject: 9,
            opens_per_minute: 9,
            failures_per_minute: 9,
        };
        Revoked::new(Live::new(caps), &mut Registry::default())
    }

    fn holds(revoked: &Revoked, person: &Person) -> bool {
        revoked.refuse_ended(person).is_err()
    }

    fn person(sid: &str, iat: u64) -> Person {
        let mut claims = Map::new();
        claims.insert("iat".to_owned(), json!(iat));
        Person::new(
            Issuer::new("idp"),
            Subject::new("ada"),
            Some(SessionId::new(sid)),
            claims,
        )
    }

    fn by_session(sid: &str) -> Revocation {
        Revocation {
            issuer: Issuer::new("idp"),
            whom: Whom::Session(SessionId::new(sid), None),
        }
    }

    fn begun(until: u64) -> Begun {
        let subject = Subject::new("ada");
        Begun { subject, until }
    }

    fn by_subject(until: u64) -> Revocation {
        Revocation {
            issuer: Issuer::new("idp"),
            whom: Whom::Subject(begun(until)),
        }
    }

    fn by_both(sid: &str, until: u64) -> Revocation {
        Revocation {
            issuer: Issuer::new("idp"),
            whom: Whom::Session(SessionId::new(sid), Some(begun(until))),
        }
    }

    fn nameless(iat: u64) -> Person {
        let claims = Map::from_iter([("iat".to_owned(), json!(iat))]);
        Person::new(Issuer::new("idp"), Subject::new("ada"), None, claims)
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_is_remembered_for_its_time_and_forgotten_after() {
        let revoked = revoked();
        revoked.revoke(&by_session("s1"), DAY);
        assert!(holds(&revoked, &person("s1", 1)) && !holds(&revoked, &person("s2", 1)));
        tokio::time::advance(DAY).await;
        assert!(!holds(&revoked, &person("s1", 1)));
        revoked.revoke(&by_session("s2"), DAY);
        let memory = revoked.lock();
        assert_eq!(
            (memory.sessions.len(), memory.order.len()),
            (1, 1),
            "nothing is kept for ever"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn later_logouts_of_a_person_reach_further_and_never_less() {
        let revoked = revoked();
        revoked.revoke(&by_subject(100), DAY);
        revoked.revoke(&by_subject(50), DAY);
        assert!(holds(&revoked, &person("a", 100)));
        assert!(!holds(&revoked, &person("a", 101)), "a new login");
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_of_a_session_holds_what_its_person_began_without_an_id() {
        let revoked = revoked();
        revoked.revoke(&by_both("s1", 100), DAY);
        assert!(holds(&revoked, &nameless(100)) && holds(&revoked, &person("s1", 1)));
        assert!(!holds(&revoked, &nameless(101)) && !holds(&revoked, &person("s2", 1)));
        revoked.revoke(&by_both("s1", 200), DAY);
        assert!(holds(&revoked, &nameless(200)), "it reaches further");
        revoked.revoke(&by_both("s1", 201), DAY / 24);
        tokio::time::advance(DAY / 2).await;
        assert!(
            holds(&revoked, &person("s1", 1)),
            "a shorter one shortens nothing"
        );
        tokio::time::advance(DAY).await;
        revoked.revoke(&by_session("other"), DAY);
        assert!(!holds(&revoked, &nameless(1)));
        assert_eq!(revoked.lock().nameless.0.len(), 0, "it is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_twice_is_remembered_once() {
        let revoked = revoked();
        let shorter = DAY.saturating_sub(Duration::from_millis(900));
        for remember in [DAY, shorter, DAY] {
            revoked.revoke(&by_session("s1"), remember);
            revoked.revoke(&by_subject(100), remember);
        }
        assert_eq!(revoked.lock().order.len(), 2);
        revoked.revoke(&by_subject(101), DAY);
        revoked.revoke(&by_session("s1"), DAY * 2);
        assert_eq!(revoked.lock().order.len(), 4);
        assert!(holds(&revoked, &person("a", 101)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_announced_again_is_not_forgotten_with_the_first() {
        let revoked = revoked();
        revoked.revoke(&by_session("s1"), DAY / 2);
        revoked.revoke(&by_session("s1"), DAY);
        tokio::time::advance(DAY / 2).await;
        revoked.revoke(&by_session("other"), DAY);
        assert!(holds(&revoked, &person("s1", 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_too_many_and_the_numbers_say_what_is_lost() {
        let (live, mut registry) = (Arc::clone(&revoked().live), Registry::default());
        let revoked = Revoked::new(live, &mut registry);
        for number in 0..MOST + 5 {
            revoked.revoke(&by_session(&number.to_string()), DAY);
        }
        assert!(!holds(&revoked, &person("4", 1)), "the oldest are lost");
        assert!(holds(&revoked, &person("5", 1)));
        assert_eq!(revoked.lock().sessions.len(), MOST);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for told in ["logouts_forgotten_total 5\n", "logouts_remembered 200000\n"] {
            assert!(text.contains(told), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn open_sockets_of_the_session_are_ended_and_no_others() {
        let revoked = revoked();
        let seat = |n, sid: &str| {
            revoked
                .live
                .seat(
                    &Arc::new(Ledger::new(Opening::sample(n, "x"))),
                    &person(sid, 1),
                    Grounds::sample(),
                )
                .unwrap()
        };
        let (mut one, mut two) = (seat(1, "s1"), seat(2, "s2"));
        assert_eq!(revoked.revoke(&by_session("s1"), DAY), 1);
        assert_eq!(one.ordered().await, Cause::SessionEnded);
        let spared = tokio::time::timeout(Duration::from_secs(1), two.ordered()).await;
        assert!(spared.is_err(), "the other session goes on");
    }

    #[test]
    fn whoever_takes_a_seat_while_the_session_ends_is_refused_or_ended() {
        let (revoked, barrier) = (revoked(), Barrier::new(2));
        let (mut refused, mut ended) = (0, 0);
        for n in 0..20_000 {
            let sid = format!("s-{n}");
            let arrive = || {
                barrier.wait();
                let seat = revoked.live.seat(
                    &Arc::new(Ledger::new(Opening::sample(n, "x"))),
                    &person(&sid, 1),
                    Grounds::sample(),
                );
                (seat.unwrap(), holds(&revoked, &person(&sid, 1)))
            };
            let logout = by_session(&sid);
            let (mut seat, is_refused) = thread::scope(|threads| {
                let arriving = threads.spawn(arrive);
                barrier.wait();
                revoked.revoke(&logout, DAY);
                arriving.join().unwrap()
            });
            let is_ended = seat.ordered().now_or_never().is_some();
            assert!(is_refused || is_ended, "attempt {n} stays open");
            refused += u32::from(is_refused);
            ended += u32::from(is_ended);
        }
        assert!(refused > 0 && ended > 0, "{refused} refused, {ended} ended");
    }
}
