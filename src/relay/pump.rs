//! The two ways of a relay. Each reads one leg under a cursor and puts the same bytes on the other;
//! what the proxy says itself goes in where a frame or a message ends.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::clock::Clock;
use super::leg::{Leg, State};
use super::{Compression, Terms, scratch};
use crate::fault::CloseCode;
use crate::policy::{MessageKind, Reading, Verdict};
use crate::qix::Greeting;
use crate::record::{Cause, Ended, Record, Side, Way};
use crate::session::Standing;
use crate::ws::{
    Close, Control, Cursor, Header, Mask, Opcode, Sender, Step, Stream, Until, Violation,
    close_frame, message_frame, ping_frame, pong_frame, reason, unmask_message,
};

/// Once this much waits for a client, nothing more is read from it.
const CROWDED: usize = 64 << 10;
/// How much of the engine's first message is listened to.
const GREETING: usize = 256;
/// How long a client that broke the protocol is listened to, so that the Close is not lost to a
/// reset.
const LINGER: Duration = Duration::from_secs(1);
/// RSV1, which permessage-deflate sets (RFC 7692 section 6).
const RSV1: u8 = 4;

#[derive(Debug)]
pub(super) struct Pump<C, E> {
    client: Leg<C>,
    engine: Leg<E>,
    up: Cursor,
    down: Cursor,
    /// The client message being held, as raw frames (reading routes).
    held: Vec<u8>,
    /// Our JSON-RPC answers, as frames, waiting for the end of a message to the client.
    answers: Vec<u8>,
    /// The beginning of the engine's first message, until enough of it is heard.
    overheard: Option<Vec<u8>>,
    terms: Terms,
    clock: Clock,
    cause: Option<Cause>,
    told: Option<CloseCode>,
    ping_tag: [u8; 8],
    record: Record,
}

impl<C, E> Pump<C, E>
where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: Leg<C>, engine: Leg<E>, terms: Terms, record: Record) -> Self {
        let reserved = match terms.compression {
            Compression::Deflate => RSV1,
            Compression::None => 0,
        };
        let max_message = terms.limits.client_message as u64;
        let up = Stream {
            sender: Sender::Client,
            reserved,
            max_message,
        };
        let down = Stream {
            sender: Sender::Server,
            reserved,
            max_message: u64::MAX,
        };
        Self {
            client,
            engine,
            up: Cursor::new(up),
            down: Cursor::new(down),
            held: Vec::new(),
            answers: Vec::new(),
            overheard: Some(Vec::new()),
            clock: Clock::new(terms.limits.client_ping, terms.engine_ping),
            terms,
            cause: None,
            told: None,
            ping_tag: random(),
            record,
        }
    }

    /// Moves what can be moved; ready when something has begun to end or has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ending = self.cause;
        scratch::reading(|scratch| {
            // Each way can give the other something to say, so both are asked until both rest.
            while self.poll_up(cx, scratch) | self.poll_down(cx, scratch) {}
        });
        if self.cause != ending || self.finished() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes a word about the app session.
    pub(super) fn stand(&mut self, standing: Standing) {
        match standing {
            Standing::Ended => self.end(Cause::SessionEnded),
            Standing::Valid { until } => self.clock.expiry = until,
        }
    }

    /// Begins to end both legs; what has begun to end stays as it is.
    pub(super) fn end(&mut self, cause: Cause) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        self.clock.grace = Some(Instant::now() + self.terms.limits.close_grace);
        self.close_client(cause.client_code());
        self.close_engine(cause.engine_code());
    }

    /// Does what is due and says when to come again.
    pub(super) fn tick(&mut self, now: Instant) -> Instant {
        let limits = self.terms.limits;
        if self.clock.grace.is_some_and(|grace| now >= grace) {
            self.give_up();
        } else if self.cause.is_none() {
            self.watch_session(now);
            self.watch_stalls(now);
            self.keep_alive(now);
        }
        match self.clock.grace {
            Some(grace) => grace,
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

    // === client → engine ===

    /// Moves what the client has sent; true when something moved.
    fn poll_up(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> bool {
        let mut moved = false;
        loop {
            moved |= self.speak_to_engine(cx);
            if self.engine.poll_drain(cx).is_pending() || self.client.silent() {
                return moved;
            }
            if self.is_client_crowded(cx) {
                return moved;
            }
            match self.client.poll_read(cx, scratch) {
                Poll::Pending => return moved,
                Poll::Ready(0) => self.client_vanished(),
                Poll::Ready(_) if self.client.state == State::Deaf => {}
                Poll::Ready(length) => self.digest_up(cx, &scratch[..length]),
            }
            moved = true;
        }
    }

    /// Whether so much waits for the client that it must not make us say more: it takes none of it,
    /// or the engine's message that goes first has not ended.
    fn is_client_crowded(&mut self, cx: &mut Context<'_>) -> bool {
        let crowded = |pump: &Self| pump.client.waiting() + pump.answers.len() > CROWDED;
        crowded(self) && (self.client.poll_drain(cx).is_pending() || crowded(self))
    }

    fn digest_up(&mut self, cx: &mut Context<'_>, mut input: &[u8]) {
        self.client.alive = true;
        let before = self.up.messages();
        let length = input.len();
        while !self.client.silent() && self.client.state == State::Open {
            let until = self.until_up();
            match self.up.step(&mut input, until) {
                Ok(None) => break,
                Ok(Some(Step::Control(control))) => self.control_up(cx, &control),
                Ok(Some(Step::Data(bytes))) => self.data_up(cx, bytes),
                Ok(Some(Step::Header(bytes))) => self.data_up(cx, &bytes),
                Err(violation) => self.client_violated(violation),
            }
            self.speak_to_engine(cx);
        }
        self.record
            .moved(Way::Up, self.up.messages() - before, length);
    }

    fn until_up(&self) -> Until {
        match self.terms.permit.reading() {
            Reading::EveryMessage => Until::MessageEnd,
            Reading::Nothing if self.engine.urgent.is_empty() && self.engine.farewell.is_none() => {
                Until::Control
            }
            Reading::Nothing => Until::FrameEnd,
        }
    }

    fn data_up(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.clock.active = Instant::now();
        if self.engine.said_close || self.engine.is_gone() {
            return;
        }
        if self.terms.permit.reading() == Reading::Nothing {
            return self.engine.put(cx, bytes);
        }
        if self.held.is_empty() && self.up.at_message_boundary() {
            return self.judge(cx, bytes);
        }
        self.held.extend_from_slice(bytes);
        if self.up.at_message_boundary() {
            let held = std::mem::take(&mut self.held);
            self.judge(cx, &held);
        } else if self.held.len() > 2 * self.terms.limits.client_message {
            // The cursor counts payload; this bounds the headers of endless empty fragments.
            self.client_violated(Violation::TooBig);
        }
    }

    /// Sends a whole message on as it came, or answers it in the engine's place.
    fn judge(&mut self, cx: &mut Context<'_>, frames: &[u8]) {
        let verdict = scratch::unmasked(|payload| {
            let kind = match unmask_message(frames, payload) {
                Opcode::Text => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            self.terms.permit.judge(kind, payload)
        });
        match verdict {
            Verdict::Pass => self.engine.put(cx, frames),
            Verdict::Deny(denial) => {
                self.record.denied(denial.reason);
                self.answers
                    .extend_from_slice(&message_frame(&denial.answer));
            }
        }
    }

    fn control_up(&mut self, cx: &mut Context<'_>, control: &Control) {
        match control.opcode {
            Opcode::Close => return self.client_closed(cx, control),
            Opcode::Pong if control.payload == self.ping_tag => return,
            _ => {}
        }
        if self.engine.said_close {
            return;
        }
        if self.terms.engine_ping.is_some() {
            self.engine.put(cx, &control.raw);
        } else if control.opcode == Opcode::Ping {
            self.client
                .urgent
                .extend_from_slice(&pong_frame(&control.payload, None));
        }
    }

    fn client_closed(&mut self, cx: &mut Context<'_>, control: &Control) {
        let close = Close::read(&control.payload);
        self.client.heard_close = Some(close);
        if self.cause.is_some() {
            return;
        }
        if close == Close::Malformed {
            return self.end(Cause::Protocol(Side::Client));
        }
        self.cause = Some(Cause::Closed(Side::Client));
        self.clock.grace = Some(Instant::now() + self.terms.limits.close_grace);
        self.held = Vec::new();
        self.engine.put(cx, &control.raw);
        self.engine.said_close = true;
    }

    fn client_vanished(&mut self) {
        self.client.abort();
        if !self.may_speak_to_engine() {
            self.engine.abort();
        }
        self.held = Vec::new();
        self.end(Cause::Vanished(Side::Client));
    }

    fn client_violated(&mut self, violation: Violation) {
        let cause = match violation {
            Violation::TooBig => Cause::TooBig,
            _ => Cause::Protocol(Side::Client),
        };
        self.client.state = State::Deaf;
        if !self.may_speak_to_engine() {
            self.engine.abort();
        }
        self.held = Vec::new();
        self.end(cause);
        // The client's Close can no longer be understood; a moment for ours to arrive is enough.
        self.clock.grace = self
            .clock
            .grace
            .map(|grace| grace.min(Instant::now() + LINGER));
    }

    // === engine → client ===

    /// Moves what the engine has sent; true when something moved.
    fn poll_down(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> bool {
        let mut moved = false;
        loop {
            moved |= self.speak_to_client(cx);
            if self.client.poll_drain(cx).is_pending() || self.engine.silent() {
                return moved;
            }
            match self.engine.poll_read(cx, scratch) {
                Poll::Pending => return moved,
                Poll::Ready(0) => self.engine_vanished(),
                Poll::Ready(length) => self.digest_down(cx, &scratch[..length]),
            }
            moved = true;
        }
    }

    fn digest_down(&mut self, cx: &mut Context<'_>, mut input: &[u8]) {
        self.engine.alive = true;
        let before = self.down.messages();
        let length = input.len();
        while !self.engine.silent() {
            let until = self.until_down();
            match self.down.step(&mut input, until) {
                Ok(None) => break,
                Ok(Some(Step::Control(control))) => self.control_down(cx, &control),
                Ok(Some(Step::Data(bytes))) => self.data_down(cx, bytes),
                Ok(Some(Step::Header(bytes))) => self.data_down(cx, &bytes),
                Err(_) => self.engine_violated(),
            }
            self.speak_to_client(cx);
        }
        self.record
            .moved(Way::Down, self.down.messages() - before, length);
    }

    fn until_down(&self) -> Until {
        if !self.client.urgent.is_empty() || self.client.farewell.is_some() {
            Until::FrameEnd
        } else if self.answers.is_empty() {
            Until::Control
        } else {
            Until::MessageEnd
        }
    }

    fn data_down(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.clock.active = Instant::now();
        self.overhear(bytes);
        if !self.client.said_close {
            self.client.put(cx, bytes);
        }
    }

    /// Listens to the engine's greeting as it passes, for the record.
    fn overhear(&mut self, bytes: &[u8]) {
        let Some(heard) = &mut self.overheard else {
            return;
        };
        heard.extend_from_slice(&bytes[..bytes.len().min(GREETING - heard.len())]);
        if heard.len() < GREETING && self.down.messages() == 0 {
            return;
        }
        if let Ok(Some(header)) = Header::parse(heard) {
            self.record.greeted(Greeting::read(&heard[header.length..]));
        }
        self.overheard = None;
    }

    fn control_down(&mut self, cx: &mut Context<'_>, control: &Control) {
        match control.opcode {
            Opcode::Close => self.engine_closed(&control.payload),
            Opcode::Pong if control.payload == self.ping_tag => {}
            _ if self.client.said_close => {}
            _ => self.client.put(cx, &control.raw),
        }
    }

    fn engine_closed(&mut self, payload: &[u8]) {
        let close = Close::read(payload);
        self.engine.heard_close = Some(close);
        self.close_client(self.code_for_client(close));
        self.close_engine(close.code().unwrap_or(CloseCode::NORMAL));
        self.end(Cause::Closed(Side::Engine));
    }

    /// enigma.js swallows 1000 and 4000: where the client did not ask for an end, they must not
    /// reach it.
    fn code_for_client(&self, close: Close) -> CloseCode {
        match (self.client.heard_close, close.code()) {
            (None, None | Some(CloseCode::NORMAL | CloseCode::SUSPENDED)) => {
                CloseCode::ENGINE_PROXY
            }
            (_, Some(code)) => code,
            (Some(asked), None) => asked.code().unwrap_or(CloseCode::NORMAL),
        }
    }

    fn engine_vanished(&mut self) {
        self.engine.abort();
        if !self.down.at_frame_boundary() {
            self.client.abort();
        }
        self.end(Cause::Vanished(Side::Engine));
        self.answer_close();
    }

    fn engine_violated(&mut self) {
        self.engine.heard_close = Some(Close::Malformed);
        if !self.down.at_frame_boundary() {
            self.client.abort();
        }
        self.end(Cause::Protocol(Side::Engine));
        self.answer_close();
    }

    /// Where the engine can no longer answer a client's Close, we do.
    fn answer_close(&mut self) {
        if let Some(close) = self.client.heard_close {
            self.close_client(close.code().unwrap_or(CloseCode::NORMAL));
        }
    }

    // === what the proxy says itself ===

    fn close_client(&mut self, code: CloseCode) {
        if self.client.farewell.is_none() && !self.client.said_close && !self.client.is_gone() {
            self.told = Some(code);
            self.client.farewell = Some(close_frame(code, reason(code), None));
        }
    }

    fn close_engine(&mut self, code: CloseCode) {
        if self.engine.farewell.is_none() && !self.engine.said_close && !self.engine.is_gone() {
            self.engine.farewell = Some(close_frame(code, "", Some(Mask(random()))));
        }
    }

    /// Whether what went to the engine so far ends a frame; on a reading route it always does.
    fn may_speak_to_engine(&self) -> bool {
        self.terms.permit.reading() == Reading::EveryMessage || self.up.at_frame_boundary()
    }

    fn speak_to_engine(&mut self, cx: &mut Context<'_>) -> bool {
        let quiet = self.engine.urgent.is_empty() && self.engine.farewell.is_none();
        if quiet || !self.may_speak_to_engine() {
            return false;
        }
        speak(&mut self.engine, cx);
        true
    }

    fn speak_to_client(&mut self, cx: &mut Context<'_>) -> bool {
        let mut spoke = false;
        if !self.answers.is_empty() && self.down.at_message_boundary() && !self.client.said_close {
            let answers = std::mem::take(&mut self.answers);
            self.client.put(cx, &answers);
            spoke = true;
        }
        let quiet = self.client.urgent.is_empty() && self.client.farewell.is_none();
        if !quiet && self.down.at_frame_boundary() {
            speak(&mut self.client, cx);
            spoke = true;
        }
        spoke
    }

    // === what is due ===

    fn watch_session(&mut self, now: Instant) {
        if self.clock.expiry.is_some_and(|expiry| now >= expiry) {
            self.end(Cause::SessionExpired);
        } else if now >= self.clock.active + self.terms.limits.idle {
            self.end(Cause::Idle);
        }
    }

    fn watch_stalls(&mut self, now: Instant) {
        let stall = self.terms.limits.write_stall;
        let stalled = |since: Option<Instant>| since.is_some_and(|since| now >= since + stall);
        if stalled(self.client.blocked_since()) {
            self.client.abort();
            self.end(Cause::Stalled(Side::Client));
        } else if stalled(self.engine.blocked_since()) {
            self.engine.abort();
            self.end(Cause::Stalled(Side::Engine));
        }
    }

    /// Pings both legs; a leg from which nothing came since its last ping is gone, unless it is
    /// we who did not read.
    fn keep_alive(&mut self, now: Instant) {
        if self.clock.client_ping_due(now) {
            if !self.client.alive && !self.blocked() {
                return self.client_vanished();
            }
            self.client.alive = false;
            self.client
                .urgent
                .extend_from_slice(&ping_frame(&self.ping_tag, None));
        }
        if self.clock.engine_ping_due(now) {
            if !self.engine.alive && !self.blocked() {
                return self.engine_vanished();
            }
            self.engine.alive = false;
            let ping = ping_frame(&self.ping_tag, Some(Mask(random())));
            self.engine.urgent.extend_from_slice(&ping);
        }
    }

    /// The closing handshake took too long: whoever has not heard a Close and can, hears one as
    /// the connection ends; a frame that is half sent ends with its connection.
    fn give_up(&mut self) {
        self.answer_close();
        let mut cx = Context::from_waker(Waker::noop());
        self.speak_to_client(&mut cx);
        self.speak_to_engine(&mut cx);
        self.client.give_up();
        self.engine.give_up();
    }

    fn blocked(&self) -> bool {
        self.client.blocked_since().is_some() || self.engine.blocked_since().is_some()
    }
}

/// Puts on the wire what has waited for the end of a frame.
fn speak<IO: AsyncRead + AsyncWrite + Unpin>(leg: &mut Leg<IO>, cx: &mut Context<'_>) {
    let urgent = std::mem::take(&mut leg.urgent);
    if !leg.said_close {
        leg.put(cx, &urgent);
    }
    if let Some(farewell) = leg.farewell.take() {
        leg.put(cx, &farewell);
        leg.said_close = true;
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A mask only has to be unforeseeable to the one who chose the payload, and that is us.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}
