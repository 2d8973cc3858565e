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
use super::super::evidence::Shown;
use super::number::{Number, Print, hash};
use super::places::{Place, Places};
use crate::id::{AppId, SessionId};
use crate::person::Person;

/// What a shelf will say: one that is shared lies behind a network.
pub(super) type Coming<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shelf.
pub(super) trait Shelf: fmt::Debug + Send + Sync {
    /// Puts a ticket down, or says that there is no room.
    fn put<'a>(
        &'a self,
        number: Number<'a>,
        stub: Stub<Found>,
    ) -> Coming<'a, Result<(), SessionError>>;

    /// Takes a ticket away; `None` when it was never there, or is gone.
    fn take<'a>(
        &'a self,
        number: Number<'a>,
    ) -> Coming<'a, Result<Option<Stub<Holder>>, SessionError>>;
}

/// What a ticket opens, and for whom.
#[derive(Debug)]
pub(super) struct Stub<H> {
    pub(super) holder: H,
    pub(super) origin: Option<HeaderValue>,
    pub(super) app: Option<AppId>,
    pub(super) until: Instant,
}

/// Who gets a ticket.
#[derive(Debug)]
pub(super) struct Found {
    /// The session that a check has found.
    pub(super) session: Session,
    /// What it was found by.
    pub(super) shown: Shown,
}

/// Who had a ticket.
#[derive(Debug)]
pub(super) enum Holder {
    /// Whoever is asked again, by what they showed, on whatever replica the ticket is used.
    Asked {
        /// What they showed.
        shown: Shown,
        /// Who they have to be.
        who: Who,
    },
    /// The very session that the ticket was given for.
    Known(Session),
}

/// Somebody's session, by a hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Who(pub(super) [u8; 32]);

impl Who {
    /// Names a person's session.
    pub(super) fn of(person: &Person) -> Self {
        let session = person.session().map(SessionId::expose);
        let parts = [
            person.issuer().as_str(),
            person.subject().as_str(),
            if session.is_some() { "by id" } else { "" },
            session.unwrap_or_default(),
        ];
        Self(hash(parts.map(str::as_bytes)))
    }
}

/// The shelf of one process.
#[derive(Debug, Default)]
pub(super) struct Own {
    book: Arc<Mutex<Book>>,
    places: Places,
}

type Book = HashMap<Print, (Stub<Holder>, Place)>;

impl Shelf for Own {
    fn put<'a>(
        &'a self,
        number: Number<'a>,
        stub: Stub<Found>,
    ) -> Coming<'a, Result<(), SessionError>> {
        Box::pin(ready(self.keep(number.print(), stub)))
    }

    fn take<'a>(
        &'a self,
        number: Number<'a>,
    ) -> Coming<'a, Result<Option<Stub<Holder>>, SessionError>> {
        let found = lock(&self.book).remove(&number.print());
        Box::pin(ready(Ok(found.map(|(stub, _)| stub))))
    }
}

impl Own {
    fn keep(&self, print: Print, stub: Stub<Found>) -> Result<(), SessionError> {
        let session = stub.holder.session;
        let place = self.places.take(session.person())?;
        let until = stub.until;
        let kept = Stub {
            holder: Holder::Known(session),
            origin: stub.origin,
            app: stub.app,
            until,
        };
        lock(&self.book).insert(print, (kept, place));
        tokio::spawn(clear(Arc::downgrade(&self.book), print, until));
        Ok(())
    }
}

/// Takes a ticket away when its time is up: its session is watched as long as it lies here.
async fn clear(book: Weak<Mutex<Book>>, print: Print, until: Instant) {
    sleep_until(until).await;
    if let Some(book) = book.upgrade() {
        lock(&book).remove(&print);
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
