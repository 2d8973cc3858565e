//! The third question: as whom does the engine see them?
//!
//! A person enters; a `Credential` leaves, fetched once however many ask. This room talks to
//! whoever makes credentials, and to the replicas' Redis. Nothing secret shows in its `Debug`, errors or logs.

use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use crate::config;
use crate::injection::Injection;
use crate::person::Person;

mod alarm;
mod asking;
mod attributes;
mod breaker;
mod client;
mod error;
mod explain;
mod generation;
mod grant;
mod identity;
mod keeper;
mod keepers;
mod key_file;
mod kinds;
mod mint;
mod outcome;
mod pace;
mod place;
mod pool;
mod secret;
mod shelf;
mod signer;
mod stay;
mod tempo;
#[cfg(test)]
mod tests;

pub use error::{CredentialError, Misfit, Trouble};
pub use explain::{Advice, At, Refusal};
use generation::Generation;
pub use keepers::Keepers;
use kinds::Source;
pub use outcome::{Outcome, Outcomes};
pub use pool::Pool;
pub use stay::Stay;

/// The credential source of one route.
#[derive(Debug)]
pub struct Credentials {
    source: Source,
    outcomes: Arc<Outcomes>,
}

/// What the house lends to the credentials of a route.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a> {
    /// A client that trusts whom the engine is trusted by, and follows no redirects.
    pub http: &'a reqwest::Client,
    /// The file of whom it trusts, where that is not everybody's.
    pub trust: Option<&'a Path>,
    /// One that shows the credential's client certificate besides, where it has one.
    pub certified: Option<&'a reqwest::Client>,
    /// The keepers of the whole process.
    pub keepers: &'a Keepers,
}

impl Lent<'_> {
    /// Whom the client trusts, to tell keepers apart.
    fn trust(&self) -> Vec<u8> {
        let path = self.trust.map(Path::as_os_str);
        path.map_or(Vec::new(), |path| path.as_encoded_bytes().to_vec())
    }
}

impl Credentials {
    /// Prepares the source.
    pub fn new(credential: config::Credential, lent: Lent<'_>) -> Result<Self, CredentialError> {
        Ok(Self {
            source: Source::new(credential, lent)?,
            outcomes: Arc::default(),
        })
    }

    /// The credential for a person: cached, refreshed ahead, one fetch however many ask.
    pub async fn obtain(&self, person: &Person) -> Result<Credential, CredentialError> {
        match &self.source {
            Source::Fixed(credential) => Ok(credential.clone()),
            Source::Made { who, make } => {
                let made = make(&who.identify(person)?);
                Ok(Credential::fixed(made.ok_or(CredentialError::BadKey)?))
            }
            Source::Kept { keeper, who } => {
                keeper.obtain(who.identify(person)?, &self.outcomes).await
            }
        }
    }

    /// A fresh credential after the engine refused `refused`; whoever comes second gets what the
    /// first fetched.
    ///
    /// What was fetched afresh and is refused again within ten seconds is not fetched once more:
    /// that is an error, as it is for kinds that have nothing to fetch.
    pub async fn renew(
        &self,
        person: &Person,
        refused: &Credential,
    ) -> Result<Credential, CredentialError> {
        match &self.source {
            Source::Fixed(_) | Source::Made { .. } => Err(CredentialError::FixedRefused),
            Source::Kept { keeper, who } => {
                let identity = who.identify(person)?;
                keeper
                    .renew(identity, refused.generation, &self.outcomes)
                    .await
            }
        }
    }

    /// Counts how askings end together with others.
    #[must_use]
    pub fn counting_in(self, outcomes: &Arc<Outcomes>) -> Self {
        let outcomes = Arc::clone(outcomes);
        Self { outcomes, ..self }
    }

    /// How the askings ended so far.
    #[must_use]
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }
}

/// What opens the engine in a person's name.
#[derive(Clone, Debug)]
pub struct Credential {
    injection: Injection,
    generation: Generation,
    stay: Stay,
}

impl Credential {
    /// What to put on the upgrade.
    #[must_use]
    pub fn injection(&self) -> &Injection {
        &self.injection
    }

    /// To be kept as long as it is used: what it opened at Qlik is ended some time after the last.
    #[must_use]
    pub fn stay(&self) -> Stay {
        self.stay.clone()
    }

    fn fixed(injection: Injection) -> Self {
        Self::new(injection, Generation::default())
    }

    fn new(injection: Injection, generation: Generation) -> Self {
        Self {
            injection,
            generation,
            stay: Stay::default(),
        }
    }
}

/// `Authorization: Bearer`, if the token is of one visible ASCII word that a header can carry.
fn bearer(token: &str) -> Option<Injection> {
    const LONGEST: usize = 16 * 1024;
    let carriable = (1..=LONGEST).contains(&token.len());
    if !carriable || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    Some(Injection::nothing().with_header(AUTHORIZATION, value))
}
