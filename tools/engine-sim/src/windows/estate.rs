//! What the three ports share: virtual proxies, sessions, tickets, and what was counted.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use serde::Serialize;

use super::{
    person::{Newcomer, Person},
    sessions::{Opening, Session, Sessions},
    tickets::Tickets,
    virtual_proxy::VirtualProxy,
};
use crate::tenant::{lock::hold, shared::Shared};

/// What was counted, beside the websockets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Tally {
    /// Requests for `/qps/csrftoken`, refused ones too.
    pub bootstraps: u64,
    /// Tickets drawn from the proxy service.
    pub tickets_drawn: u64,
    /// Tickets that let somebody in.
    pub tickets_spent: u64,
    /// Proxy sessions ever opened, however that came about.
    pub sessions_opened: u64,
    /// Proxy sessions ended by request.
    pub sessions_ended: u64,
    /// Websockets turned away because their person has too many sessions.
    pub sockets_over_limit: u64,
    /// Websockets that were told `mustAuthenticate: true`.
    pub sockets_asked: u64,
}

/// One installation.
pub(super) struct Estate {
    pub(super) shared: Arc<Shared>,
    pub(super) proxies: Vec<Named>,
    pub(super) limit: usize,
    pub(super) sessions: Sessions,
    pub(super) tickets: Tickets,
    people: Mutex<HashSet<Person>>,
    /// What stands in every `logoutUri`.
    pub(super) logout: String,
    tally: Mutex<Tally>,
}

/// A virtual proxy with all that its prefix and the front door say about it.
pub(super) struct Named {
    pub(super) proxy: VirtualProxy,
    pub(super) prefix: String,
    pub(super) cookie: String,
    pub(super) hosts: Vec<String>,
}

impl Estate {
    pub(super) fn new(shared: Arc<Shared>, proxies: Vec<Named>, limit: usize) -> Self {
        Self {
            logout: shared.vault.plant("logout"),
            shared,
            proxies,
            limit,
            sessions: Sessions::default(),
            tickets: Tickets::default(),
            people: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub(super) fn proxy(&self, prefix: &str) -> Option<&Named> {
        self.proxies.iter().find(|named| named.prefix == prefix)
    }

    /// A new session of somebody, with an id of its own or the one that was chosen.
    pub(super) fn open(
        &self,
        named: &Named,
        newcomer: impl Into<Newcomer>,
        id: Option<String>,
    ) -> Arc<Session> {
        let vault = &self.shared.vault;
        if let Some(id) = &id {
            vault.keep(id);
        }
        self.count(|tally| tally.sessions_opened += 1);
        let newcomer = newcomer.into();
        let newcomer = Newcomer {
            person: self.known(newcomer.person),
            ..newcomer
        };
        self.sessions.open(Opening {
            id: id.unwrap_or_else(|| vault.plant("session")),
            csrf: vault.plant("csrf"),
            prefix: named.prefix.clone(),
            newcomer,
            idle: named.proxy.idle,
        })
    }

    /// Somebody as they were spelt when they first came.
    pub(super) fn known(&self, person: Person) -> Person {
        let mut people = hold(&self.people);
        if let Some(known) = people.get(&person) {
            return known.clone();
        }
        people.insert(person.clone());
        person
    }

    /// Ends the sessions that are `wanted`, and says which they were.
    pub(super) fn end(
        &self,
        notice: (&str, &str),
        wanted: impl Fn(&Session) -> bool,
    ) -> Vec<Arc<Session>> {
        let ended = self.sessions.end(notice, wanted);
        self.count(|tally| tally.sessions_ended += ended.len() as u64);
        ended
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut hold(&self.tally));
    }

    pub(super) fn tally(&self) -> Tally {
        *hold(&self.tally)
    }

    pub(super) fn reset(&self) {
        self.shared.reset();
        *hold(&self.tally) = Tally::default();
    }
}
