//! Who uses what was made for an identity, and the end of it at Qlik once nobody does.
//!
//! A guest enters with every credential that is handed out and leaves with the last copy of it.
//! When all have left for as long as the mint lingers, it ends what it made, a few at a time, and
//! whoever comes meanwhile waits for that end: a credential that is being ended is given to nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::CredentialError;
use super::identity::Identity;
use super::outcome::{Outcome, Outcomes};

/// How many identities are lingered for; beyond it each is ended as its last guest leaves.
const ROOM: usize = 10_000;
/// How many are ended at a time.
const AT_ONCE: usize = 16;
/// The longest that one end may take.
const LONGEST: Duration = Duration::from_secs(10);
/// How long an end waits that meets a fetch under way.
const LATER: Duration = Duration::from_secs(1);

/// The use of a credential: while one is held, what was made for it is not ended.
#[derive(Clone, Default)]
pub struct Stay(Option<Arc<Guest>>);

/// What ends whatever was made for an identity.
pub(super) trait Ender: Send + Sync + 'static {
    /// Forgets what is kept for an identity; not while more of it is being made.
    fn retire(&self, identity: &Identity) -> bool;

    /// Whether the end of what was made for one identity would be the end of another's too.
    fn ends_too(&self, identity: &Identity, other: &Identity) -> bool;

    /// Ends what was made; says whether there was anything.
    fn end(
        &self,
        identity: &Identity,
    ) -> impl Future<Output = Result<bool, CredentialError>> + Send;

    /// The register of guests.
    fn register(&self) -> &Register;
}

/// Who is in, by identity.
pub(super) struct Register {
    linger: Option<Duration>,
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Default)]
struct Book {
    rooms: HashMap<Identity, Room>,
    closing: bool,
    sweeping: bool,
}

enum Room {
    /// What was made is being ended.
    Ending,
    /// Everybody has left; it is ended then.
    Left(Instant, Arc<Outcomes>),
    /// So many are in.
    Used(usize),
}

/// Somebody who may come in.
pub(super) struct Visitor<'a, E> {
    pub(super) house: &'a Arc<E>,
    pub(super) identity: &'a Identity,
    pub(super) outcomes: &'a Arc<Outcomes>,
}

impl Register {
    /// Lingers so long; or nothing is ever ended.
    pub(super) fn new(linger: Option<Duration>) -> Self {
        Self {
            linger,
            book: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// From now on, whoever leaves is not lingered for.
    pub(super) fn close(&self) {
        let mut book = self.book();
        book.closing = true;
        for room in book.rooms.values_mut() {
            if let Room::Left(due, _) = room {
                *due = Instant::now();
            }
        }
        drop(book);
        self.changed.notify_waiters();
    }

    /// Waits until nothing is left to be ended.
    pub(super) async fn emptied(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.book().rooms.values().any(Room::is_left) {
                return;
            }
            changed.await;
        }
    }

    /// Waits while what was made is being ended, and comes in.
    async fn enter(&self, identity: &Identity) {
        loop {
            let changed = self.changed.notified();
            match self.book().rooms.entry(identity.clone()).or_default() {
                Room::Ending => {}
                Room::Used(guests) => {
                    *guests += 1;
                    return;
                }
                room @ Room::Left(..) => {
                    *room = Room::Used(1);
                    return;
                }
            }
            changed.await;
        }
    }

    /// Goes out; says whether somebody must look after what is left.
    fn leave(&self, identity: &Identity, outcomes: &Arc<Outcomes>) -> bool {
        let mut book = self.book();
        let at_once = book.closing || book.rooms.len() > ROOM;
        let Some(room @ Room::Used(_)) = book.rooms.get_mut(identity) else {
            return false;
        };
        if let Room::Used(guests @ 2..) = room {
            *guests -= 1;
            return false;
        }
        let linger = self.linger.filter(|_| !at_once).unwrap_or_default();
        *room = Room::Left(Instant::now() + linger, Arc::clone(outcomes));
        !std::mem::replace(&mut book.sweeping, true)
    }

    /// Those that are due now; or when the next ones are; or that there are none.
    fn due(&self) -> Due {
        let (mut book, now) = (self.book(), Instant::now());
        let mut next = None;
        let mut due = Vec::new();
        for (identity, room) in &mut book.rooms {
            let Room::Left(at, outcomes) = room else {
                continue;
            };
            if *at <= now && due.len() < AT_ONCE {
                due.push((identity.clone(), Arc::clone(outcomes)));
                *room = Room::Ending;
            } else {
                next = Some(next.map_or(*at, |next: Instant| next.min(*at)));
            }
        }
        match (due.is_empty(), next) {
            (false, _) => Due::Now(due),
            (true, Some(next)) => Due::At(next),
            (true, None) => {
                book.sweeping = false;
                Due::Never
            }
        }
    }

    /// Whether any of those who are in, or have just left, is such a one; not who is being ended.
    fn has(&self, such: impl Fn(&Identity) -> bool) -> bool {
        let book = self.book();
        let mut rooms = book.rooms.iter();
        rooms.any(|(identity, room)| !matches!(room, Room::Ending) && such(identity))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::Used(0)
    }
}

impl Room {
    const fn is_left(&self) -> bool {
        matches!(self, Self::Ending | Self::Left(..))
    }
}

enum Due {
    At(Instant),
    Never,
    Now(Vec<(Identity, Arc<Outcomes>)>),
}

impl<E: Ender> Visitor<'_, E> {
    /// Comes in, and stays as long as what is given lives; nobody stays where nothing is ended.
    pub(super) async fn enter(self) -> Stay {
        if self.house.register().linger.is_none() {
            return Stay::default();
        }
        self.house.register().enter(self.identity).await;
        let (house, identity) = (Arc::clone(self.house), self.identity.clone());
        let outcomes = Arc::clone(self.outcomes);
        let leave = Box::new(move || {
            let left = house.register().leave(&identity, &outcomes);
            // Without a runtime nothing can be ended any more.
            if let (true, Ok(runtime)) = (left, Handle::try_current()) {
                runtime.spawn(sweep(Arc::clone(&house)));
            }
        });
        Stay(Some(Arc::new(Guest { leave })))
    }
}

struct Guest {
    leave: Box<dyn Fn() + Send + Sync>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        (self.leave)();
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stay({})", self.0.is_some())
    }
}

/// Ends what is due, until nothing is left.
async fn sweep<E: Ender>(house: Arc<E>) {
    loop {
        let changed = house.register().changed.notified();
        match house.register().due() {
            Due::Never => return,
            Due::At(next) => tokio::select! {
                () = sleep_until(next) => {}
                () = changed => {}
            },
            Due::Now(due) => {
                let ends = due.into_iter().map(|(identity, outcomes)| {
                    let house = Arc::clone(&house);
                    end(house, identity, outcomes)
                });
                let mut ends: JoinSet<()> = ends.collect();
                while ends.join_next().await.is_some() {}
            }
        }
    }
}

async fn end<E: Ender>(house: Arc<E>, identity: Identity, outcomes: Arc<Outcomes>) {
    let mut vacating = Vacating {
        register: house.register(),
        identity: &identity,
        next: None,
    };
    if !house.retire(&identity) {
        vacating.next = Some(Room::Left(Instant::now() + LATER, outcomes));
        return;
    }
    // Whoever of them leaves last ends it all.
    if house
        .register()
        .has(|other| house.ends_too(&identity, other))
    {
        return;
    }
    let ended = timeout(LONGEST, house.end(&identity)).await;
    match ended {
        Ok(Ok(true)) => outcomes.add(Outcome::Ended),
        Ok(Ok(false)) => {}
        Ok(Err(error)) => {
            outcomes.add(Outcome::Unended);
            tracing::debug!(%error, "a session at Qlik could not be ended");
        }
        Err(_) => outcomes.add(Outcome::Unended),
    }
}

/// Opens the room again, however its end went.
struct Vacating<'a> {
    register: &'a Register,
    identity: &'a Identity,
    next: Option<Room>,
}

impl Drop for Vacating<'_> {
    fn drop(&mut self) {
        let mut book = self.register.book();
        match self.next.take() {
            Some(next) => book.rooms.insert(self.identity.clone(), next),
            None => book.rooms.remove(self.identity),
        };
        drop(book);
        self.register.changed.notify_waiters();
    }
}
