//! The third question: as whom does the engine see them?
//!
//! A person enters; a `Credential` leaves, fetched once however many ask. This room talks to the
//! token endpoint alone. Nothing secret shows in its `Debug`, errors or logs.

use crate::config;
use crate::fault::{Fault, Faulty};
use crate::injection::Injection;
use crate::person::Person;

/// The credential source of one route.
#[derive(Debug)]
pub struct Credentials {}

impl Credentials {
    /// Prepares the source. `http` is lent by the house; it follows no redirects.
    pub fn new(
        _credential: config::Credential,
        _http: &reqwest::Client,
    ) -> Result<Self, CredentialError> {
        Ok(Self {})
    }

    /// The credential for a person: cached, refreshed ahead, one fetch however many ask.
    #[expect(clippy::unused_async, reason = "kinds ask the network")]
    pub async fn obtain(&self, _person: &Person) -> Result<Credential, CredentialError> {
        Ok(Credential {
            injection: Injection::nothing(),
        })
    }

    /// A fresh credential after the engine refused `refused`; whoever comes second gets what the
    /// first fetched.
    #[expect(clippy::unused_async, reason = "kinds ask the network")]
    pub async fn renew(
        &self,
        _person: &Person,
        _refused: &Credential,
    ) -> Result<Credential, CredentialError> {
        Ok(Credential {
            injection: Injection::nothing(),
        })
    }
}

/// What opens the engine in a person's name.
#[derive(Clone, Debug)]
pub struct Credential {
    injection: Injection,
}

impl Credential {
    /// What to put on the upgrade.
    #[must_use]
    pub fn injection(&self) -> &Injection {
        &self.injection
    }
}

/// Why there is no credential. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The token endpoint refused for good.
    #[error("the token endpoint refused")]
    Refused,
}

impl Faulty for CredentialError {
    fn fault(&self) -> Fault {
        match self {
            Self::Refused => Fault::CredentialRefused,
        }
    }
}
