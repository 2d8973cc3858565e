//! The second question: what may they open and do? Pure: a person and a target enter, a `Permit`
//! leaves; the permit then judges every message of a reading route.

use crate::config::Access;
use crate::fault::Fault;
use crate::person::Person;
use crate::qix::Target;

/// Leave to open one target, and the rules its messages are held to.
#[derive(Clone, Debug)]
pub struct Permit {
    target: Target,
}

/// Decides whether a person may open a target.
pub fn permit(_access: &Access, _person: &Person, target: &Target) -> Result<Permit, Fault> {
    Ok(Permit {
        target: target.clone(),
    })
}

impl Permit {
    /// What was permitted.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the messages of this socket are read; `apps = "any"` with `methods = "any"` reads
    /// nothing.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading::Nothing
    }

    /// Judges one whole client message (its payload, unmasked).
    #[must_use]
    pub fn judge(&self, _kind: MessageKind, _payload: &[u8]) -> Verdict {
        Verdict::Pass
    }
}

/// Whether a socket's client messages are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Every client message is held whole and judged.
    EveryMessage,
    /// Bytes pass unread.
    Nothing,
}

/// The kind of a data message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageKind {
    /// Binary: the engine knows none.
    Binary,
    /// Text: JSON-RPC.
    Text,
}

/// What is to be done with a client message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Answer it in the engine's place with this JSON text.
    Deny(Vec<u8>),
    /// Send it on as it came.
    Pass,
}
