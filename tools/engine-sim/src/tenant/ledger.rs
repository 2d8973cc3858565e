//! What was seen and counted, for tests to look at.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::request::Parts;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use super::lock::hold;

/// One request as it came.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// When, since the tenant started.
    #[serde(rename = "at_ms", serialize_with = "milliseconds")]
    pub at: Duration,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, as they were on the wire.
    pub target: String,
    /// Every header, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body of a token request; empty otherwise.
    pub body: String,
    /// The text messages of a websocket, each whole.
    pub messages: Vec<String>,
}

impl Seen {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(seen, _)| seen == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct State {
    /// Websockets open now.
    pub sockets_open: usize,
    /// Websockets ever greeted.
    pub sockets_opened: u64,
    /// Pings received.
    pub pings_seen: u64,
    /// Pongs received.
    pub pongs_seen: u64,
    /// Token requests, refused ones too.
    pub token_fetches: u64,
    /// Codes of the Closes that clients began; 1005 when there was none.
    pub close_codes: Vec<u16>,
    /// Codes with which clients answered our Closes.
    pub close_answers: Vec<u16>,
    /// Websockets that ended without a Close from either side.
    pub aborts: u64,
    /// What clients sent that the websocket protocol forbids; each ended its socket.
    pub violations: Vec<String>,
}

type Messages = Arc<Mutex<Vec<String>>>;

/// The place in the ledger where one request's body and messages go.
#[derive(Clone)]
pub(crate) struct Entry {
    seen: Arc<Seen>,
    body: Messages,
    messages: Messages,
}

impl Entry {
    pub(crate) fn body(&self, body: &[u8]) {
        hold(&self.body).push(String::from_utf8_lossy(body).into_owned());
    }

    fn read(&self) -> Seen {
        Seen {
            body: hold(&self.body).concat(),
            messages: hold(&self.messages).clone(),
            ..Seen::clone(&self.seen)
        }
    }
}

/// Everything seen by one tenant.
pub(crate) struct Ledger {
    start: Instant,
    quiet: bool,
    entries: Mutex<Vec<Entry>>,
    calls: Mutex<Vec<String>>,
    unknown: Mutex<Vec<String>>,
    state: watch::Sender<State>,
}

impl Ledger {
    pub(crate) fn new(start: Instant, quiet: bool) -> Self {
        Self {
            start,
            quiet,
            entries: Mutex::default(),
            calls: Mutex::default(),
            unknown: Mutex::default(),
            state: watch::Sender::default(),
        }
    }

    pub(crate) fn enter(&self, head: &Parts) -> Entry {
        let seen = Seen {
            at: self.start.elapsed(),
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            body: String::new(),
            messages: Vec::new(),
        };
        let entry = Entry {
            seen: Arc::new(seen),
            body: Messages::default(),
            messages: Messages::default(),
        };
        hold(&self.entries).push(entry.clone());
        entry
    }

    pub(crate) fn message(&self, entry: &Entry, text: &str) {
        if !self.quiet {
            hold(&entry.messages).push(text.to_owned());
        }
    }

    pub(crate) fn call(&self, method: &str) {
        if !self.quiet {
            hold(&self.calls).push(method.to_owned());
        }
    }

    pub(crate) fn unknown_call(&self, method: &str) {
        hold(&self.unknown).push(method.to_owned());
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        hold(&self.entries).iter().map(Entry::read).collect()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        hold(&self.calls).clone()
    }

    pub(crate) fn unknown(&self) -> Vec<String> {
        hold(&self.unknown).clone()
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) async fn until(&self, reached: impl FnMut(&State) -> bool) -> State {
        let mut watch = self.state.subscribe();
        match watch.wait_for(reached).await {
            Ok(state) => state.clone(),
            Err(_) => self.state(),
        }
    }

    /// Forgets all but the sockets that are open.
    pub(crate) fn clear(&self) {
        hold(&self.entries).clear();
        hold(&self.calls).clear();
        hold(&self.unknown).clear();
        self.count(|state| {
            *state = State {
                sockets_open: state.sockets_open,
                ..State::default()
            };
        });
    }
}

fn milliseconds<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}
