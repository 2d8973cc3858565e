//! Client → engine: messages are held and judged on a reading route, and pass unread on another.

use std::task::{Context, Poll};
use std::time::Duration;

use thin_vec::ThinVec;
use tokio::time::Instant;

use super::io::Io;
use super::leg::State;
use super::pump::Pump;
use super::scratch::{self, TURN};
use crate::fault::CloseCode;
use crate::policy::{MessageKind, Reading, Verdict};
use crate::record::{Cause, Side, Way};
use crate::ws::{
    Close, Control, Opcode, Step, Until, Violation, message_frame, pong_frame, unmask_message,
};

/// Once this much waits for a client, nothing more is read from it.
const CROWDED: usize = 64 << 10;
/// How long the engine is heard out when a client broke the protocol, and then the client listened
/// to, so that the Close is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

impl<C, E> Pump<C, E>
where
    C: Io,
    E: Io,
{
    /// Moves what the client has sent; true when something moved, and the turn is not over.
    pub(super) fn poll_up(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> bool {
        let (mut moved, mut taken) = (false, 0);
        loop {
            moved |= self.speak_to_engine(cx);
            self.client.poll_last_word(cx);
            if self.engine.poll_drain(cx).is_pending() || self.is_nothing_to_read() {
                return moved;
            }
            self.crowded = self.is_client_crowded(cx);
            if self.crowded {
                return moved;
            }
            match self.client.poll_read(cx, scratch) {
                Poll::Pending => return moved,
                Poll::Ready(0) => self.client_vanished(),
                Poll::Ready(length) if self.client.state == State::Deaf => taken += length,
                Poll::Ready(length) => {
                    taken += length;
                    self.digest_up(cx, &scratch[..length]);
                }
            }
            moved = true;
            if taken >= TURN {
                // More may have come: not before the others have had their turn.
                cx.waker().wake_by_ref();
                return false;
            }
        }
    }

    /// Whether the client has said its last, or must wait for an engine that is being opened again.
    fn is_nothing_to_read(&self) -> bool {
        self.client.silent() || self.trial.is_again()
    }

    /// Whether so much waits for the client that it must not make us say more: it takes none of it,
    /// or the engine's message that goes first has not ended.
    fn is_client_crowded(&mut self, cx: &mut Context<'_>) -> bool {
        let crowded = |pump: &Self| pump.client.waiting() + pump.answers.len() > CROWDED;
        crowded(self) && (self.client.poll_drain(cx).is_pending() || crowded(self))
    }

    fn digest_up(&mut self, cx: &mut Context<'_>, mut input: &[u8]) {
        self.client.unanswered = 0;
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
            Reading::Nothing if self.wants_to_speak_to_engine() => Until::FrameEnd,
            Reading::Nothing => Until::Control,
        }
    }

    fn data_up(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.clock.stirred = true;
        if self.engine.said_close || self.engine.is_gone() {
            return;
        }
        if self.terms.permit.reading() == Reading::Nothing {
            return self.send_up(cx, bytes);
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
            Verdict::Pass => self.send_up(cx, frames),
            Verdict::Deny(denial) => {
                self.record.denied(denial.reason);
                self.answers
                    .extend_from_slice(&message_frame(&denial.answer));
            }
        }
    }

    fn send_up(&mut self, cx: &mut Context<'_>, frames: &[u8]) {
        self.activity.note();
        self.trial.keep(frames);
        self.engine.put(cx, frames);
    }

    fn control_up(&mut self, cx: &mut Context<'_>, control: &Control) {
        match control.opcode {
            Opcode::Close => return self.client_closed(cx, control),
            Opcode::Pong if self.is_ours(control) => return,
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
        if close.is_unlawful() {
            if close == Close::NotUtf8 {
                self.close_client(CloseCode::NOT_UTF8);
            }
            return self.end(Cause::Protocol(Side::Client));
        }
        self.cause = Some(Cause::Closed(Side::Client));
        self.clock.grace = Some(Instant::now() + self.terms.limits.close_grace);
        self.held = ThinVec::new();
        self.engine.put(cx, &control.raw);
        self.engine.said_close = true;
    }

    pub(super) fn client_vanished(&mut self) {
        self.client.abort();
        if !self.may_speak_to_engine() {
            self.engine.abort();
        }
        self.held = ThinVec::new();
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
        self.held = ThinVec::new();
        self.end(cause);
        // The client's Close can no longer be understood; a moment for ours to arrive is enough.
        let now = Instant::now();
        let grace = self.clock.grace;
        self.clock.grace = grace.map(|grace| grace.min(now + 2 * LINGER));
        self.clock.last_words = self.clock.grace.map(|grace| grace.min(now + LINGER));
    }
}
