//! Who is vouched for just now, who is being asked about, and the watch over both.
//!
//! One asking however many sockets of a browser come at once, and one watch however many of them
//! are open. Nobody is remembered for a no. Strangers share a limited number of askings among
//! themselves; those who are in are asked about beside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::super::error::{Outage, SessionError};
use super::super::login::Login;
use super::super::{Activity, Session};
use super::logins::Logins;
use super::vouch::{Lesson, Proof, Terms, Vouch};
use super::{Answer, Fingerprint, Source};
use crate::flight::Flight;
use crate::person::ClaimPath;

/// How many newcomers are asked about at once; more of them wait.
const ASKINGS: usize = 256;

/// How many vouches are shared among sockets. Beyond it each socket has its own.
const SHARED: usize = 20_000;

/// The least time between two askings about somebody who is in.
const LEAST: Duration = Duration::from_millis(10);

type Asking = Flight<Result<Session, SessionError>>;

/// Where newcomers are dealt with.
#[derive(Debug)]
pub(in crate::session) struct Desk<S: Source> {
    source: S,
    minded: Arc<[ClaimPath]>,
    askings: Arc<Semaphore>,
    book: Mutex<Book<S::Evidence>>,
}

#[derive(Debug)]
struct Book<E> {
    vouched: HashMap<Fingerprint, Arc<Vouch<E>>>,
    asking: HashMap<Fingerprint, Asking>,
    logins: Logins<E>,
}

enum Known {
    Vouched(Session),
    Asking(Asking),
}

impl<S: Source> Desk<S> {
    /// Opens the desk.
    pub(in crate::session) fn new(source: S, minded: &Arc<[ClaimPath]>) -> Self {
        Self {
            source,
            minded: Arc::clone(minded),
            askings: Arc::new(Semaphore::new(ASKINGS)),
            book: Mutex::default(),
        }
    }

    /// Who is asked.
    pub(in crate::session) fn source(&self) -> &S {
        &self.source
    }

    /// Lets somebody in, or says why not.
    pub(in crate::session) async fn admit(
        self: &Arc<Self>,
        print: Fingerprint,
        evidence: S::Evidence,
    ) -> Result<Session, SessionError> {
        let known = self.known(&self.book(), &print);
        let known = if let Some(known) = known {
            known
        } else {
            let turn = self.turn(&print).await?;
            self.inquire(print, evidence, turn)
        };
        match known {
            Known::Vouched(session) => Ok(session),
            Known::Asking(asking) => asking
                .land()
                .await
                .unwrap_or_else(|| Err(S::down(Outage::Answer("the asking was lost")))),
        }
    }

    /// Lets what belongs to the same app session rest on what this session rests on: its evidence is
    /// asked about from now on, and its end counts, where that is no sooner. Says how many sockets
    /// and tickets go on because of it.
    ///
    /// Whoever still brings the older evidence is asked about by that, like anybody new.
    pub(in crate::session) fn renew(&self, session: &Session) -> usize {
        let Some(login) = Login::of(session.person()).filter(|_| session.is_valid()) else {
            return 0;
        };
        let mut book = self.book();
        let Book {
            vouched, logins, ..
        } = &mut *book;
        let held = logins.of(&login);
        let Some(fresh) = held.iter().find(|vouch| vouch.holds(session)) else {
            return 0;
        };
        let mut renewed = 0;
        for vouch in held.iter().filter(|vouch| vouch.is_used()) {
            let print = vouch.proof().print;
            if vouch.login().as_ref() == Some(&login) && vouch.follow(fresh) {
                unshare(vouched, print, vouch);
                renewed += vouch.uses();
            }
        }
        renewed
    }

    /// Waits for a turn among the newcomers; who is in already needs none.
    async fn turn(
        &self,
        print: &Fingerprint,
    ) -> Result<Option<OwnedSemaphorePermit>, SessionError> {
        if self.book().vouched.contains_key(print) {
            return Ok(None);
        }
        let turn = Arc::clone(&self.askings).acquire_owned();
        match timeout(self.source.pace().patience, turn).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(S::down(Outage::Busy)),
        }
    }

    /// Sets off an asking, unless another did meanwhile.
    fn inquire(
        self: &Arc<Self>,
        print: Fingerprint,
        evidence: S::Evidence,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Known {
        let mut book = self.book();
        if let Some(known) = self.known(&book, &print) {
            return known;
        }
        let desk = Arc::clone(self);
        let evidence = Arc::new(evidence);
        let asking = Flight::launch(async move {
            let outcome = desk.source.ask(&evidence).await;
            drop(turn);
            desk.settle(Proof { print, evidence }, outcome)
        });
        book.asking.insert(print, asking.clone());
        Known::Asking(asking)
    }

    fn known(&self, book: &Book<S::Evidence>, print: &Fingerprint) -> Option<Known> {
        let cache = self.source.pace().cache;
        if let Some(vouch) = book.vouched.get(print)
            && vouch.is_fresh(cache)
        {
            return Some(Known::Vouched(vouch.session()));
        }
        let asking = book.asking.get(print).filter(|asking| !asking.is_over());
        asking.cloned().map(Known::Asking)
    }

    /// Draws the consequences of an asking about a newcomer.
    fn settle(
        self: &Arc<Self>,
        proof: Proof<S::Evidence>,
        outcome: Result<Answer, SessionError>,
    ) -> Result<Session, SessionError> {
        let print = proof.print;
        let mut book = self.book();
        book.asking.remove(&print);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                book.end_if_denied(&print, &error);
                return Err(error);
            }
        };
        if let Some(vouch) = book.vouched.get(&print)
            && vouch.confirm(&answer)
        {
            return Ok(vouch.session());
        }
        let vouch = Arc::new(self.vouch(proof, answer));
        let session = vouch.session();
        let login = vouch.login().filter(|_| self.source.can_be_renewed());
        book.share(print, &vouch);
        if let Some(login) = &login {
            book.logins.hold(login.clone(), &vouch);
        }
        tokio::spawn(Arc::clone(self).watch_over(vouch, login));
        Ok(session)
    }

    fn vouch(&self, proof: Proof<S::Evidence>, answer: Answer) -> Vouch<S::Evidence> {
        let activity = if self.source.can_touch() {
            Activity::watched()
        } else {
            Activity::default()
        };
        let terms = Terms {
            last_look: self.source.pace().last_look,
            minded: Arc::clone(&self.minded),
        };
        Vouch::new(proof, answer, terms, activity)
    }

    /// Asks about somebody again and again as long as a socket is open, and lets go afterwards.
    async fn watch_over(self: Arc<Self>, vouch: Arc<Vouch<S::Evidence>>, login: Option<Login>) {
        let pace = self.source.pace();
        let recheck = pace.recheck.max(LEAST);
        while !vouch.is_over() {
            if vouch.is_used() {
                tokio::select! {
                    () = vouch.unused() => continue,
                    () = sleep_until(self.wake(&vouch, recheck)) => {}
                }
                self.revise(&vouch).await;
            } else if self.book().retire(&vouch, login.as_ref(), pace.cache) {
                return;
            } else {
                let fresh = vouch.fresh_until(pace.cache);
                sleep_until(fresh.min(Instant::now() + recheck)).await;
            }
        }
        self.book().forget(&vouch, login.as_ref());
    }

    fn wake(&self, vouch: &Vouch<S::Evidence>, recheck: Duration) -> Instant {
        let deadline = vouch.deadline(self.source.pace().grace);
        let moments = [deadline, vouch.last_look()];
        let due = vouch.due(recheck);
        moments.into_iter().flatten().fold(due, Instant::min)
    }

    /// Asks about somebody who is in.
    async fn revise(&self, vouch: &Vouch<S::Evidence>) {
        let grace = self.source.pace().grace;
        let began = Instant::now();
        let proof = vouch.proof();
        let ask = self.source.ask(&proof.evidence);
        let outcome = match vouch.deadline(grace) {
            None => ask.await,
            Some(deadline) => timeout_at(deadline, ask)
                .await
                .unwrap_or_else(|_| Err(S::down(Outage::Timeout))),
        };
        if let Err(error) = &outcome {
            // Another may rest on the same: what was issued anew and shown, and nothing else.
            self.book().end_if_denied(&proof.print, error);
        }
        let lesson = vouch.learn(&proof, &outcome, began, grace);
        // What cannot be used of one session is nobody's outage.
        if lesson == Lesson::Cut && !self.source.health().is_well() {
            self.source.health().report_cut();
        }
        if let Ok(answer) = &outcome
            && lesson == Lesson::Confirmed
            && vouch.take_activity()
        {
            self.source.touch(&proof.evidence, answer).await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book<S::Evidence>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many vouches are shared, and how many stand for an app session with an id.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let book = self.book();
        (book.vouched.len(), book.logins.count())
    }
}

impl<E> Default for Book<E> {
    fn default() -> Self {
        Self {
            vouched: HashMap::new(),
            asking: HashMap::new(),
            logins: Logins::default(),
        }
    }
}

impl<E> Book<E> {
    fn share(&mut self, print: Fingerprint, vouch: &Arc<Vouch<E>>) {
        if self.vouched.len() < SHARED || self.vouched.contains_key(&print) {
            self.vouched.insert(print, Arc::clone(vouch));
        }
    }

    fn end_if_denied(&mut self, print: &Fingerprint, error: &SessionError) {
        if !matches!(error, SessionError::Down { .. })
            && let Some(vouch) = self.vouched.remove(print)
        {
            vouch.end();
            let login = vouch.login();
            let others = login.iter().flat_map(|login| self.logins.of(login));
            for other in others.filter(|other| other.proof().print == *print) {
                other.end();
            }
        }
    }

    /// Lets go of a vouch that nobody uses and that is too old for anybody new. Sessions are made
    /// under this book's lock alone, so none can begin meanwhile.
    fn retire(&mut self, vouch: &Arc<Vouch<E>>, login: Option<&Login>, cache: Duration) -> bool {
        let over = !vouch.is_used() && !vouch.is_fresh(cache);
        if over {
            self.forget(vouch, login);
        }
        over
    }

    fn forget(&mut self, vouch: &Arc<Vouch<E>>, login: Option<&Login>) {
        unshare(&mut self.vouched, vouch.proof().print, vouch);
        if let Some(login) = login {
            self.logins.let_go(login, vouch);
        }
    }
}

/// Gives a vouch to nobody new.
fn unshare<E>(
    vouched: &mut HashMap<Fingerprint, Arc<Vouch<E>>>,
    print: Fingerprint,
    vouch: &Arc<Vouch<E>>,
) {
    let held = vouched.get(&print);
    if held.is_some_and(|held| Arc::ptr_eq(held, vouch)) {
        vouched.remove(&print);
    }
}
