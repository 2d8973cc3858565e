//! What replicas tell each other: logouts and what operators close, and nothing else.
//!
//! A Redis stream holds those of the last day or so. What an issuer or an operator told this replica is
//! added to it; what the others added is read, and so is what this one missed while it was away. Every
//! entry is sealed under the key that the replicas share, and all that it can do is to end a session:
//! whoever has the Redis can let nobody in, and can end nobody by an entry of their own.

mod entry;
mod meters;
mod own;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::registry::Registry;
use redis::{Pipeline, pipe};
use secrecy::SecretSlice;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use self::entry::{Seal, Told};
use self::meters::Meters;
use self::own::Own;
use crate::config;
use crate::line::{Line, LineError};
use crate::live::Pick;
use crate::revocation::Revocation;

/// How often the stream is read: how long a logout takes to the other replicas.
const TURN: Duration = Duration::from_millis(250);
/// How many entries are read at once.
const PAGE: usize = 1000;
/// After how many of them others get their turn: each is held against every open socket.
const BREATH: usize = 16;
/// How many entries the stream keeps, more or less.
const KEPT: usize = 200_000;
/// For how long what an operator closed is told, where Redis is away or has lost it.
const CLOSING: Duration = Duration::from_hours(1);
/// How far the clocks of Redis and of the replicas may be apart.
const SKEW: Duration = Duration::from_mins(5);

/// The other replicas.
#[derive(Debug)]
pub struct Replicas {
    line: Arc<Line>,
    stream: String,
    memory: Duration,
    seal: Seal,
    own: Own,
    spoken: Notify,
    caught_up: watch::Sender<bool>,
    meters: Meters,
}

/// What a replica has told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// A logout, and for how long it counts.
    LoggedOut(Revocation, Duration),
    /// An operator has closed these, as far as they were open at that moment, since 1970.
    Closed(Pick, Duration),
}

/// How far the stream is read.
#[derive(Clone, Debug)]
struct Mark {
    id: String,
    kind: MarkKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MarkKind {
    /// A moment, from which on everything is read.
    Beginning,
    /// The last entry that was read; as long as it is there, nothing before the next was lost.
    Entry,
}

/// What one look at the stream came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// There is more.
    More,
    /// There is nothing more.
    End,
    /// It is not the stream that was read before.
    Lost,
}

/// An entry as Redis tells it: its id, and its fields, each with its value behind it.
type Raw = (String, Vec<Vec<u8>>);

impl Replicas {
    /// Prepares the talk with the others. `memory` is how far back a newcomer listens.
    pub fn new(
        config: &config::Replicas,
        key: &SecretSlice<u8>,
        line: Arc<Line>,
        memory: Duration,
        registry: &mut Registry,
    ) -> Self {
        Self {
            line,
            stream: format!("{}logouts", config.prefix),
            memory,
            seal: Seal::new(key),
            own: Own::default(),
            spoken: Notify::new(),
            caught_up: watch::Sender::new(false),
            meters: Meters::new(registry),
        }
    }

    /// Tells the others of a logout, now or as soon as Redis can be reached.
    pub fn announce(&self, revocation: &Revocation, remember: Duration) {
        let expires = since_1970() + remember;
        self.tell(&Told::logout(revocation, expires), expires);
    }

    /// Tells the others of what an operator has closed that was open at a moment, since 1970, unless it is
    /// by what the others cannot know them by.
    pub fn announce_closing(&self, pick: &Pick, moment: Duration) {
        if pick.is_common() {
            self.tell(&Told::closing(pick, moment), moment + CLOSING);
        }
    }

    fn tell(&self, told: &Told, expires: Duration) {
        let entry = self.seal.close(told);
        self.own.push(entry, expires, since_1970());
        self.meters.waiting(self.own.unsaid());
        self.spoken.notify_one();
    }

    /// Waits until all that the others have told is heard, but no longer than `patience`.
    pub async fn catch_up(&self, patience: Duration) {
        let mut caught_up = self.caught_up.subscribe();
        let heard = timeout(patience, caught_up.wait_for(|caught_up| *caught_up)).await;
        if heard.is_err() {
            warn!("what other replicas told while this one was away is not known yet");
        }
    }

    /// Waits until all that this replica has to tell is told, but no longer than `patience`.
    pub async fn finish(&self, patience: Duration) {
        if timeout(patience, self.own.all_said()).await.is_err() {
            let logouts = self.own.unsaid();
            warn!(logouts, "the other replicas will not hear of these");
        }
    }

    /// Speaks and listens, for ever; `hear` is told what there is to be done.
    pub async fn converse(&self, hear: impl Fn(&News)) {
        let mut mark = None;
        loop {
            let look = self.turn(&mut mark, &hear).await;
            self.note(&look);
            if matches!(look, Ok(Look::More)) {
                continue;
            }
            if matches!(look, Ok(Look::End)) {
                self.caught_up
                    .send_if_modified(|so| !std::mem::replace(so, true));
            }
            tokio::select! {
                () = sleep(TURN) => {}
                // While Redis is away, what is spoken is no reason to try sooner.
                () = self.spoken.notified(), if look.is_ok() => {}
            }
        }
    }

    /// Says what is unsaid, then reads on from the mark.
    async fn turn(
        &self,
        mark: &mut Option<Mark>,
        hear: &impl Fn(&News),
    ) -> Result<Look, LineError> {
        let from = match mark {
            Some(mark) => mark.clone(),
            None => self.beginning().await?,
        };
        self.speak().await?;
        let (mut entries,): (Vec<Raw>,) = self.line.ask(&self.reading(&from)).await?;
        if from.kind == MarkKind::Entry {
            let first = entries.first().map(|(id, _)| id);
            if first != Some(&from.id) {
                self.start_over();
                *mark = None;
                return Ok(Look::Lost);
            }
            entries.remove(0);
        }
        let look = if entries.len() < PAGE {
            Look::End
        } else {
            Look::More
        };
        let last = entries.last().map(|(id, _)| id.clone());
        for (count, entry) in entries.iter().enumerate() {
            self.hear(entry, hear);
            if count % BREATH == 0 {
                yield_now().await;
            }
        }
        *mark = Some(last.map_or(from, Mark::entry));
        Ok(look)
    }

    /// The stream is not the one that was read: Redis was started anew, or so much was told that
    /// the oldest was let go. What can be told again is told again, by each of the replicas.
    fn start_over(&self) {
        warn!("the replicas' stream has lost entries; all there is is told and heard again");
        self.own.say_again(since_1970());
        self.meters.waiting(self.own.unsaid());
    }

    /// Where a newcomer begins, by the clock of Redis, which numbers the entries.
    async fn beginning(&self) -> Result<Mark, LineError> {
        let mut asking = pipe();
        asking.cmd("TIME");
        let ((seconds, _),): ((u64, u64),) = self.line.ask(&asking).await?;
        let back = Duration::from_secs(seconds).saturating_sub(self.memory + SKEW);
        let id = format!("{}-0", back.as_millis());
        let kind = MarkKind::Beginning;
        Ok(Mark { id, kind })
    }

    fn reading(&self, from: &Mark) -> Pipeline {
        let mut asking = pipe();
        let range = asking.cmd("XRANGE").arg(&self.stream).arg(&from.id);
        range.arg("+").arg("COUNT").arg(PAGE + 1);
        asking
    }

    fn hear(&self, (id, fields): &Raw, hear: &impl Fn(&News)) {
        let told = self.seal.open(fields);
        if told.is_none() && self.meters.strange() == 0 {
            let most = id.chars().take(64);
            let id: String = most.flat_map(char::escape_debug).collect();
            warn!(
                id,
                "an entry of the replicas' stream is none of theirs; it and more are ignored"
            );
        }
        if let Some(news) = told.and_then(|told| told.news(since_1970())) {
            hear(&news);
            if let News::LoggedOut(..) = news {
                self.meters.heard();
            }
        }
    }

    /// Says what is unsaid; nothing is forgotten before it stands in the stream.
    async fn speak(&self) -> Result<(), LineError> {
        while let Some(batch) = self.own.batch() {
            let mut asking = pipe();
            for (text, seal) in &batch.entries {
                let adding = asking.cmd("XADD").arg(&self.stream);
                adding.arg("MAXLEN").arg("~").arg(KEPT).arg("*");
                adding.arg(entry::TEXT).arg(text).arg(entry::SEAL).arg(seal);
            }
            let _: Vec<String> = self.line.ask(&asking).await?;
            self.own.said(batch.last);
            self.meters.waiting(self.own.unsaid());
        }
        Ok(())
    }

    fn note(&self, look: &Result<Look, LineError>) {
        let change = self.meters.looked(look.is_ok(), since_1970());
        match look {
            Err(error) if change => warn!(%error, "the replicas' Redis cannot be used"),
            Ok(_) if change => info!("the replicas' Redis answers"),
            _ => {}
        }
    }
}

impl Mark {
    fn entry(id: String) -> Self {
        let kind = MarkKind::Entry;
        Self { id, kind }
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
