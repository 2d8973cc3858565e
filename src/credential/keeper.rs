//! One fetch however many ask: acts on the shelf's decisions.
//!
//! A fetch runs on a task of its own, so that whoever asked may leave without ending it for
//! others. How a token is minted is a parameter: nothing here knows of HTTP.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::Credential;
use super::alarm::News;
use super::error::CredentialError;
use super::generation::Generation;
use super::identity::Identity;
use super::mint::Mint;
use super::outcome::{Outcome, Outcomes};
use super::pace::Turn;
use super::pool::{Found, Lead, Nook, Wish, Word};
use super::shelf::{
    Flight, Flown, Landed, Landing, Purpose, Queueing, Shelf, Step, Takeoff, broken_off,
};
use super::stay::{Ender, Register, Visitor};
use super::tempo::Tempo;

/// Keeps the credentials of one mint.
pub(super) struct Keeper {
    core: Arc<Core>,
}

impl Keeper {
    /// Keeps what a mint makes, and shares it where there is a nook for it. What it opened at Qlik is
    /// ended `linger` after its last use; never, when it is shared: it may be in use elsewhere.
    pub(super) fn new(
        mint: impl Mint,
        tempo: Arc<Tempo>,
        nook: Option<Nook>,
        linger: Option<Duration>,
    ) -> Self {
        let is_shared = nook.is_some();
        let queueing = match &nook {
            None => Queueing::AtOnce,
            Some(_) => Queueing::Later,
        };
        let shelf = Shelf::new(Arc::clone(&tempo), queueing).behind(mint.before());
        let core = Arc::new(Core {
            mint: Box::new(mint),
            shelf: Mutex::new(shelf),
            tempo,
            nook,
            register: Register::new(linger.filter(|_| !is_shared)),
        });
        Self { core }
    }

    /// The credential of an identity: the kept one, or one that is fetched. How it went is
    /// counted in `outcomes`.
    pub(super) async fn obtain(&self, identity: Identity, outcomes: &Arc<Outcomes>) -> Landed {
        let stay = self.visitor(&identity, outcomes).enter().await;
        let step = self.core.shelf().ask(&identity, Instant::now());
        let landed = self.follow(identity, step, outcomes).await;
        landed.map(|credential| Credential { stay, ..credential })
    }

    /// One that is not `refused`.
    pub(super) async fn renew(
        &self,
        identity: Identity,
        refused: Generation,
        outcomes: &Arc<Outcomes>,
    ) -> Landed {
        let stay = self.visitor(&identity, outcomes).enter().await;
        let step = self.core.shelf().renew(&identity, refused, Instant::now());
        let landed = self.follow(identity, step, outcomes).await;
        landed.map(|credential| Credential { stay, ..credential })
    }

    /// A turn for a request that brings no credential; waits for it, or says when to come again.
    pub(super) async fn take_turn(&self) -> Result<(), CredentialError> {
        let now = Instant::now();
        if let Some(error) = self.core.tempo.grounded(now) {
            return Err(error);
        }
        match self.core.tempo.turn(now, Duration::MAX) {
            Turn::At(turn) => sleep_until(turn).await,
            Turn::NotBefore(next) => return Err(CredentialError::Queued { wait: next - now }),
        }
        Ok(())
    }

    /// What it does beside keeping, for whoever ends it all.
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn visitor<'a>(
        &'a self,
        identity: &'a Identity,
        outcomes: &'a Arc<Outcomes>,
    ) -> Visitor<'a, Core> {
        Visitor {
            house: &self.core,
            identity,
            outcomes,
        }
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
                outcomes.add(Outcome::of_refusal(&error));
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
        let wish = Wish {
            purpose: takeoff.purpose,
            but: takeoff.but,
        };
        let errand = Errand {
            identity,
            wish,
            outcomes: Arc::clone(outcomes),
        };
        let flight = fly(Arc::clone(&self.core), takeoff, errand);
        tokio::spawn(flight.in_current_span());
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keeper({})", self.core.mint.name())
    }
}

/// What lives on while a fetch is under way or a credential in use.
pub(super) struct Core {
    mint: Box<dyn Mint>,
    shelf: Mutex<Shelf>,
    tempo: Arc<Tempo>,
    nook: Option<Nook>,
    register: Register,
}

impl Ender for Core {
    fn retire(&self, identity: &Identity) -> bool {
        self.shelf().retire(identity)
    }

    fn ends_too(&self, identity: &Identity, other: &Identity) -> bool {
        self.mint.ends_too(identity, other)
    }

    async fn end(&self, identity: &Identity) -> Result<bool, CredentialError> {
        self.mint.end(identity).await
    }

    fn register(&self) -> &Register {
        &self.register
    }
}

impl Core {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches, once it is this one's turn.
    async fn fetch(&self, identity: &Identity, purpose: Purpose) -> (Landing, Option<Word>) {
        let cleared = self.shelf().clear(Instant::now());
        if let Err(error) = cleared {
            return (self.shelf().call_off(identity, purpose, error), None);
        }
        let (asked, clock, generation) = (Instant::now(), SystemTime::now(), Generation::fresh());
        let minted = self.mint.mint(identity).await;
        let nook = self.nook.as_ref();
        let word = nook.and_then(|nook| nook.word(identity, generation, clock, &minted));
        let flown = Flown {
            purpose,
            asked,
            minted,
            generation,
        };
        (self.shelf().land(identity, flown, Instant::now()), word)
    }

    /// Takes what a search among the replicas has found, or fetches in turn.
    async fn bring(
        &self,
        errand: &Errand,
        nook: &Nook,
        lead: &mut Lead,
    ) -> (Landing, Option<Word>) {
        let Errand {
            identity,
            wish,
            outcomes,
        } = errand;
        if let Some(found) = lead.found.take() {
            return (self.adopt(identity, found), None);
        }
        if let Some(pause) = &lead.pause {
            self.tempo.heed(&pause.refusal, Instant::now() + pause.wait);
        }
        let turn = self.shelf().turn(identity, wish.purpose, Instant::now());
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => {
                let landing = self.shelf().call_off(identity, wish.purpose, error);
                return (landing, None);
            }
        };
        if turn > Instant::now() {
            outcomes.add(Outcome::Queued);
            sleep_until(turn).await;
        }
        if lead.claim.is_none()
            && let Some(found) = nook.look_again(identity, *wish).await
        {
            return (self.adopt(identity, found), None);
        }
        self.fetch(identity, wish.purpose).await
    }

    fn adopt(&self, identity: &Identity, found: Found) -> Landing {
        self.mint.adopt(identity, &found.injection);
        self.shelf().adopt(identity, found, Instant::now())
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

/// Whom a fetch is for, and why.
struct Errand {
    identity: Identity,
    wish: Wish,
    outcomes: Arc<Outcomes>,
}

/// A fetch from its turn to its end, whoever waits for it.
async fn fly(core: Arc<Core>, takeoff: Takeoff, errand: Errand) {
    let Errand {
        identity,
        wish,
        outcomes,
    } = &errand;
    sleep_until(takeoff.turn).await;
    let Some(nook) = &core.nook else {
        let (landing, _) = core.fetch(identity, wish.purpose).await;
        return tell(&core, &takeoff, landing, outcomes);
    };
    let mut lead = nook.search(identity, *wish, core.tempo.queue()).await;
    if let Some(trouble) = lead.trouble {
        outcomes.add(trouble);
    }
    let (landing, word) = core.bring(&errand, nook, &mut lead).await;
    tell(&core, &takeoff, landing, outcomes);
    nook.settle(identity, lead, word).await;
}

/// Tells how a fetch ended.
fn tell(core: &Core, takeoff: &Takeoff, landing: Landing, outcomes: &Outcomes) {
    if let Some(outcome) = landing.outcome {
        outcomes.add(outcome);
    }
    core.log(&landing);
    takeoff.tell.send_replace(Some(landing.landed));
}

async fn wait(mut flight: Flight) -> Landed {
    let landed = flight.wait_for(Option::is_some).await;
    let landed = landed.ok().and_then(|landed| landed.clone());
    landed.unwrap_or_else(|| Err(broken_off()))
}
