//! The state of a relay, and its turns: both ways are moved until both rest. `up` and `down` are the
//! two ways, `speech` is what the proxy says itself.

use std::sync::Arc;
use std::task::{Context, Poll};

use thin_vec::ThinVec;
use tokio::time::Instant;

use super::clock::Clock;
use super::ear::Ear;
use super::io::Io;
use super::leg::Leg;
use super::trial::Trial;
use super::{Compression, Terms, scratch};
use crate::config::Flavour;
use crate::fault::CloseCode;
use crate::random;
use crate::record::{Cause, Ended, Record};
use crate::session::{Activity, Standing};
use crate::ws::{Close, Cursor, Sender, Stream};

/// RSV1, which permessage-deflate sets (RFC 7692 section 6).
const RSV1: u8 = 4;

#[derive(Debug)]
pub(super) struct Pump<C, E> {
    pub(super) client: Leg<C>,
    pub(super) engine: Leg<E>,
    pub(super) up: Cursor,
    pub(super) down: Cursor,
    /// The client message being held, as raw frames (reading routes).
    pub(super) held: ThinVec<u8>,
    /// Our JSON-RPC answers, as frames, waiting for the end of a message to the client.
    pub(super) answers: ThinVec<u8>,
    /// The beginning of the engine's first message, until enough of it is heard.
    pub(super) overheard: Option<ThinVec<u8>>,
    /// Listens for notices, where somebody speaks between the engine's messages.
    pub(super) ear: Option<Box<Ear>>,
    /// What a notice said the engine side would end by.
    pub(super) announced: Option<CloseCode>,
    /// Whether the engine took the credential.
    pub(super) trial: Trial<E>,
    pub(super) terms: Terms,
    pub(super) clock: Clock,
    pub(super) cause: Option<Cause>,
    pub(super) told: Option<CloseCode>,
    /// Whether nothing was read from the client because too much waits for it.
    pub(super) crowded: bool,
    /// What our pings carry, once there was one.
    pub(super) ping_tag: Option<[u8; 8]>,
    /// Where it is marked that somebody is at work.
    pub(super) activity: Activity,
    pub(super) record: Record,
}

impl<C, E> Pump<C, E>
where
    C: Io,
    E: Io,
{
    pub(super) fn new(
        client: Leg<C>,
        engine: Leg<E>,
        terms: Terms,
        activity: Activity,
        record: Record,
    ) -> Self {
        let reserved = reserved(&terms);
        let max_message = terms.limits.client_message as u64;
        let up = Stream {
            sender: Sender::Client,
            reserved,
            max_message,
        };
        Self {
            client,
            engine,
            up: Cursor::new(up),
            down: Self::cursor_down(&terms),
            held: ThinVec::new(),
            answers: ThinVec::new(),
            overheard: Some(ThinVec::new()),
            ear: (terms.flavour == Flavour::Windows).then(|| Box::new(Ear::new())),
            announced: None,
            trial: Trial::Over,
            clock: Clock::new(terms.limits.client_ping, terms.engine_ping),
            terms,
            cause: None,
            told: None,
            crowded: false,
            ping_tag: None,
            activity,
            record,
        }
    }

    /// At the start of what an engine says.
    pub(super) fn cursor_down(terms: &Terms) -> Cursor {
        Cursor::new(Stream {
            sender: Sender::Server,
            reserved: reserved(terms),
            max_message: u64::MAX,
        })
    }

    /// Moves what can be moved; ready when something has begun to end or has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ending = self.cause;
        self.poll_ways(cx);
        while self.poll_again(cx) {
            self.poll_ways(cx);
        }
        if self.cause != ending || self.finished() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_ways(&mut self, cx: &mut Context<'_>) {
        scratch::reading(|scratch| {
            // Each way can give the other something to say, so they are asked in turn until one of
            // them has nothing to add to what the other did.
            let _ = self.poll_up(cx, scratch);
            while (self.poll_down(cx, scratch) | self.mourn())
                && self.is_up_to_be_asked()
                && (self.poll_up(cx, scratch) | self.mourn())
            {}
        });
    }

    /// Whether what came down can have given the way up something to do: not while it waits for
    /// nothing but the client.
    fn is_up_to_be_asked(&self) -> bool {
        self.cause.is_some() || self.crowded || self.wants_to_speak_to_engine()
    }

    /// Ends the relay whose leg broke under a write: nothing is read of it any more, so no read
    /// would. True when there is something left to be said to the other.
    fn mourn(&mut self) -> bool {
        let begins = self.cause.is_none();
        if self.trial.is_again() {
            return false;
        }
        if begins && self.client.is_gone() {
            self.client_vanished();
        } else if self.engine.is_gone() && (begins || self.client.is_unanswered()) {
            self.engine_vanished();
        } else {
            return false;
        }
        true
    }

    /// Takes a word about the app session.
    pub(super) fn stand(&mut self, standing: Standing) {
        match standing {
            Standing::Changed => self.end(Cause::Moved),
            Standing::Ended => self.end(Cause::SessionEnded),
            Standing::Unknown => self.end(Cause::SessionCheckDown),
            Standing::Valid { until } => self.clock.expiry = until,
        }
    }

    /// Begins to end both legs; what has begun to end stays as it is.
    pub(super) fn end(&mut self, cause: Cause) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        self.trial = Trial::Over;
        self.clock.grace = Some(Instant::now() + self.terms.limits.close_grace);
        self.close_client(cause.client_code());
        self.close_engine(cause.engine_code());
    }

    /// Does what is due and says when to come again.
    pub(super) fn tick(&mut self, now: Instant) -> Instant {
        let limits = Arc::clone(&self.terms.limits);
        self.clock.last_words = self.clock.last_words.filter(|until| now < *until);
        if self.clock.grace.is_some_and(|grace| now >= grace) {
            self.give_up();
        } else if self.cause.is_none() {
            self.watch_session(now);
            self.watch_stalls(now);
            self.keep_alive(now);
        }
        match self.clock.grace {
            Some(grace) => self.clock.last_words.unwrap_or(grace),
            None => self.clock.next(now, limits.idle, limits.write_stall),
        }
    }

    /// Whether nothing is left to be said to anybody.
    pub(super) fn finished(&self) -> bool {
        self.cause.is_some() && self.client.settled() && self.engine.settled()
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let client = self.client.poll_shutdown(cx);
        let engine = self.engine.poll_shutdown(cx);
        if client.is_ready() && engine.is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Writes the end into the record, which is emitted as it drops.
    pub(super) fn conclude(mut self) -> Ended {
        let ended = Ended {
            cause: self.cause.unwrap_or(Cause::Stopped),
            client_code: self.told.or(self.client.heard_close.and_then(Close::code)),
            engine_code: self.engine.heard_close.and_then(Close::code),
        };
        self.record.end(ended);
        ended
    }
}

fn reserved(terms: &Terms) -> u8 {
    match terms.compression {
        Compression::Deflate => RSV1,
        Compression::None => 0,
    }
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A mask only has to be unforeseeable to the one who chose the payload, and that is us.
    let _ = random::fill(&mut bytes);
    bytes
}
