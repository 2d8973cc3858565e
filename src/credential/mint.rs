//! What makes credentials: the one thing that each kind does in its own way.

use std::borrow::Cow;
use std::pin::Pin;
use std::time::Duration;

use super::error::CredentialError;
use super::identity::Identity;
use crate::injection::Injection;

/// What makes credentials.
pub(super) trait Mint: Send + Sync + 'static {
    /// What to call it in the log.
    fn name(&self) -> Cow<'_, str>;

    /// Whether it asks nobody, so that there is nothing to spare by sharing what it makes.
    fn is_alone(&self) -> bool {
        false
    }

    /// Makes a credential for an identity. It must end within a time of its own.
    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a>;
}

/// A credential being made.
pub(super) type Minting<'a> =
    Pin<Box<dyn Future<Output = Result<Minted, CredentialError>> + Send + 'a>>;

/// A credential just made.
#[derive(Debug)]
pub(super) struct Minted {
    /// How it is shown to the engine.
    pub(super) injection: Injection,
    /// How long it is good, counted from the moment it was asked for.
    pub(super) life: Duration,
}
