//! How a door speaks on a socket, beside what the engine says: words before the greeting, their
//! moment, what becomes of pings, and the notice that comes when a session ends.

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::engine::SessionState;

/// When a door says its first words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Speaks {
    /// Right after the 101.
    #[default]
    AtOnce,
    /// When the client has sent its first message.
    AfterFirstMessage,
}

/// What follows a door's first words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Then {
    /// The engine: its greeting, and answers.
    #[default]
    Engine,
    /// Nothing: no call is ever answered.
    Silence,
    /// A Close.
    Close,
}

/// What a ping of the client does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Pinged {
    /// It is answered, and that is all.
    #[default]
    Harmless,
    /// No later message is answered.
    Wedges,
}

/// How one socket is spoken to; the default is a bare engine's.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    pub(crate) speaks: Speaks,
    pub(crate) preface: Option<Value>,
    pub(crate) then: Then,
    pub(crate) pinged: Pinged,
    pub(crate) ending: Option<watch::Receiver<Option<Value>>>,
}

impl Manner {
    /// The first words, in order.
    pub(crate) fn words(&self, session: SessionState) -> Vec<String> {
        let preface = self.preface.iter().map(Value::to_string);
        let greeting = (self.then == Then::Engine).then(|| greeting(session).to_string());
        preface.chain(greeting).collect()
    }
}

/// Waits for the notice with which a session ends.
pub(crate) async fn notice(ending: &mut Option<watch::Receiver<Option<Value>>>) -> Value {
    let said = match ending {
        Some(watch) => match watch.wait_for(Option::is_some).await {
            Ok(notice) => notice.clone(),
            Err(_) => None,
        },
        None => None,
    };
    *ending = None;
    match said {
        Some(notice) => notice,
        None => std::future::pending().await,
    }
}

fn greeting(session: SessionState) -> Value {
    let state = match session {
        SessionState::Attached => "SESSION_ATTACHED",
        SessionState::Created => "SESSION_CREATED",
    };
    json!({ "jsonrpc": "2.0", "method": "OnConnected", "params": { "qSessionState": state } })
}
