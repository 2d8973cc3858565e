//! Proxy sessions: who has one, on which virtual proxy, and which of them are too many.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::person::{Newcomer, Person};
use crate::tenant::{lock::hold, notices};

/// One session as a test sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProxySession {
    /// The prefix of its virtual proxy.
    pub virtual_proxy: String,
    /// Whose it is.
    pub person: Person,
    /// What Qlik was told of them besides, each an object of one name and its text.
    pub attributes: Vec<Value>,
    /// The websockets that are open on it.
    pub sockets: usize,
}

/// A session that is alive.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) csrf: String,
    pub(super) prefix: String,
    pub(super) person: Person,
    pub(super) attributes: Vec<Value>,
    idle: Duration,
    used: Mutex<Instant>,
    end: watch::Sender<Option<Value>>,
}

impl Session {
    /// Tells one socket of the session's end.
    pub(super) fn ending(&self) -> watch::Receiver<Option<Value>> {
        self.end.subscribe()
    }

    fn is_over(&self, now: Instant) -> bool {
        if self.end.receiver_count() > 0 {
            *hold(&self.used) = now;
        }
        now.duration_since(*hold(&self.used)) >= self.idle
    }
}

/// A session that is to be.
pub(super) struct Opening {
    pub(super) id: String,
    pub(super) csrf: String,
    pub(super) prefix: String,
    pub(super) newcomer: Newcomer,
    pub(super) idle: Duration,
}

/// All sessions of all virtual proxies, oldest first.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Vec<Arc<Session>>>);

impl Sessions {
    pub(super) fn open(&self, opening: Opening) -> Arc<Session> {
        let session = Arc::new(Session {
            id: opening.id,
            csrf: opening.csrf,
            prefix: opening.prefix,
            person: opening.newcomer.person,
            attributes: opening.newcomer.attributes,
            idle: opening.idle,
            used: Mutex::new(Instant::now()),
            end: watch::Sender::new(None),
        });
        let mut alive = hold(&self.0);
        bury(&mut alive);
        alive.push(Arc::clone(&session));
        session
    }

    /// The session of this cookie on this virtual proxy, which is used by asking.
    pub(super) fn find(&self, prefix: &str, id: &str) -> Option<Arc<Session>> {
        let session = self.alive(|session| session.prefix == prefix && session.id == id);
        let session = session.into_iter().next()?;
        *hold(&session.used) = Instant::now();
        Some(session)
    }

    /// How many sessions its person had before this one.
    pub(super) fn rank(&self, session: &Session) -> usize {
        let same = self.alive(|other| other.person == session.person);
        let before = same.iter().take_while(|other| other.id != session.id);
        before.count()
    }

    pub(super) fn alive(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut alive = hold(&self.0);
        bury(&mut alive);
        alive.iter().filter(|one| wanted(one)).cloned().collect()
    }

    /// Ends the sessions that are `wanted`; their sockets hear `notice` and are closed.
    pub(super) fn end(
        &self,
        notice: (&str, &str),
        wanted: impl Fn(&Session) -> bool,
    ) -> Vec<Arc<Session>> {
        let ended = self.alive(wanted);
        hold(&self.0).retain(|one| !ended.iter().any(|over| Arc::ptr_eq(one, over)));
        for session in &ended {
            session
                .end
                .send_replace(Some(notices::fatal(notice.0, notice.1)));
        }
        ended
    }

    /// Loses every session without a word: their cookies are strangers' from now on.
    pub(super) fn forget(&self) {
        hold(&self.0).clear();
    }

    pub(super) fn list(&self) -> Vec<ProxySession> {
        let alive = self.alive(|_| true);
        let seen = alive.iter().map(|session| ProxySession {
            virtual_proxy: session.prefix.clone(),
            person: session.person.clone(),
            attributes: session.attributes.clone(),
            sockets: session.end.receiver_count(),
        });
        seen.collect()
    }
}

/// Forgets the sessions that nobody used for too long.
fn bury(sessions: &mut Vec<Arc<Session>>) {
    let now = Instant::now();
    sessions.retain(|session| !session.is_over(now));
}
