//! The relay: two legs and the bytes between them, verbatim, until either ends.
//!
//! Two open websockets enter; how they ended leaves. The relay never opens a socket, never looks
//! at a clock that is not tokio's, and changes no byte of a data frame. It owns the record, so
//! that dropping it at any point accounts for the socket.

mod clock;
mod down;
mod ear;
mod io;
mod leg;
mod notices;
mod pump;
mod quiet;
mod scratch;
mod speech;
mod splice;
mod trial;
mod up;

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Empty;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

pub use self::io::Io;
use self::leg::Leg;
use self::pump::Pump;
use self::quiet::Quiet;
pub use self::trial::Second;
use self::trial::Trial;
use crate::config::{Flavour, RelayLimits};
use crate::credential::Stay;
use crate::live::Seat;
use crate::policy::Permit;
use crate::record::{Cause, Ended, Record};
use crate::session::{Activity, Standing};

/// One end of the relay: an upgraded connection and what had been read of it already.
#[derive(Debug)]
pub struct End<IO> {
    /// The connection.
    pub io: IO,
    /// Bytes that came with the handshake.
    pub early: Bytes,
}

impl End<Empty> {
    /// The end of a client that has left already.
    #[must_use]
    pub fn gone() -> Self {
        Self {
            io: tokio::io::empty(),
            early: Bytes::new(),
        }
    }
}

/// What a relay is held to.
#[derive(Debug)]
pub struct Terms {
    /// What the person may say.
    pub permit: Permit,
    /// The route's limits.
    pub limits: Arc<RelayLimits>,
    /// How often the engine is pinged; `None`: neither ping nor pong ever goes to it.
    pub engine_ping: Option<Duration>,
    /// Whether permessage-deflate was negotiated end to end.
    pub compression: Compression,
    /// Who speaks between the engine's messages.
    pub flavour: Flavour,
}

/// Whether permessage-deflate was negotiated end to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// It was: RSV1 may be set.
    Deflate,
    /// It was not.
    None,
}

impl Compression {
    /// What the engine chose of the client's offers; all they can be is permessage-deflate.
    #[must_use]
    pub const fn of(extension: Option<&str>) -> Self {
        match extension {
            Some(_) => Self::Deflate,
            None => Self::None,
        }
    }
}

/// What ties a relay to its session and to the registry, which can end it from outside.
#[derive(Debug)]
pub struct Leash {
    /// The app session behind the socket.
    pub standing: watch::Receiver<Standing>,
    /// Where it marks that somebody is at work.
    pub activity: Activity,
    /// The place in the registry: it may order the end, and is given back when the relay drops.
    pub seat: Seat,
    /// The use of the credential that opened the engine.
    pub stay: Stay,
}

/// Two open websockets, ready to be relayed.
#[derive(Debug)]
pub struct Relay<C, E>(Box<State<C, E>>);

/// Boxed, because futures keep room for every move of what they are made of.
#[derive(Debug)]
struct State<C, E> {
    pump: Pump<C, E>,
    leash: Leash,
}

impl<C, E> Relay<C, E>
where
    C: Io,
    E: Io,
{
    /// Joins two legs.
    pub fn new(client: End<C>, engine: End<E>, terms: Terms, leash: Leash, record: Record) -> Self {
        let client = Leg::new(client.io, client.early);
        let engine = Leg::new(engine.io, engine.early);
        let activity = leash.activity.clone();
        let pump = Pump::new(client, engine, terms, activity, record);
        Self(Box::new(State { pump, leash }))
    }

    /// Lets the engine be opened once more, should its first words be that it takes nobody's
    /// credential.
    #[must_use]
    pub fn with_second(mut self, second: Second<E>) -> Self {
        self.0.pump.trial = Trial::new(second);
        self
    }

    /// Relays until one leg ends and the other has been told.
    pub async fn run(self) -> Ended {
        let mut state = self.0;
        let State { pump, leash } = &mut *state;
        pump.stand(*leash.standing.borrow_and_update());
        let mut alarm = pin!(sleep_until(Instant::now()));
        loop {
            let deadline = pump.tick(Instant::now());
            alarm.as_mut().reset(deadline);
            let word = pin!(word(leash, alarm.as_mut()));
            tokio::select! {
                // The pump comes last: what was ordered during the dial goes before anything that the
                // client sent meanwhile, and a flood, which spends the task's whole budget at every
                // poll, would drown it.
                biased;
                word = Quiet::new(word) => match word {
                    Word::Due => {}
                    Word::Order(cause) => pump.end(cause),
                    Word::Standing(now) => pump.stand(now),
                },
                () = poll_fn(|cx| pump.poll(cx)) => {}
            }
            if pump.finished() {
                break;
            }
        }
        // Both Close frames are through; what is left is the farewell of TLS and TCP.
        let _ = timeout(Duration::from_secs(1), poll_fn(|cx| pump.poll_shutdown(cx))).await;
        state.pump.conclude()
    }
}

/// What a relay is told from outside.
enum Word {
    /// Something is due.
    Due,
    /// It is to end.
    Order(Cause),
    /// This became of its session.
    Standing(Standing),
}

async fn word(leash: &mut Leash, alarm: Pin<&mut Sleep>) -> Word {
    tokio::select! {
        biased;
        now = changed(&mut leash.standing) => Word::Standing(now),
        cause = leash.seat.ordered() => Word::Order(cause),
        () = alarm => Word::Due,
    }
}

/// The next standing of the session; never again once nobody can change it.
async fn changed(standing: &mut watch::Receiver<Standing>) -> Standing {
    if standing.changed().await.is_err() {
        return pending().await;
    }
    *standing.borrow_and_update()
}

#[cfg(test)]
mod tests;
