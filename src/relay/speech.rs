//! What the proxy says itself, where a frame or a message ends: pings, answers, farewells; and when
//! it is time for them.

use std::task::{Context, Waker};

use tokio::time::Instant;

use super::io::Io;
use super::leg::Leg;
use super::pump::{Pump, random};
use crate::fault::CloseCode;
use crate::policy::Reading;
use crate::record::{Cause, Side};
use crate::ws::{Control, Mask, bare_close_frame, close_frame, ping_frame, reason};

impl<C, E> Pump<C, E>
where
    C: Io,
    E: Io,
{
    /// Closes with a code, or with none where the client asked for the end with none.
    pub(super) fn close_client(&mut self, code: impl Into<Option<CloseCode>>) {
        if self.client.farewell.is_none() && !self.client.said_close && !self.client.is_gone() {
            self.told = code.into();
            self.client.farewell = Some(match self.told {
                Some(code) => close_frame(code, reason(code), None).into(),
                None => bare_close_frame(None).into(),
            });
        }
    }

    pub(super) fn close_engine(&mut self, code: CloseCode) {
        if self.engine.farewell.is_none() && !self.engine.said_close && !self.engine.is_gone() {
            self.engine.farewell = Some(close_frame(code, "", Some(Mask(random()))).into());
        }
    }

    /// Whether what went to the engine so far ends a frame; on a reading route it always does.
    pub(super) fn may_speak_to_engine(&self) -> bool {
        self.terms.permit.reading() == Reading::EveryMessage || self.up.at_frame_boundary()
    }

    pub(super) fn speak_to_engine(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.wants_to_speak_to_engine() || !self.may_speak_to_engine() {
            return false;
        }
        speak(&mut self.engine, cx);
        true
    }

    /// Whether something of ours waits to be said to the engine.
    pub(super) fn wants_to_speak_to_engine(&self) -> bool {
        !self.engine.urgent.is_empty() || self.engine.farewell.is_some()
    }

    pub(super) fn speak_to_client(&mut self, cx: &mut Context<'_>) -> bool {
        let mut spoke = false;
        if !self.answers.is_empty() && !self.is_client_mid_message() && !self.client.said_close {
            let answers = std::mem::take(&mut self.answers);
            self.client.put(cx, &answers);
            spoke = true;
        }
        let quiet = self.client.urgent.is_empty() && self.client.farewell.is_none();
        if !quiet && !self.hears_engine_out() && !self.is_client_mid_frame() {
            speak(&mut self.client, cx);
            spoke = true;
        }
        spoke
    }

    /// Whether a client's Close waits for what the engine still has to say: a client that broke
    /// the protocol gets the answers to what it had asked before.
    fn hears_engine_out(&self) -> bool {
        self.clock.last_words.is_some() && !self.engine.silent()
    }

    /// Whether something of ours waits to be said to the client.
    pub(super) fn wants_to_speak_to_client(&self) -> bool {
        let quiet = self.client.urgent.is_empty() && self.client.farewell.is_none();
        !quiet || !self.answers.is_empty()
    }

    pub(super) fn watch_session(&mut self, now: Instant) {
        if self.clock.expiry.is_some_and(|expiry| now >= expiry) {
            self.end(Cause::SessionExpired);
        } else if self.clock.is_idle(now, self.terms.limits.idle) {
            self.end(Cause::Idle);
        }
    }

    pub(super) fn watch_stalls(&mut self, now: Instant) {
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

    /// Pings both legs; an engine from which nothing came since is gone, and so is a client that had
    /// as long for it as a reader has: what it was sent before comes first. Unless it is we who did
    /// not read. A ping that has to wait, for a frame's end or for a slow reader, asks for nothing yet.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        let (client, engine) = (self.terms.limits.client_ping, self.terms.engine_ping);
        if self.blocked() {
            (self.client.unanswered, self.engine.unanswered) = (0, 0);
        }
        if self.clock.client_ping_due(now, client) {
            let waited = client.saturating_mul(self.client.unanswered);
            if waited >= client.max(self.terms.limits.write_stall) {
                return self.client_vanished();
            }
            self.client.unanswered += u32::from(!self.blocked() && !self.is_client_mid_frame());
            if self.client.urgent.is_empty() {
                self.client.urgent = ping_frame(&self.ping_tag(), None).into();
            }
        }
        if self.clock.engine_ping_due(now, engine) {
            if self.engine.unanswered > 0 {
                return self.engine_vanished();
            }
            self.engine.unanswered = u32::from(!self.blocked() && self.may_speak_to_engine());
            if self.engine.urgent.is_empty() {
                self.engine.urgent = ping_frame(&self.ping_tag(), Some(Mask(random()))).into();
            }
        }
    }

    fn ping_tag(&mut self) -> [u8; 8] {
        *self.ping_tag.get_or_insert_with(random)
    }

    /// Whether a pong answers a ping of ours.
    pub(super) fn is_ours(&self, pong: &Control) -> bool {
        self.ping_tag.is_some_and(|tag| pong.payload == tag)
    }

    /// The closing handshake took too long: whoever has not heard a Close and can, hears one as
    /// the connection ends; a frame that is half sent ends with its connection.
    pub(super) fn give_up(&mut self) {
        self.answer_close();
        let mut cx = Context::from_waker(Waker::noop());
        self.speak_to_client(&mut cx);
        self.speak_to_engine(&mut cx);
        self.client.give_up();
        self.engine.give_up();
    }

    fn blocked(&self) -> bool {
        let waiting = self.client.blocked_since().or(self.engine.blocked_since());
        waiting.is_some() || self.trial.is_again()
    }
}

/// Puts on the wire what has waited for the end of a frame.
fn speak<IO: Io>(leg: &mut Leg<IO>, cx: &mut Context<'_>) {
    let urgent = std::mem::take(&mut leg.urgent);
    if !leg.said_close {
        leg.put(cx, &urgent);
    }
    if let Some(farewell) = leg.farewell.take() {
        leg.put(cx, &farewell);
        leg.said_close = true;
    }
}
