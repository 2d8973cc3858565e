//! What the proxy of Qlik Sense Enterprise on Windows says before it closes a socket.

use serde_json::{Value, json};

/// The sixth session of a person who may have five.
pub(crate) const PARALLEL_SESSIONS: (&str, &str) = (
    "OnMaxParallelSessionsExceeded",
    "You cannot access Qlik Sense because you have too many sessions active",
);
/// The session was ended from elsewhere.
pub(crate) const LOGGED_OUT: (&str, &str) = ("OnSessionLoggedOut", "You have been logged out");
/// The session was ended by the session API.
pub(crate) const CLOSED: (&str, &str) = ("OnSessionClosed", "The session was closed");

/// A fatal notice.
pub(crate) fn fatal(method: &str, message: &str) -> Value {
    let params = json!({
        "severity": "fatal", "message": message, "timestamp": "2026-01-01T00:00:00.000Z",
    });
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// A harmless one.
pub(crate) fn progress() -> Value {
    json!({ "jsonrpc": "2.0", "method": "OnProgress", "params": { "qText": "by script" } })
}
