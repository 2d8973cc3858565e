//! Why the gate stayed shut, for the client and for the operator.

use std::fmt;
use std::time::Duration;

use super::for_log;
use crate::fault::{Fault, Faulty};

/// Why the gate stayed shut: what the client may know, and what the operator should.
#[derive(Debug)]
pub struct Refusal {
    /// The public face.
    pub fault: Fault,
    /// The operator's.
    pub detail: Option<String>,
    /// When trying again is worth it, where that is known.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Tells the operator what it is about; what comes from outside is escaped and cut.
    #[must_use]
    pub fn about(self, what: &str, value: &str) -> Self {
        let detail = Some(format!("{self} ({what} {})", for_log(value)));
        Self { detail, ..self }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            detail: None,
            retry_after: None,
        }
    }
}

impl<E: Faulty> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self {
            fault: error.fault(),
            detail: Some(error.to_string()),
            retry_after: error.retry_after(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(self.fault.answer().text))
    }
}
