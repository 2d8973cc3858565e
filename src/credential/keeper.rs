//! One fetch however many ask: acts on the shelf's decisions.
//!
//! A fetch runs on a task of its own, so that whoever asked may leave without ending it for
//! others. How a token is minted is a parameter: nothing here knows of HTTP.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::alarm::News;
use super::error::CredentialError;
use super::identity::Identity;
use super::mint::Mint;
use super::outcome::{Outcome, Outcomes};
use super::shelf::{
    Flight, Flown, Generation, Landed, Landing, Purpose, Shelf, Step, Takeoff, broken_off,
};
use crate::config;

/// Keeps the credentials of one mint.
pub(super) struct Keeper {
    core: Arc<Core>,
}

impl Keeper {
    pub(super) fn new(mint: impl Mint, pace: config::Pace) -> Self {
        let core = Arc::new(Core {
            mint: Box::new(mint),
            shelf: Mutex::new(Shelf::new(pace)),
        });
        Self { core }
    }

    /// The credential of an identity: the kept one, or one that is fetched. How it went is
    /// counted in `outcomes`.
    pub(super) async fn obtain(&self, identity: Identity, outcomes: &Arc<Outcomes>) -> Landed {
        let step = self.core.shelf().ask(&identity, Instant::now());
        self.follow(identity, step, outcomes).await
    }

    /// One that is not `refused`.
    pub(super) async fn renew(
        &self,
        identity: Identity,
        refused: Generation,
        outcomes: &Arc<Outcomes>,
    ) -> Landed {
        let step = self.core.shelf().renew(&identity, refused, Instant::now());
        self.follow(identity, step, outcomes).await
    }

    async fn follow(&self, identity: Identity, step: Step, outcomes: &Arc<Outcomes>) -> Landed {
        match step {
            Step::Fetch(takeoff) => {
                let flight = takeoff.tell.subscribe();
                self.launch(identity, takeoff, outcomes);
                wait(flight).await
            }
            Step::Join(flight) => {
                outcomes.add(Outcome::Joined);
                wait(flight).await
            }
            Step::Refresh(credential, takeoff) => {
                self.launch(identity, takeoff, outcomes);
                outcomes.add(Outcome::Cached);
                Ok(credential)
            }
            Step::Refuse(error) => {
                outcomes.add(match error {
                    CredentialError::Queued { .. } => Outcome::SentAway,
                    _ => Outcome::Held,
                });
                Err(error)
            }
            Step::Serve(credential) => {
                outcomes.add(Outcome::Cached);
                Ok(credential)
            }
        }
    }

    fn launch(&self, identity: Identity, takeoff: Takeoff, outcomes: &Arc<Outcomes>) {
        if takeoff.turn > Instant::now() {
            outcomes.add(Outcome::Queued);
        }
        let core = Arc::clone(&self.core);
        let flight = fly(core, identity, takeoff, Arc::clone(outcomes));
        tokio::spawn(flight.in_current_span());
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keeper({})", self.core.mint.name())
    }
}

struct Core {
    mint: Box<dyn Mint>,
    shelf: Mutex<Shelf>,
}

impl Core {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, identity: &Identity, purpose: Purpose) -> Landing {
        let flown = Flown {
            purpose,
            asked: Instant::now(),
            minted: self.mint.mint(identity).await,
        };
        self.shelf().land(identity, flown, Instant::now())
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

/// A fetch from its turn to its end, whoever waits for it.
async fn fly(core: Arc<Core>, identity: Identity, takeoff: Takeoff, outcomes: Arc<Outcomes>) {
    sleep_until(takeoff.turn).await;
    let cleared = core.shelf().clear(Instant::now());
    let landing = match cleared {
        Err(error) => core.shelf().call_off(&identity, error),
        Ok(()) => core.fetch(&identity, takeoff.purpose).await,
    };
    outcomes.add(landing.outcome);
    core.log(&landing);
    takeoff.tell.send_replace(Some(landing.landed));
}

async fn wait(mut flight: Flight) -> Landed {
    let landed = flight.wait_for(Option::is_some).await;
    let landed = landed.ok().and_then(|landed| landed.clone());
    landed.unwrap_or_else(|| Err(broken_off()))
}
