//! Where tickets lie until they are used. One take of a ticket gets it, every other gets nothing,
//! at whatever moment they come.

use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::HeaderValue;
use tokio::time::{Instant, sleep_until};

use super::super::Session;
use super::super::error::SessionError;
use crate::id::{AppId, Issuer, Subject};

/// How many tickets lie here at once; each is good for seconds.
const MOST: usize = 10_000;
/// How many of them one person may have.
const MOST_A_PERSON: usize = 64;

/// What a shelf will say: one that is shared lies behind a network.
pub(super) type Coming<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shelf. Its two verbs are those of a store that replicas share: `SET … NX PX` and `GETDEL`.
pub(super) trait Shelf: fmt::Debug + Send + Sync {
    /// Puts a ticket down, or says that there is no room.
    fn put(&self, print: Print, stub: Stub) -> Coming<'_, Result<(), SessionError>>;

    /// Takes a ticket away; `None` when it was never there, or is gone.
    fn take<'a>(&'a self, print: &'a Print) -> Coming<'a, Result<Option<Stub>, SessionError>>;
}

/// What a ticket is known by: never by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Print(pub(super) [u8; 32]);

/// What a ticket opens, and for whom.
#[derive(Debug)]
pub(super) struct Stub {
    pub(super) session: Session,
    pub(super) origin: Option<HeaderValue>,
    pub(super) app: Option<AppId>,
    pub(super) until: Instant,
}

/// The shelf of one process.
#[derive(Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    stubs: HashMap<Print, Stub>,
    people: HashMap<(Issuer, Subject), usize>,
}

impl Shelf for Memory {
    fn put(&self, print: Print, stub: Stub) -> Coming<'_, Result<(), SessionError>> {
        let until = stub.until;
        let room = self.book().put(print, stub);
        if room.is_ok() {
            tokio::spawn(clear(Arc::downgrade(&self.0), print, until));
        }
        Box::pin(ready(room))
    }

    fn take<'a>(&'a self, print: &'a Print) -> Coming<'a, Result<Option<Stub>, SessionError>> {
        Box::pin(ready(Ok(self.book().take(print))))
    }
}

/// Takes a ticket away when its time is up: its session is watched as long as it lies here.
async fn clear(book: Weak<Mutex<Book>>, print: Print, until: Instant) {
    sleep_until(until).await;
    if let Some(book) = book.upgrade() {
        lock(&book).take(&print);
    }
}

impl Memory {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.0)
    }
}

impl Book {
    fn put(&mut self, print: Print, stub: Stub) -> Result<(), SessionError> {
        let holds = self.people.get(&owner(&stub)).copied().unwrap_or_default();
        if self.stubs.len() >= MOST || holds >= MOST_A_PERSON {
            return Err(SessionError::Crowded);
        }
        self.people.insert(owner(&stub), holds + 1);
        self.stubs.insert(print, stub);
        Ok(())
    }

    fn take(&mut self, print: &Print) -> Option<Stub> {
        let stub = self.stubs.remove(print)?;
        let owner = owner(&stub);
        match self.people.get_mut(&owner) {
            Some(holds) if *holds > 1 => *holds -= 1,
            _ => drop(self.people.remove(&owner)),
        }
        Some(stub)
    }
}

fn owner(stub: &Stub) -> (Issuer, Subject) {
    let person = stub.session.person();
    (person.issuer().clone(), person.subject().clone())
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
