//! The answer to a call that was not sent on, as the engine would word it.

use serde::Serialize;

use super::{Call, Id, Unreadable};

/// `LOCERR_GENERIC_ACCESS_DENIED`.
const ACCESS_DENIED: i32 = 5;
/// How much of a method's name is said back, in characters.
const METHOD_CHARS: usize = 64;

/// An "access denied" in the engine's shape, with the id of the call where that was read.
#[derive(Debug, Serialize)]
pub struct Denial<'a> {
    jsonrpc: &'static str,
    id: Option<&'a Id<'a>>,
    error: Cause<'a>,
}

impl<'a> Denial<'a> {
    /// Denies a call.
    #[must_use]
    pub fn of_call(call: &'a Call<'_>) -> Self {
        Self::new(call.id(), call.method())
    }

    /// Denies what is not understood.
    #[must_use]
    pub fn of_unreadable(message: &'a Unreadable<'_>) -> Self {
        Self::new(message.id(), "")
    }

    /// Denies what has no id, a binary message.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::new(None, "")
    }

    fn new(id: Option<&'a Id<'a>>, method: &'a str) -> Self {
        let end = method
            .char_indices()
            .nth(METHOD_CHARS)
            .map_or(method.len(), |(at, _)| at);
        Self {
            jsonrpc: "2.0",
            id,
            error: Cause {
                code: ACCESS_DENIED,
                parameter: &method[..end],
                message: "Access denied",
            },
        }
    }

    /// The JSON text to send.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Texts and integers alone: nothing in it can fail to become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[derive(Debug, Serialize)]
struct Cause<'a> {
    code: i32,
    parameter: &'a str,
    message: &'static str,
}
