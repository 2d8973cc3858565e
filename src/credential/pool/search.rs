//! From the wish for a credential to one that another replica has, or to the right to fetch it.

use std::time::{Duration, SystemTime};

use redis::pipe;
use tokio::time::{Instant, sleep};

use super::claim::{self, Claim};
use super::letter::{self, Found, Pause};
use super::{Nook, Spot};
use crate::credential::generation::Generation;
use crate::credential::identity::Identity;
use crate::credential::outcome::Outcome;
use crate::credential::shelf::Purpose;
use crate::line::LineError;

/// How long a fetch takes at the longest, once its turn has come. Its claim ends by itself soon after
/// its replica died, so this bounds only one that lives and gets nowhere: whoever waited so long
/// fetches as well.
const LONGEST_FETCH: Duration = Duration::from_mins(2);

/// The pause between two looks at first; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What is worth being taken from another replica: it must be good for so long still.
const WORTH: Duration = Duration::from_secs(1);

/// What a search came to; by default to nothing.
#[derive(Default)]
pub(in crate::credential) struct Lead {
    /// What another replica fetched.
    pub(in crate::credential) found: Option<Found>,
    /// That the endpoint wants to be left alone.
    pub(in crate::credential) pause: Option<Pause>,
    /// The right to fetch.
    pub(in crate::credential) claim: Option<Claim>,
    /// What was wrong with Redis or with what lay there.
    pub(in crate::credential) trouble: Option<Outcome>,
}

/// What is sought.
#[derive(Clone, Copy)]
pub(in crate::credential) struct Wish {
    /// Why.
    pub(in crate::credential) purpose: Purpose,
    /// Which one will not do.
    pub(in crate::credential) but: Option<Generation>,
}

impl Nook {
    /// Looks for what another replica has, waits for what it fetches, be it `queue` until its turn,
    /// or claims the fetch.
    pub(in crate::credential) async fn search(
        &self,
        identity: &Identity,
        wish: Wish,
        queue: Duration,
    ) -> Lead {
        let end = Instant::now() + queue + LONGEST_FETCH;
        let (mut lead, mut pause) = (Lead::default(), FIRST_PAUSE);
        while !lead.is_over() && Instant::now() < end {
            if let Err(error) = self.step(identity, wish, &mut lead).await {
                self.pool.note_away(&error);
                lead.trouble = Some(Outcome::Unshared);
                return lead;
            }
            self.pool.note_well();
            if !lead.is_over() {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
        lead
    }

    /// Looks once more, after a wait.
    pub(in crate::credential) async fn look_again(
        &self,
        identity: &Identity,
        wish: Wish,
    ) -> Option<Found> {
        let mut lead = Lead::default();
        let looked = self.look(&self.spot(identity), wish, &mut lead).await;
        looked.ok().and(lead.found)
    }

    async fn step(
        &self,
        identity: &Identity,
        wish: Wish,
        lead: &mut Lead,
    ) -> Result<(), LineError> {
        let spot = self.spot(identity);
        self.look(&spot, wish, lead).await?;
        if lead.is_over() {
            return Ok(());
        }
        let Some(claim) = Claim::take(&self.pool, &self.lock(identity).key).await? else {
            return Ok(());
        };
        // Whoever had it until now may have put something down just before.
        self.look(&spot, wish, lead).await?;
        if lead.is_over() {
            return claim.release().await;
        }
        lead.claim = Some(claim);
        Ok(())
    }

    async fn look(&self, spot: &Spot, wish: Wish, lead: &mut Lead) -> Result<(), LineError> {
        let (kept, left, paused) = self.read(spot).await?;
        if let Some(sealed) = kept {
            match self.open(spot, &sealed) {
                None => lead.trouble = Some(Outcome::Strange),
                Some(found) if Some(found.generation) != wish.but => {
                    lead.found = worthy(found, left);
                }
                Some(_) if wish.purpose == Purpose::Renewal => {
                    claim::delete(&self.pool, &spot.key, &sealed).await?;
                }
                Some(_) => {}
            }
        }
        lead.pause = paused.and_then(|sealed| self.open_pause(&sealed));
        Ok(())
    }

    /// What lies there, for how many milliseconds still, and whether there is a pause.
    async fn read(
        &self,
        spot: &Spot,
    ) -> Result<(Option<Vec<u8>>, i64, Option<Vec<u8>>), LineError> {
        let mut asking = pipe();
        asking.cmd("GET").arg(&spot.key);
        asking.cmd("PTTL").arg(&spot.key);
        asking.cmd("GET").arg(&self.pause.key);
        self.pool.0.line.ask(&asking).await
    }

    fn open(&self, spot: &Spot, sealed: &[u8]) -> Option<Found> {
        let text = self.pool.0.seals.open(&spot.print, sealed);
        let found = text.and_then(|text| letter::read(&text, SystemTime::now()));
        if found.is_none() {
            self.pool.note_strange();
        }
        found
    }

    fn open_pause(&self, sealed: &[u8]) -> Option<Pause> {
        let text = self.pool.0.seals.open(&self.pause.print, sealed)?;
        let pause = letter::read_pause(&text, SystemTime::now())?;
        (!pause.wait.is_zero()).then_some(pause)
    }
}

impl Lead {
    fn is_over(&self) -> bool {
        self.found.is_some() || self.pause.is_some() || self.claim.is_some()
    }
}

/// The credential, if it is good for long enough: what it says itself, by this replica's clock, and
/// no longer than Redis keeps it.
fn worthy(mut found: Found, left: i64) -> Option<Found> {
    if let Ok(left) = u64::try_from(left) {
        found.left = found.left.min(Duration::from_millis(left));
    }
    (found.left > WORTH).then_some(found)
}
