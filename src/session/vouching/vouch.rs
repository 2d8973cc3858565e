//! A yes that is in force, shared by every socket that brings the same evidence.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::error::SessionError;
use super::super::login::Login;
use super::super::moment::Moment;
use super::super::{Activity, Session, Standing};
use super::{Answer, Fingerprint};
use crate::person::{ClaimPath, Person};

/// Ends that are no further apart than this are the same, in seconds.
const SAME: f64 = 0.2;

/// The part of a recheck that it may come sooner by.
const SOONER: u32 = 20;

/// A yes that is in force.
pub(super) struct Vouch<E> {
    terms: Terms,
    standing: watch::Sender<Standing>,
    activity: Activity,
    record: Mutex<Record<E>>,
}

/// What came of an asking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lesson {
    /// It is confirmed, and still in force.
    Confirmed,
    /// It is over because nobody could be asked for too long.
    Cut,
    /// Neither.
    Nothing,
}

/// What its sessions are held to.
pub(super) struct Terms {
    /// What they are given beyond their end.
    pub(super) last_look: Duration,
    /// The claims that must not change.
    pub(super) minded: Arc<[ClaimPath]>,
}

/// What it rests on, and how that stands.
struct Record<E> {
    proof: Proof<E>,
    person: Person,
    expires: Option<f64>,
    end: Option<Instant>,
    confirmed: Instant,
    asked: Instant,
    failing: Option<Instant>,
}

/// What the source is asked about, with its name.
#[derive(Debug)]
pub(super) struct Proof<E> {
    /// Its name.
    pub(super) print: Fingerprint,
    /// The evidence itself.
    pub(super) evidence: Arc<E>,
}

impl<E> Proof<E> {
    /// Whether it is this very piece, and not another that says the same.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.evidence, &other.evidence)
    }
}

impl<E> Clone for Proof<E> {
    fn clone(&self) -> Self {
        Self {
            print: self.print,
            evidence: Arc::clone(&self.evidence),
        }
    }
}

impl<E> Vouch<E> {
    /// Puts a yes into force.
    pub(super) fn new(proof: Proof<E>, answer: Answer, terms: Terms, activity: Activity) -> Self {
        let now = Instant::now();
        let end = end(answer.expires);
        let (standing, _) = watch::channel(valid(end, terms.last_look));
        Self {
            terms,
            standing,
            activity,
            record: Mutex::new(Record {
                proof,
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

    /// What it rests on now.
    pub(super) fn proof(&self) -> Proof<E> {
        self.record().proof.clone()
    }

    /// The app session that it stands for, where that has an id.
    pub(super) fn login(&self) -> Option<Login> {
        Login::of(&self.record().person)
    }

    /// Whether a session is one under it.
    pub(super) fn holds(&self, session: &Session) -> bool {
        self.standing.subscribe().same_channel(&session.standing)
    }

    /// How many sockets and tickets there are under it.
    pub(super) fn uses(&self) -> usize {
        self.standing.receiver_count()
    }

    /// Whether somebody has been at work under it since this was last asked.
    pub(super) fn take_activity(&self) -> bool {
        self.activity.take()
    }

    /// Whether it is good for one more socket without asking.
    pub(super) fn is_fresh(&self, cache: Duration) -> bool {
        self.is_valid() && self.fresh_until(cache) > Instant::now()
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

    /// When the source is to be asked again: a little sooner than it must be, each by a different little,
    /// so that those who came at the same moment are not asked about at the same moment for ever.
    pub(super) fn due(&self, recheck: Duration) -> Instant {
        let record = self.record();
        record.asked + recheck - recheck / SOONER * record.proof.print.lot().into() / 256
    }

    /// When the grace of a failing source is over, while it fails.
    pub(super) fn deadline(&self, grace: Duration) -> Option<Instant> {
        self.record().failing.map(|since| since + grace)
    }

    /// When the session's end has come and nobody has asked since whether it moved on.
    pub(super) fn last_look(&self) -> Option<Instant> {
        let record = self.record();
        let end = record.end.filter(|_| !self.terms.last_look.is_zero());
        end.filter(|end| *end > record.asked)
    }

    /// Whether it is over, whatever the source says from now on.
    pub(super) fn is_over(&self) -> bool {
        !matches!(*self.standing.borrow(), Standing::Valid { .. })
    }

    /// Takes another yes about what it rests on; one for somebody else ends it. Whether it is still
    /// in force.
    pub(super) fn confirm(&self, answer: &Answer) -> bool {
        self.accept(&mut self.record(), answer)
    }

    /// Learns what the source said of a proof, asked since `began`. What it rested on once says
    /// nothing of it any more.
    pub(super) fn learn(
        &self,
        of: &Proof<E>,
        outcome: &Result<Answer, SessionError>,
        began: Instant,
        grace: Duration,
    ) -> Lesson {
        let mut record = self.record();
        if !record.proof.is(of) {
            return Lesson::Nothing;
        }
        match outcome {
            Ok(answer) if self.accept(&mut record, answer) => return Lesson::Confirmed,
            Ok(_) => {}
            Err(SessionError::Down { .. }) => return self.miss(&mut record, began, grace),
            Err(_) => self.end(),
        }
        Lesson::Nothing
    }

    /// Rests on what another of the same app session rests on from now on, and lasts as long; only
    /// longer, and only if it is not over. Whether it does.
    pub(super) fn follow(&self, other: &Self) -> bool {
        let fresh = other.record().copy();
        let mut record = self.record();
        let moves = self.is_valid()
            && record.proof.print != fresh.proof.print
            && !is_sooner(fresh.expires, record.expires);
        if moves {
            let end = fresh.end;
            *record = fresh;
            self.stand(valid(end, self.terms.last_look));
        }
        moves
    }

    /// Ends every session under it, for good.
    pub(super) fn end(&self) {
        self.stand(Standing::Ended);
    }

    fn is_valid(&self) -> bool {
        let standing = *self.standing.borrow();
        standing.is_valid(Instant::now())
    }

    fn accept(&self, record: &mut Record<E>, answer: &Answer) -> bool {
        if record.person.subject() != answer.person.subject() {
            self.end();
            return false;
        }
        if self.has_changed(&record.person, &answer.person) {
            self.stand(Standing::Changed);
            return false;
        }
        let now = Instant::now();
        record.person = answer.person.clone();
        record.confirmed = now;
        record.asked = now;
        record.failing = None;
        if has_moved(record.expires, answer.expires) {
            record.expires = answer.expires;
            record.end = end(answer.expires);
            self.stand(valid(record.end, self.terms.last_look));
        }
        !self.is_over()
    }

    /// Notes that the source could not be asked since `began`; it is over when the grace is.
    fn miss(&self, record: &mut Record<E>, began: Instant, grace: Duration) -> Lesson {
        let now = Instant::now();
        record.asked = now;
        let since = *record.failing.get_or_insert(began);
        if since + grace > now {
            return Lesson::Nothing;
        }
        self.stand(Standing::Unknown);
        Lesson::Cut
    }

    /// Whether a claim that is minded says something else.
    fn has_changed(&self, before: &Person, now: &Person) -> bool {
        let mut minded = self.terms.minded.iter();
        minded.any(|claim| before.claim(claim) != now.claim(claim))
    }

    fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|now| {
            let moves = matches!(now, Standing::Valid { .. }) && *now != standing;
            if moves {
                *now = standing;
            }
            moves
        });
    }

    fn record(&self) -> MutexGuard<'_, Record<E>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> fmt::Debug for Vouch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vouch(…)")
    }
}

impl<E> Record<E> {
    fn copy(&self) -> Self {
        Self {
            proof: self.proof.clone(),
            person: self.person.clone(),
            ..*self
        }
    }
}

/// Whether an end comes before another; what has none comes last. By what was told: when it was heard
/// makes no end sooner.
fn is_sooner(one: Option<f64>, other: Option<f64>) -> bool {
    one.is_some_and(|one| other.is_none_or(|other| one < other - SAME))
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
