//! The engine that calculates: apps, engine sessions, handles, selections. No sockets, no tokens.

use std::time::Duration;

use serde_json::Value;

/// Everything the engine holds: its apps and the engine sessions that are alive.
#[derive(Debug, Default)]
pub struct Engine {}

impl Engine {
    /// Attaches a socket to the engine session of `key`, making the session when there is none.
    /// The session outlives its last socket by `ttl`.
    pub fn attach(&self, _key: SessionKey, _ttl: Duration) -> (Socket, SessionState) {
        (Socket {}, SessionState::Created)
    }
}

/// What makes two sockets share an engine session: the same user, app and identity.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionKey {
    /// The Qlik user the bearer token stands for.
    pub user: String,
    /// The app segment of the URL.
    pub app: String,
    /// The `/identity/<x>` segment, when there is one.
    pub identity: Option<String>,
}

/// How an attach ended, as `OnConnected` tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionState {
    /// A session that was alive was joined.
    Attached,
    /// A new session was made.
    Created,
}

/// One websocket's place on an engine session. Dropping it leaves the session.
#[derive(Debug)]
pub struct Socket {}

impl Socket {
    /// Takes one JSON-RPC request and returns the messages to send back, the answer first.
    pub fn call(&mut self, _request: &Value) -> Vec<Value> {
        Vec::new()
    }
}
