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

use super::super::Session;
use super::super::error::{Outage, SessionError};
use super::super::flight::Flight;
use super::answer::Answer;
use super::endpoint::{self, Endpoint};
use super::evidence::{Evidence, Fingerprint};
use super::vouch::Vouch;

/// How many newcomers are asked about at once; more of them wait.
const ASKINGS: usize = 256;

/// How many vouches are shared among sockets. Beyond it each socket has its own.
const SHARED: usize = 20_000;

/// The least time between two askings about somebody who is in.
const LEAST: Duration = Duration::from_millis(10);

type Asking = Flight<Result<Session, SessionError>>;

/// Where newcomers are dealt with.
#[derive(Debug)]
pub(super) struct Desk {
    endpoint: Endpoint,
    askings: Arc<Semaphore>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    vouched: HashMap<Fingerprint, Arc<Vouch>>,
    asking: HashMap<Fingerprint, Asking>,
}

enum Known {
    Vouched(Session),
    Asking(Asking),
}

impl Desk {
    /// Opens the desk.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            askings: Arc::new(Semaphore::new(ASKINGS)),
            book: Mutex::default(),
        }
    }

    /// Lets somebody in, or says why not.
    pub(super) async fn admit(
        self: &Arc<Self>,
        print: Fingerprint,
        evidence: Evidence,
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
                .unwrap_or_else(|| Err(endpoint::down(Outage::Answer("the asking was lost")))),
        }
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
        match timeout(self.endpoint.config().timeout, turn).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(endpoint::down(Outage::Busy)),
        }
    }

    /// Sets off an asking, unless another did meanwhile.
    fn inquire(
        self: &Arc<Self>,
        print: Fingerprint,
        evidence: Evidence,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Known {
        let mut book = self.book();
        if let Some(known) = self.known(&book, &print) {
            return known;
        }
        let desk = Arc::clone(self);
        let asking = Flight::launch(async move {
            let outcome = desk.endpoint.ask(&evidence).await;
            drop(turn);
            desk.settle(print, evidence, outcome)
        });
        book.asking.insert(print, asking.clone());
        Known::Asking(asking)
    }

    fn known(&self, book: &Book, print: &Fingerprint) -> Option<Known> {
        let cache = self.endpoint.config().cache;
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
        print: Fingerprint,
        evidence: Evidence,
        outcome: Result<Answer, SessionError>,
    ) -> Result<Session, SessionError> {
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
        let vouch = Arc::new(Vouch::new(answer));
        let session = vouch.session();
        book.share(print, &vouch);
        tokio::spawn(Arc::clone(self).watch_over(print, evidence, vouch));
        Ok(session)
    }

    /// Asks about somebody again and again as long as a socket is open, and lets go afterwards.
    async fn watch_over(
        self: Arc<Self>,
        print: Fingerprint,
        evidence: Evidence,
        vouch: Arc<Vouch>,
    ) {
        let config = self.endpoint.config();
        let recheck = config.recheck.max(LEAST);
        while !vouch.is_over() {
            if vouch.is_used() {
                tokio::select! {
                    () = vouch.unused() => continue,
                    () = sleep_until(self.wake(&vouch, recheck)) => {}
                }
                self.revise(&evidence, &vouch).await;
            } else if self.book().retire(&print, &vouch, config.cache) {
                return;
            } else {
                let fresh = vouch.fresh_until(config.cache);
                sleep_until(fresh.min(Instant::now() + recheck)).await;
            }
        }
        self.book().forget(&print, &vouch);
    }

    fn wake(&self, vouch: &Vouch, recheck: Duration) -> Instant {
        let due = vouch.due(recheck);
        let deadline = vouch.deadline(self.endpoint.config().grace);
        deadline.map_or(due, |deadline| deadline.min(due))
    }

    /// Asks about somebody who is in.
    async fn revise(&self, evidence: &Evidence, vouch: &Vouch) {
        let grace = self.endpoint.config().grace;
        let began = Instant::now();
        let ask = self.endpoint.ask(evidence);
        let outcome = match vouch.deadline(grace) {
            None => ask.await,
            Some(deadline) => timeout_at(deadline, ask)
                .await
                .unwrap_or_else(|_| Err(endpoint::down(Outage::Timeout))),
        };
        match outcome {
            Ok(answer) => {
                vouch.confirm(&answer);
            }
            Err(SessionError::Down { .. }) => vouch.miss(began, grace),
            Err(_) => vouch.end(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn share(&mut self, print: Fingerprint, vouch: &Arc<Vouch>) {
        if self.vouched.len() < SHARED || self.vouched.contains_key(&print) {
            self.vouched.insert(print, Arc::clone(vouch));
        }
    }

    fn end_if_denied(&mut self, print: &Fingerprint, error: &SessionError) {
        if matches!(error, SessionError::Denied(_))
            && let Some(vouch) = self.vouched.remove(print)
        {
            vouch.end();
        }
    }

    /// Lets go of a vouch that nobody uses and that is too old for anybody new. Sessions are made
    /// under this book's lock alone, so none can begin meanwhile.
    fn retire(&mut self, print: &Fingerprint, vouch: &Arc<Vouch>, cache: Duration) -> bool {
        let over = !vouch.is_used() && !vouch.is_fresh(cache);
        if over {
            self.forget(print, vouch);
        }
        over
    }

    fn forget(&mut self, print: &Fingerprint, vouch: &Arc<Vouch>) {
        if self
            .vouched
            .get(print)
            .is_some_and(|held| Arc::ptr_eq(held, vouch))
        {
            self.vouched.remove(print);
        }
    }
}
