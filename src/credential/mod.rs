//! The third question: as whom does the engine see them?
//!
//! A person enters; a `Credential` leaves, fetched once however many ask. This room talks to the
//! token endpoint alone. Nothing secret shows in its `Debug`, errors or logs.

use std::sync::Arc;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use secrecy::ExposeSecret;

use crate::config;
use crate::injection::Injection;
use crate::person::Person;

mod alarm;
mod endpoint;
mod error;
mod explain;
mod keeper;
mod lookup;
mod oauth;
mod outcome;
mod place;
mod shelf;
#[cfg(test)]
mod tests;

use endpoint::Endpoint;
pub use error::{CredentialError, Trouble};
pub use explain::Refusal;
use keeper::Keeper;
pub use lookup::Flaw;
use lookup::Who;
pub use outcome::{Outcome, Outcomes};
use shelf::Generation;

/// The credential source of one route.
#[derive(Debug)]
pub struct Credentials {
    source: Source,
    outcomes: Arc<Outcomes>,
}

impl Credentials {
    /// Prepares the source. `http` is lent by the house; it follows no redirects.
    pub fn new(
        credential: config::Credential,
        http: &reqwest::Client,
    ) -> Result<Self, CredentialError> {
        let outcomes = Arc::<Outcomes>::default();
        let kept = |oauth, who| {
            let endpoint = Endpoint::new(oauth, http.clone());
            let keeper = Keeper::new(endpoint, Arc::clone(&outcomes));
            Source::Kept { keeper, who }
        };
        let source = match credential {
            config::Credential::ApiKey(api) => {
                let key = bearer(api.key.expose_secret()).ok_or(CredentialError::BadKey)?;
                Source::Fixed(Credential::fixed(key))
            }
            config::Credential::None => Source::Fixed(Credential::fixed(Injection::nothing())),
            config::Credential::OAuthClient(oauth) => kept(oauth, Who::Client),
            config::Credential::OAuthImpersonation(config) => {
                let (field, claim) = (config.field, config.claim);
                kept(config.oauth, Who::Person { field, claim })
            }
        };
        Ok(Self { source, outcomes })
    }

    /// The credential for a person: cached, refreshed ahead, one fetch however many ask.
    pub async fn obtain(&self, person: &Person) -> Result<Credential, CredentialError> {
        match &self.source {
            Source::Fixed(credential) => Ok(credential.clone()),
            Source::Kept { keeper, who } => keeper.obtain(who.identify(person)?).await,
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
            Source::Fixed(_) => Err(CredentialError::FixedRefused),
            Source::Kept { keeper, who } => {
                keeper
                    .renew(who.identify(person)?, refused.generation)
                    .await
            }
        }
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
}

impl Credential {
    /// What to put on the upgrade.
    #[must_use]
    pub fn injection(&self) -> &Injection {
        &self.injection
    }

    fn fixed(injection: Injection) -> Self {
        let generation = Generation::default();
        Self {
            injection,
            generation,
        }
    }
}

#[derive(Debug)]
enum Source {
    Fixed(Credential),
    Kept { keeper: Keeper<Endpoint>, who: Who },
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
