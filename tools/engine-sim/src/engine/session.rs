//! An engine session: what all sockets of one user, app and identity share.
//!
//! Enters: sockets that take a seat, and calls. Leaves: the doc with its selections, and for each
//! seat the handles it has to be told of. Never speaks JSON-RPC.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use tokio::sync::Notify;

use super::{
    SessionKey,
    data::{App, Catalogue, FieldId},
    delta::Deltas,
    doc::Doc,
    rpc::Fault,
};

/// One engine session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: SessionKey,
    pub(super) catalogue: Arc<Catalogue>,
    doc: Option<Doc>,
    seats: BTreeMap<SeatId, Seat>,
    next_seat: u64,
}

/// A socket's place in a session.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SeatId(u64);

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a socket has of its own: handles, and what it was told.
#[derive(Debug, Default)]
pub(super) struct Seat {
    handles: BTreeMap<i64, Target>,
    next_handle: i64,
    stale: BTreeSet<i64>,
    changed: BTreeSet<i64>,
    closed: Vec<i64>,
    pub(super) deltas: Deltas,
    notify: Arc<Notify>,
}

/// What a handle stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Global,
    Doc,
    Field(FieldId),
    Object(String),
}

/// Handles a client has to hear of.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    pub(super) changed: Vec<i64>,
    pub(super) closed: Vec<i64>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.closed.is_empty()
    }
}

impl Session {
    pub(super) fn new(key: SessionKey, catalogue: Arc<Catalogue>) -> Self {
        Self {
            key,
            catalogue,
            doc: None,
            seats: BTreeMap::new(),
            next_seat: 0,
        }
    }

    /// Gives a socket its place.
    pub(super) fn seat(&mut self) -> (SeatId, Arc<Notify>) {
        let id = SeatId(self.next_seat);
        self.next_seat += 1;
        let seat = self.seats.entry(id).or_default();
        (id, Arc::clone(&seat.notify))
    }

    /// Takes a socket's place away; says whether it was the last.
    pub(super) fn leave(&mut self, seat: SeatId) -> bool {
        self.seats.remove(&seat);
        self.seats.is_empty()
    }

    /// Opens an app; a session has one for all its life.
    pub(super) fn open(&mut self, app: Arc<App>) -> Result<(), Fault> {
        if let Some(doc) = &self.doc {
            return Err(Fault::app_already_open(&doc.app.id));
        }
        self.doc = Some(Doc::open(app));
        Ok(())
    }

    pub(super) fn doc(&self) -> Result<&Doc, Fault> {
        self.doc.as_ref().ok_or_else(Fault::app_not_open)
    }

    pub(super) fn doc_mut(&mut self) -> Result<&mut Doc, Fault> {
        self.doc.as_mut().ok_or_else(Fault::app_not_open)
    }

    pub(super) fn seat_mut(&mut self, seat: SeatId) -> &mut Seat {
        self.seats.entry(seat).or_default()
    }

    pub(super) fn target(&self, seat: SeatId, handle: i64) -> Option<Target> {
        if handle == -1 {
            return Some(Target::Global);
        }
        self.seats.get(&seat)?.handles.get(&handle).cloned()
    }

    /// The handle a seat has for a target; a new one if it has none.
    pub(super) fn handle(&mut self, seat: SeatId, target: Target) -> i64 {
        let seat = self.seat_mut(seat);
        if let Some((handle, _)) = seat.handles.iter().find(|(_, known)| **known == target) {
            return *handle;
        }
        seat.next_handle += 1;
        seat.handles.insert(seat.next_handle, target);
        seat.next_handle
    }

    /// A layout was fetched: from here on the seat hears of the next change.
    pub(super) fn refresh(&mut self, seat: SeatId, handle: i64) {
        let seat = self.seat_mut(seat);
        seat.stale.remove(&handle);
        seat.changed.remove(&handle);
    }

    /// Notes for every seat which of its handles the last call changed, and wakes the others.
    pub(super) fn spread(&mut self, by: SeatId) {
        let Some(doc) = &mut self.doc else { return };
        let touched = doc.take_touched();
        if touched.is_empty() {
            return;
        }
        let is_touched = |id: &str| {
            touched.objects.contains(id)
                || touched.selections
                    && doc
                        .object(id)
                        .is_some_and(super::object::Object::is_dynamic)
        };
        for (id, seat) in &mut self.seats {
            seat.invalidate(is_touched);
            seat.close(&touched.removed);
            if *id != by {
                seat.notify.notify_one();
            }
        }
    }

    /// What a seat has not been told yet.
    pub(super) fn take_news(&mut self, seat: SeatId) -> News {
        let seat = self.seat_mut(seat);
        News {
            changed: std::mem::take(&mut seat.changed).into_iter().collect(),
            closed: std::mem::take(&mut seat.closed),
        }
    }
}

impl Seat {
    /// A handle is announced once, until its layout is fetched again.
    fn invalidate(&mut self, is_touched: impl Fn(&str) -> bool) {
        for (handle, target) in &self.handles {
            let Target::Object(id) = target else { continue };
            if is_touched(id) && self.stale.insert(*handle) {
                self.changed.insert(*handle);
            }
        }
    }

    fn close(&mut self, removed: &[String]) {
        let gone = |target: &Target| matches!(target, Target::Object(id) if removed.contains(id));
        let handles = self.handles.iter().filter(|(_, target)| gone(target));
        let closed: Vec<i64> = handles.map(|(handle, _)| *handle).collect();
        for handle in &closed {
            self.handles.remove(handle);
            self.stale.remove(handle);
            self.changed.remove(handle);
            self.deltas.forget(*handle);
        }
        self.closed.extend(closed);
    }
}
