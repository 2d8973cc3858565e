//! What makes credentials: the one thing that each kind does in its own way.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::error::CredentialError;
use super::identity::Identity;
use super::keepers::Name;
use super::tempo::Tempo;
use crate::injection::Injection;

/// What makes credentials.
pub(super) trait Mint: Send + Sync + 'static {
    /// What to call it in the log.
    fn name(&self) -> Cow<'_, str>;

    /// Whom Qlik counts its requests to, where others may ask in the same name: all of them keep one
    /// pace.
    fn account(&self) -> Option<Name> {
        None
    }

    /// How whoever has to be asked first has fared, if there is such a one: while they are of no help, a
    /// fetch would be in vain.
    fn before(&self) -> Option<Arc<Tempo>> {
        None
    }

    /// Whether it asks nobody, so that there is nothing to spare by sharing what it makes.
    fn is_alone(&self) -> bool {
        false
    }

    /// Takes note of what another replica made for an identity: the next one goes on from there.
    fn adopt(&self, _: &Identity, _: &Injection) {}

    /// How long what it opened at Qlik is kept after its last use; for ever, when it is not said.
    fn linger(&self) -> Option<Duration> {
        None
    }

    /// Whether it ends nothing at Qlik but what it opened itself.
    fn ends_alone(&self) -> bool {
        false
    }

    /// Whether the end of what it opened for one identity would be the end of another's too.
    fn ends_too(&self, _: &Identity, _: &Identity) -> bool {
        false
    }

    /// Ends what it opened at Qlik for an identity; says whether there was anything.
    fn end<'a>(&'a self, _: &'a Identity) -> Ending<'a> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Makes a credential for an identity. It must end within a time of its own.
    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a>;
}

/// A credential being made.
pub(super) type Minting<'a> =
    Pin<Box<dyn Future<Output = Result<Minted, CredentialError>> + Send + 'a>>;

/// What was opened at Qlik being ended.
pub(super) type Ending<'a> =
    Pin<Box<dyn Future<Output = Result<bool, CredentialError>> + Send + 'a>>;

/// A credential just made.
#[derive(Debug)]
pub(super) struct Minted {
    /// How it is shown to the engine.
    pub(super) injection: Injection,
    /// How long it is good, counted from the moment it was asked for.
    pub(super) life: Duration,
}
