//! One fetch however many ask: acts on the shelf's decisions.
//!
//! A fetch runs on a task of its own, so that whoever asked may leave without ending it for
//! others. How a token is minted is a parameter: nothing here knows of HTTP.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::alarm::News;
use super::error::CredentialError;
use super::lookup::Identity;
use super::outcome::{Outcome, Outcomes};
use super::shelf::{Flight, Flown, Generation, Landed, Landing, Shelf, Step, Takeoff, broken_off};
use crate::injection::Injection;

/// What makes tokens.
pub(super) trait Mint: Send + Sync + 'static {
    /// What to call it in the log.
    fn name(&self) -> Cow<'_, str>;

    /// Makes a token for an identity. It must end within a time of its own.
    fn mint(
        &self,
        identity: &Identity,
    ) -> impl Future<Output = Result<Minted, CredentialError>> + Send;
}

/// A token just made.
pub(super) struct Minted {
    /// How it is shown to the engine.
    pub(super) injection: Injection,
    /// How long it is good, counted from the moment it was asked for.
    pub(super) life: Duration,
}

/// Keeps the tokens of one token endpoint.
pub(super) struct Keeper<M> {
    core: Arc<Core<M>>,
}

impl<M: Mint> Keeper<M> {
    pub(super) fn new(mint: M, outcomes: Arc<Outcomes>) -> Self {
        let shelf = Mutex::default();
        let core = Arc::new(Core {
            mint,
            outcomes,
            shelf,
        });
        Self { core }
    }

    /// The credential of an identity: the kept one, or one that is fetched.
    pub(super) async fn obtain(&self, identity: Identity) -> Landed {
        let step = self.core.shelf().ask(&identity, Instant::now());
        self.follow(identity, step).await
    }

    /// One that is not `refused`.
    pub(super) async fn renew(&self, identity: Identity, refused: Generation) -> Landed {
        let step = self.core.shelf().renew(&identity, refused, Instant::now());
        self.follow(identity, step).await
    }

    async fn follow(&self, identity: Identity, step: Step) -> Landed {
        match step {
            Step::Fetch(takeoff) => {
                let flight = takeoff.tell.subscribe();
                self.launch(identity, takeoff);
                wait(flight).await
            }
            Step::Join(flight) => {
                self.core.outcomes.add(Outcome::Joined);
                wait(flight).await
            }
            Step::Refresh(credential, takeoff) => {
                self.launch(identity, takeoff);
                self.core.outcomes.add(Outcome::Cached);
                Ok(credential)
            }
            Step::Refuse(error) => {
                self.core.outcomes.add(Outcome::Held);
                Err(error)
            }
            Step::Serve(credential) => {
                self.core.outcomes.add(Outcome::Cached);
                Ok(credential)
            }
        }
    }

    fn launch(&self, identity: Identity, takeoff: Takeoff) {
        let flight = fly(Arc::clone(&self.core), identity, takeoff);
        tokio::spawn(flight.in_current_span());
    }
}

impl<M: Mint> fmt::Debug for Keeper<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keeper({})", self.core.mint.name())
    }
}

struct Core<M> {
    mint: M,
    outcomes: Arc<Outcomes>,
    shelf: Mutex<Shelf>,
}

impl<M: Mint> Core<M> {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, landing: &Landing) {
        let endpoint = self.mint.name();
        match (landing.news, &landing.landed) {
            (News::Worse, Err(error)) => {
                tracing::warn!(%endpoint, %error, "fetching a Qlik credential fails");
            }
            (News::Better, _) => {
                tracing::info!(%endpoint, "fetching a Qlik credential works again");
            }
            (_, Err(error)) => {
                tracing::debug!(%endpoint, %error, "fetching a Qlik credential fails");
            }
            (_, Ok(_)) => tracing::debug!(%endpoint, "fetched a Qlik credential"),
        }
    }
}

/// A fetch from its start to its end, whoever waits for it.
async fn fly<M: Mint>(core: Arc<Core<M>>, identity: Identity, takeoff: Takeoff) {
    let flown = Flown {
        purpose: takeoff.purpose,
        asked: Instant::now(),
        minted: core.mint.mint(&identity).await,
    };
    let landing = core.shelf().land(&identity, flown, Instant::now());
    core.outcomes.add(landing.outcome);
    core.log(&landing);
    takeoff.tell.send_replace(Some(landing.landed));
}

async fn wait(mut flight: Flight) -> Landed {
    let landed = flight.wait_for(Option::is_some).await;
    let landed = landed.ok().and_then(|landed| landed.clone());
    landed.unwrap_or_else(|| Err(broken_off()))
}
