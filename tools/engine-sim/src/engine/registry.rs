//! Which engine sessions are alive, and what nobody recorded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    SessionKey, SessionState,
    data::Catalogue,
    rpc::{Fault, Request},
    session::{SeatId, Session},
    socket::lock,
};

/// Unknown calls are kept for a test to look at, not to be filled by strangers.
const MOST_UNKNOWN: usize = 256;
/// Longer than any method's name.
const LONGEST_NAME: usize = 80;

/// The engine's shared state.
#[derive(Debug, Default)]
pub(super) struct Registry {
    catalogue: Arc<Catalogue>,
    sessions: Mutex<HashMap<SessionKey, Alive>>,
    unknown: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Alive {
    session: Arc<Mutex<Session>>,
    /// When it ends, if no socket comes back.
    ends: Option<Instant>,
}

impl Registry {
    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn attach(
        &self,
        key: SessionKey,
    ) -> (Arc<Mutex<Session>>, (SeatId, Arc<Notify>), SessionState) {
        let mut sessions = lock(&self.sessions);
        bury(&mut sessions);
        let state = match sessions.get(&key) {
            Some(_) => SessionState::Attached,
            None => SessionState::Created,
        };
        let alive = sessions.entry(key.clone()).or_insert_with(|| Alive {
            session: Arc::new(Mutex::new(Session::new(key, Arc::clone(&self.catalogue)))),
            ends: None,
        });
        alive.ends = None;
        let seat = lock(&alive.session).seat();
        (Arc::clone(&alive.session), seat, state)
    }

    pub(super) fn leave(&self, session: &Mutex<Session>, seat: SeatId, ttl: Duration) {
        let mut sessions = lock(&self.sessions);
        let key = {
            let mut session = lock(session);
            if !session.leave(seat) {
                return;
            }
            session.key.clone()
        };
        if let Some(alive) = sessions.get_mut(&key) {
            alive.ends = Some(Instant::now() + ttl);
        }
        bury(&mut sessions);
    }

    pub(super) fn keys(&self) -> Vec<SessionKey> {
        let mut sessions = lock(&self.sessions);
        bury(&mut sessions);
        sessions.keys().cloned().collect()
    }

    pub(super) fn unknown_calls(&self) -> Vec<String> {
        lock(&self.unknown).clone()
    }

    /// Keeps the name of a method the engine does not have.
    pub(super) fn note(&self, request: &Request, fault: &Fault) {
        let Some(name) = fault.unknown_method() else {
            return;
        };
        let mut unknown = lock(&self.unknown);
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let is_new = !unknown.contains(&name) && unknown.len() < MOST_UNKNOWN;
        if is_new {
            unknown.push(name);
        }
        tracing::debug!(method = ?request.method, "a call that nobody recorded");
    }
}

/// Forgets the sessions whose time is up.
fn bury(sessions: &mut HashMap<SessionKey, Alive>) {
    let now = Instant::now();
    sessions.retain(|_, alive| alive.ends.is_none_or(|ends| now < ends));
}
