//! The right to fetch: a key in Redis that one replica holds, for as long as it says so.
//!
//! A replica that dies stops saying so, and soon another takes its place. One that was taken for
//! dead finds out when it puts down what it fetched: that is not believed any more.

use std::time::Duration;

use redis::{Pipeline, pipe};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

use super::super::signer::random_word;
use super::{Pool, millis};
use crate::line::LineError;

/// How long a claim holds without a word of its owner.
const LIFE: Duration = Duration::from_secs(4);

/// How often the owner says so.
const BEAT: Duration = Duration::from_secs(1);

/// Deletes what has this value.
const DELETE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
     return redis.call('DEL', KEYS[1]) end return 0";

/// Lets what has this value live on.
const EXTEND: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
     return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";

/// Puts an entry unless somebody else has claimed it, and gives up the claim.
const PUT: &str = "local held = redis.call('GET', KEYS[2]) \
     if held and held ~= ARGV[1] then return 0 end \
     redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) \
     if held then redis.call('DEL', KEYS[2]) end return 1";

/// The right to fetch. One that is dropped ends by itself, soon.
pub(in crate::credential) struct Claim {
    pool: Pool,
    lock: String,
    owner: String,
    _beat: AbortOnDropHandle<()>,
}

impl Claim {
    /// Claims it; `None` when somebody else has it.
    pub(super) async fn take(pool: &Pool, lock: &str) -> Result<Option<Self>, LineError> {
        let owner = random_word();
        let mut asking = pipe();
        let set = asking.cmd("SET").arg(lock).arg(&owner);
        set.arg("NX").arg("PX").arg(millis(LIFE));
        let (set,): (Option<String>,) = pool.0.line.ask(&asking).await?;
        Ok(set.map(|_| {
            let beat = tokio::spawn(beat(pool.clone(), lock.to_owned(), owner.clone()));
            Self {
                pool: pool.clone(),
                lock: lock.to_owned(),
                owner,
                _beat: AbortOnDropHandle::new(beat),
            }
        }))
    }

    /// Lets another have it.
    pub(super) async fn release(self) -> Result<(), LineError> {
        delete(&self.pool, &self.lock, self.owner.as_bytes()).await
    }
}

/// Puts down an entry and what it lives, and gives up the claim to it; with none, only where nobody
/// else has one.
pub(super) async fn put(
    pool: &Pool,
    key: &str,
    lock: &str,
    claim: Option<Claim>,
    (sealed, left): (&[u8], Duration),
) -> Result<(), LineError> {
    let owner = claim.as_ref().map_or("", |claim| claim.owner.as_str());
    let mut asking = pipe();
    let eval = asking.cmd("EVAL").arg(PUT).arg(2).arg(key).arg(lock);
    eval.arg(owner).arg(sealed).arg(millis(left)).ignore();
    pool.0.line.ask(&asking).await
}

/// Deletes what lies there, if it is this still.
pub(super) async fn delete(pool: &Pool, key: &str, value: &[u8]) -> Result<(), LineError> {
    let mut asking = eval(DELETE, key, value);
    asking.ignore();
    pool.0.line.ask(&asking).await
}

/// Says again and again that the owner lives, until the claim is somebody else's.
async fn beat(pool: Pool, lock: String, owner: String) {
    let mut beats = interval_at(Instant::now() + BEAT, BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking = eval(EXTEND, &lock, owner.as_bytes());
    asking.arg(millis(LIFE));
    loop {
        beats.tick().await;
        if matches!(pool.0.line.ask::<(i64,)>(&asking).await, Ok((0,))) {
            return;
        }
    }
}

fn eval(script: &str, key: &str, value: &[u8]) -> Pipeline {
    let mut asking = pipe();
    asking.cmd("EVAL").arg(script).arg(1).arg(key).arg(value);
    asking
}
