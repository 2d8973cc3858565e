//! What tells one credential from all others.

use serde::{Deserialize, Serialize};

/// Tells a token from all others, those of other replicas too.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Generation(u64);

impl Generation {
    /// One that no other token has.
    pub(super) fn fresh() -> Self {
        let mut bytes = [0; 8];
        // Whoever reads a constant here takes one token for another, and fetches none too many.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        Self(u64::from_ne_bytes(bytes))
    }
}
