//! What replicas fetch for each other: a credential that one has is taken by the others from their
//! Redis, and of those that want the same one only one fetches it.
//!
//! Credentials enter and leave sealed; names are keyed hashes. Redis is never believed: what cannot
//! be opened is not there, and while Redis is away each replica fetches for itself. Nothing here
//! waits without a limit.

mod claim;
mod letter;
mod seal;
mod search;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use redis::pipe;
use secrecy::SecretSlice;
use tracing::{info, warn};

use self::claim::Claim;
pub(super) use self::letter::Found;
use self::seal::{Print, Seals};
pub(super) use self::search::{Lead, Wish};
use super::error::CredentialError;
use super::generation::Generation;
use super::identity::Identity;
use super::keepers::Name;
use super::mint::Minted;
use crate::line::{Line, LineError};

/// The largest that is put down, in bytes.
const LARGEST: usize = 64 << 10;

/// Where replicas keep what they fetched.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    line: Arc<Line>,
    prefix: String,
    seals: Seals,
    well: AtomicBool,
    strange: AtomicBool,
}

impl Pool {
    /// Prepares it. Every key there begins with `prefix`; `identity_key` names what lies there, the
    /// first of `keys` seals it, and all of them open it.
    #[must_use]
    pub fn new(
        line: Arc<Line>,
        prefix: &str,
        identity_key: &SecretSlice<u8>,
        keys: &[SecretSlice<u8>],
    ) -> Self {
        Self(Arc::new(Inner {
            line,
            prefix: format!("{prefix}credential:"),
            seals: Seals::new(identity_key, keys),
            well: AtomicBool::new(true),
            strange: AtomicBool::new(false),
        }))
    }

    /// The part of it that belongs to one keeper; a pause is for all keepers of the same client.
    pub(super) fn nook(&self, keeper: Name, account: Name) -> Nook {
        Nook {
            pool: self.clone(),
            keeper: keeper.bytes(),
            pause: self.spot("pause", &[account.bytes().as_slice()]),
        }
    }

    fn spot(&self, what: &str, parts: &[&[u8]]) -> Spot {
        let parts = [&[what.as_bytes()], parts].concat();
        let print = self.0.seals.print(&parts);
        let key = format!("{}{what}:{print}", self.0.prefix);
        Spot { key, print }
    }

    /// Redis was of no help.
    fn note_away(&self, error: &LineError) {
        if self.0.well.swap(false, Ordering::Relaxed) {
            warn!(%error, "the replicas' Redis is of no help; each replica fetches its own credentials");
        }
    }

    fn note_well(&self) {
        if !self.0.well.swap(true, Ordering::Relaxed) {
            info!("the replicas share their credentials again");
        }
    }

    /// Something lay there that does not open.
    fn note_strange(&self) {
        if !self.0.strange.swap(true, Ordering::Relaxed) {
            warn!(
                "a credential in the replicas' Redis cannot be opened; it and more are ignored: are \
                 `credential_keys` the same on all?"
            );
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool(…)")
    }
}

/// The part of a pool that belongs to one keeper.
pub(super) struct Nook {
    pool: Pool,
    keeper: [u8; 32],
    pause: Spot,
}

/// A key in Redis, and what the value there is sealed for.
struct Spot {
    key: String,
    print: Print,
}

/// What there is to tell the other replicas, sealed.
pub(super) enum Word {
    /// A credential.
    Credential(Vec<u8>, Duration),
    /// That the endpoint wants to be left alone.
    Pause(Vec<u8>, Duration),
}

impl Nook {
    /// What a fetch has to tell, if it has.
    pub(super) fn word(
        &self,
        identity: &Identity,
        generation: Generation,
        asked: SystemTime,
        minted: &Result<Minted, CredentialError>,
    ) -> Option<Word> {
        let seals = &self.pool.0.seals;
        match minted {
            Ok(minted) => {
                let letter = letter::write(minted, generation, asked);
                let sealed = seals.close(&self.spot(identity).print, letter)?;
                let spent = asked.elapsed().unwrap_or_default();
                let left = minted.life.saturating_sub(spent);
                (sealed.len() <= LARGEST).then_some(Word::Credential(sealed, left))
            }
            Err(CredentialError::Throttled { refusal, wait }) => {
                let letter = letter::write_pause(refusal, *wait);
                let sealed = seals.close(&self.pause.print, letter)?;
                Some(Word::Pause(sealed, *wait))
            }
            Err(_) => None,
        }
    }

    /// Tells the others, and lets them go on.
    pub(super) async fn settle(&self, identity: &Identity, lead: Lead, word: Option<Word>) {
        let claim = lead.claim;
        let settled = match word {
            Some(Word::Credential(sealed, left)) => {
                let (spot, lock) = (self.spot(identity), self.lock(identity));
                claim::put(&self.pool, &spot.key, &lock.key, claim, (&sealed, left)).await
            }
            Some(Word::Pause(sealed, wait)) => {
                let put = self.put_pause(&sealed, wait).await;
                put.and(release(claim).await)
            }
            None => release(claim).await,
        };
        if let Err(error) = settled {
            self.pool.note_away(&error);
        }
    }

    async fn put_pause(&self, sealed: &[u8], wait: Duration) -> Result<(), LineError> {
        let mut asking = pipe();
        let set = asking.cmd("SET").arg(&self.pause.key).arg(sealed);
        set.arg("PX").arg(millis(wait)).ignore();
        self.pool.0.line.ask(&asking).await
    }

    fn spot(&self, identity: &Identity) -> Spot {
        self.named("kept", identity)
    }

    fn lock(&self, identity: &Identity) -> Spot {
        self.named("lock", identity)
    }

    fn named(&self, what: &str, identity: &Identity) -> Spot {
        let values = identity.values().map(str::as_bytes);
        let parts: Vec<&[u8]> = std::iter::once(self.keeper.as_slice())
            .chain(values)
            .collect();
        self.pool.spot(what, &parts)
    }
}

async fn release(claim: Option<Claim>) -> Result<(), LineError> {
    match claim {
        Some(claim) => claim.release().await,
        None => Ok(()),
    }
}

/// A life as Redis wants it, who refuses one of nothing.
fn millis(life: Duration) -> String {
    life.as_millis().max(1).to_string()
}
