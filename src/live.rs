//! The sockets that are open: who holds how many, and how to end them. A seat is taken before the
//! engine is dialled and given back when its guard drops; no lock leaves this room.

mod pick;

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::pick::Pick;
use crate::config::{Limits, Origin, Print};
use crate::fault::Fault;
use crate::id::{AppId, ConnectionId, EngineIdentity, Issuer, Subject};
use crate::person::Person;
use crate::policy::Permit;
use crate::record::{Cause, Ledger, Opening, Tally};

/// The registry of open sockets.
#[derive(Debug)]
pub struct Live {
    caps: Limits,
    open: AtomicUsize,
    draining: CancellationToken,
    emptied: Notify,
    sockets: DashMap<ConnectionId, Arc<Socket>>,
    people: DashMap<Owner, Holding>,
}

/// An open socket, or one that is being opened.
#[derive(Debug)]
pub struct Socket {
    ledger: Arc<Ledger>,
    person: Person,
    since: Instant,
    grounds: Grounds,
    order: Order,
}

/// An order to end, which comes once at most, and who waits for it.
#[derive(Debug, Default)]
struct Order {
    cause: OnceLock<Cause>,
    relay: AtomicWaker,
}

impl Order {
    fn give(&self, cause: Cause) {
        // The first stands.
        let _ = self.cause.set(cause);
        self.relay.wake();
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Cause> {
        self.relay.register(cx.waker());
        // Looked at after that, so that an order is either seen here or wakes whoever waits.
        match self.cause.get() {
            Some(cause) => Poll::Ready(*cause),
            None => Poll::Pending,
        }
    }
}

/// On what grounds a socket was let in: all that other rules would judge it by.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// What its `Origin` was; a program sends none.
    pub origin: Option<Origin>,
    /// The one app that its session may open, where it came by a ticket that says so.
    pub app: Option<AppId>,
    /// What it was permitted.
    pub permit: Permit,
    /// What the route's session checks were made of, and what led to this Qlik and to nobody else at it.
    pub basis: Print,
}

impl Socket {
    /// On what grounds it was let in.
    #[must_use]
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// What its record begins with.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.ledger.opening
    }

    /// What it shares with its record.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Whose it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// How long it has been there.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// What has moved on it.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.ledger.tally
    }

    fn owner(&self) -> Owner {
        Owner {
            issuer: self.person.issuer().clone(),
            subject: self.person.subject().clone(),
        }
    }
}

/// A person, told apart from the same name at another issuer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Owner {
    issuer: Issuer,
    subject: Subject,
}

#[derive(Debug, Default)]
struct Holding {
    sockets: usize,
    identities: HashMap<EngineIdentity, usize>,
}

impl Live {
    /// An empty registry.
    #[must_use]
    pub fn new(caps: Limits) -> Arc<Self> {
        Arc::new(Self {
            caps,
            open: AtomicUsize::new(0),
            draining: CancellationToken::new(),
            emptied: Notify::new(),
            sockets: DashMap::new(),
            people: DashMap::new(),
        })
    }

    /// Takes a seat for a person's socket, within the caps.
    pub fn seat(
        self: &Arc<Self>,
        ledger: &Arc<Ledger>,
        person: &Person,
        grounds: Grounds,
    ) -> Result<Seat, Fault> {
        if self.open.fetch_add(1, Ordering::SeqCst) >= self.caps.sockets {
            self.leave();
            return Err(Fault::TooMany);
        }
        let socket = Arc::new(Socket {
            ledger: Arc::clone(ledger),
            person: person.clone(),
            since: Instant::now(),
            grounds,
            order: Order::default(),
        });
        if let Err(fault) = self.hold(socket.owner(), &socket.opening().identity) {
            self.leave();
            return Err(fault);
        }
        self.sockets
            .insert(socket.opening().id, Arc::clone(&socket));
        let live = Arc::clone(self);
        let seat = Seat {
            live,
            socket,
            is_told: false,
        };
        // Looked at after the registration, so that a drain either sees the seat or is seen here.
        if self.is_draining() {
            Err(Fault::ShuttingDown)
        } else {
            Ok(seat)
        }
    }

    /// Ends every socket, and lets none in any more.
    pub fn drain(&self) {
        self.draining.cancel();
        self.end_where(|_| true, Cause::Drained);
    }

    /// Ends the sockets that are picked; says how many.
    pub fn end_where(&self, pick: impl Fn(&Socket) -> bool, cause: Cause) -> usize {
        self.judge(|socket| pick(socket).then_some(cause))
    }

    /// Ends each socket that there is a cause to end; says how many.
    pub fn judge(&self, cause: impl Fn(&Socket) -> Option<Cause>) -> usize {
        let judged = self.sockets.iter();
        let picked = judged.filter_map(|socket| Some((*socket.key(), cause(&socket)?)));
        let picked: Vec<(ConnectionId, Cause)> = picked.collect();
        let ended = picked.into_iter().filter_map(|(id, cause)| {
            let (_, socket) = self.sockets.remove(&id)?;
            socket.order.give(cause);
            Some(())
        });
        ended.count()
    }

    /// Describes every socket.
    pub fn list<T>(&self, describe: impl Fn(&Socket) -> T) -> Vec<T> {
        self.sockets
            .iter()
            .map(|socket| describe(&socket))
            .collect()
    }

    /// Whether a drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until a drain begins.
    pub async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// How many sockets are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Waits until no socket is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn hold(&self, owner: Owner, identity: &EngineIdentity) -> Result<(), Fault> {
        let mut holding = self.people.entry(owner).or_default();
        let known = holding.identities.contains_key(identity);
        let full = holding.sockets >= self.caps.sockets_per_subject
            || (!known && holding.identities.len() >= self.caps.identities_per_subject);
        if full {
            return Err(Fault::TooMany);
        }
        holding.sockets += 1;
        *holding.identities.entry(identity.clone()).or_default() += 1;
        Ok(())
    }

    fn release(&self, owner: Owner, identity: &EngineIdentity) {
        let Entry::Occupied(mut entry) = self.people.entry(owner) else {
            return;
        };
        let holding = entry.get_mut();
        holding.sockets -= 1;
        if let Some(uses) = holding.identities.get_mut(identity) {
            *uses -= 1;
            if *uses == 0 {
                holding.identities.remove(identity);
            }
        }
        if holding.sockets == 0 {
            entry.remove();
        }
    }

    fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.emptied.notify_waiters();
        }
    }
}

/// A socket's place in the registry; dropping it gives the place back.
#[derive(Debug)]
pub struct Seat {
    live: Arc<Live>,
    socket: Arc<Socket>,
    is_told: bool,
}

impl Seat {
    /// The socket whose place it is.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits for the order to end; it comes once at most.
    pub async fn ordered(&mut self) -> Cause {
        if self.is_told {
            return pending().await;
        }
        let cause = poll_fn(|cx| self.socket.order.poll(cx)).await;
        self.is_told = true;
        cause
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let opening = self.socket.opening();
        self.live.sockets.remove(&opening.id);
        self.live.release(self.socket.owner(), &opening.identity);
        self.live.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde_json::Map;

    use super::*;
    use crate::config::{Access, Apps, Methods};
    use crate::policy::permit;
    use crate::qix::{Document, Target};

    impl Grounds {
        pub(crate) fn sample() -> Self {
            let access = Access {
                apps: Apps::Any,
                methods: Methods::Any,
                session_apps: false,
            };
            let target = Target {
                document: Document::EngineData,
                identity: None,
                ttl: None,
            };
            let (issuer, subject) = (Issuer::new("i"), Subject::new("a"));
            let person = Person::new(issuer, subject, None, Map::new());
            Self {
                origin: None,
                app: None,
                permit: permit(&access, &person, &target).unwrap(),
                basis: Print::default(),
            }
        }
    }

    const CAPS: Limits = Limits {
        sockets: 3,
        sockets_per_subject: 2,
        identities_per_subject: 1,
        opens_per_minute: 9,
        failures_per_minute: 9,
    };

    fn person(issuer: &str, subject: &str) -> Person {
        Person::new(Issuer::new(issuer), Subject::new(subject), None, Map::new())
    }

    fn ledger(id: u64, identity: &str) -> Arc<Ledger> {
        Arc::new(Ledger::new(Opening::sample(id, identity)))
    }

    #[test]
    fn caps_hold_by_person_by_identity_and_in_all() {
        let live = Live::new(CAPS);
        let seat = |n, who: &Person, id: &str| live.seat(&ledger(n, id), who, Grounds::sample());
        let (ada, other_ada) = (person("idp", "ada"), person("other", "ada"));
        let first = seat(1, &ada, "x").unwrap();
        assert_eq!(
            seat(2, &ada, "y").unwrap_err(),
            Fault::TooMany,
            "one identity each"
        );
        let _second = seat(3, &ada, "x").unwrap();
        assert_eq!(
            seat(4, &ada, "x").unwrap_err(),
            Fault::TooMany,
            "two sockets each"
        );
        let _third = seat(5, &other_ada, "x").unwrap();
        assert_eq!(
            seat(6, &person("idp", "eve"), "e").unwrap_err(),
            Fault::TooMany,
            "three in all"
        );
        drop(first);
        let _again = seat(7, &ada, "x").unwrap();
        assert_eq!(live.open(), 3);
    }

    #[test]
    fn what_is_closed_was_open_then() {
        let live = Live::new(CAPS);
        let ada = person("idp", "ada");
        let _seat = live.seat(&ledger(1, "x"), &ada, Grounds::sample()).unwrap();
        let pick = Pick::new([("subject".to_owned(), "ada".to_owned())]).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(live.close(&pick, now.saturating_sub(second)), 0);
        assert_eq!(live.close(&pick, now + second), 1);
    }

    #[tokio::test]
    async fn a_drain_reaches_every_seat_and_lets_none_in() {
        let live = Live::new(CAPS);
        let mut seat = live
            .seat(&ledger(1, "x"), &person("i", "a"), Grounds::sample())
            .unwrap();
        live.drain();
        assert_eq!(seat.ordered().await, Cause::Drained);
        let refused = live.seat(&ledger(2, "y"), &person("i", "b"), Grounds::sample());
        assert_eq!(refused.unwrap_err(), Fault::ShuttingDown);
        assert_eq!(live.open(), 1, "a refused seat is given back");
        drop(seat);
        live.emptied().await;
        assert!(live.people.is_empty() && live.sockets.is_empty());
    }
}
