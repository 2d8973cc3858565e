//! Engine → client: everything streams; only the greeting and the Close are listened to.

use std::task::{Context, Poll};

use super::io::Io;
use super::pump::Pump;
use super::scratch::TURN;
use crate::fault::CloseCode;
use crate::qix::Greeting;
use crate::record::{Cause, Side, Way};
use crate::ws::{Close, Control, Header, Opcode, Step, Until};

/// How much of the engine's first message is listened to.
const GREETING: usize = 256;
/// Where less of a frame is left, to read it costs no more than to splice it.
const LARGE: u64 = 16 << 10;

impl<C, E> Pump<C, E>
where
    C: Io,
    E: Io,
{
    /// Moves what the engine has sent; true when something moved, and the turn is not over.
    pub(super) fn poll_down(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> bool {
        let mut moved = false;
        loop {
            moved |= self.speak_to_client(cx);
            if self.client.poll_drain(cx).is_pending() || self.engine.silent() {
                return moved;
            }
            if !self.splice_down(cx) {
                let wanted = self.wanted_down(scratch.len());
                match self.engine.poll_read(cx, &mut scratch[..wanted]) {
                    Poll::Pending => return moved,
                    Poll::Ready(0) => self.engine_vanished(),
                    Poll::Ready(length) => self.digest_down(cx, &scratch[..length]),
                }
            }
            moved = true;
            if self.down.left() > 0 {
                // More of a frame will come: not before the others have had their turn.
                cx.waker().wake_by_ref();
                return false;
            }
        }
    }

    /// How much to read of the engine at once.
    fn wanted_down(&self, room: usize) -> usize {
        if self.down.left() > TURN as u64 {
            room.min(TURN)
        } else {
            room
        }
    }

    /// Moves some of a large frame without reading it; false where it has to be read.
    fn splice_down(&mut self, cx: &mut Context<'_>) -> bool {
        let listens = self.ear.is_some() || self.overheard.is_some();
        if self.down.left() < LARGE || listens || self.client.said_close {
            return false;
        }
        let most = TURN.min(usize::try_from(self.down.left()).unwrap_or(TURN));
        match self.client.splice(cx, &self.engine, most) {
            Ok(0) => return false,
            Ok(length) => {
                let before = self.down.messages();
                self.down.skip(length);
                self.clock.stirred = true;
                self.account_down(before, length);
            }
            // What is lost nobody knows, so that nothing that comes can be understood any more.
            Err(_) => {
                self.client.abort();
                self.engine.heard_close = Some(Close::Malformed);
            }
        }
        true
    }

    fn digest_down(&mut self, cx: &mut Context<'_>, mut input: &[u8]) {
        let before = self.down.messages();
        let length = input.len();
        if self.ear.is_some() {
            self.digest_heard(cx, input);
            input = &[];
        }
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
        self.account_down(before, length);
    }

    fn account_down(&mut self, messages_before: u64, length: usize) {
        self.engine.unanswered = 0;
        let messages = self.down.messages() - messages_before;
        self.record.moved(Way::Down, messages, length);
    }

    pub(super) fn until_down(&self) -> Until {
        if !self.client.urgent.is_empty() || self.client.farewell.is_some() {
            Until::FrameEnd
        } else if self.answers.is_empty() && self.ear.is_none() {
            Until::Control
        } else {
            Until::MessageEnd
        }
    }

    fn data_down(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.clock.stirred = true;
        self.overhear(bytes);
        self.pass_down(cx, bytes);
    }

    pub(super) fn pass_down(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        if !self.client.said_close && !bytes.is_empty() {
            self.client.put(cx, bytes);
        }
    }

    /// Listens to a greeting that is there whole, for the record.
    pub(super) fn overhear_whole(&mut self, frames: &[u8]) {
        let greeting = Greeting::read(frames);
        if greeting != Greeting::Unknown {
            self.record.greeted(greeting);
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

    pub(super) fn control_down(&mut self, cx: &mut Context<'_>, control: &Control) {
        match control.opcode {
            Opcode::Close => self.engine_closed(&control.payload),
            Opcode::Pong if self.is_ours(control) => {}
            _ if self.client.said_close => {}
            _ => self.client.put(cx, &control.raw),
        }
    }

    fn engine_closed(&mut self, payload: &[u8]) {
        let close = Close::read(payload);
        self.engine.heard_close = Some(close);
        self.close_client(self.code_for_client(close));
        self.close_engine(match close {
            Close::Code(code) => code,
            Close::Empty => CloseCode::NORMAL,
            Close::Malformed => CloseCode::PROTOCOL,
            Close::NotUtf8 => CloseCode::NOT_UTF8,
        });
        self.end(Cause::Closed(Side::Engine));
    }

    /// enigma.js swallows 1000 and 4000: where the client did not ask for an end, they must not
    /// reach it. A notice before it says more than any code but the engine's own.
    fn code_for_client(&self, close: Close) -> Option<CloseCode> {
        if let Some(asked) = self.client.heard_close {
            return close.code().or(asked.code());
        }
        let said = close.code().filter(|code| !self.is_vague(*code));
        said.or(self.announced).or(Some(CloseCode::ENGINE_PROXY))
    }

    fn is_vague(&self, code: CloseCode) -> bool {
        let is_swallowed = matches!(code, CloseCode::NORMAL | CloseCode::SUSPENDED);
        is_swallowed || self.announced.is_some() && code < CloseCode::SUSPENDED
    }

    pub(super) fn engine_vanished(&mut self) {
        self.engine.abort();
        if self.is_client_mid_frame() {
            self.client.abort();
        }
        if let (None, Some(code)) = (self.client.heard_close, self.announced) {
            self.close_client(code);
        }
        self.end(Cause::Vanished(Side::Engine));
        self.answer_close();
    }

    /// Whether what went to the client so far ends within a frame.
    pub(super) fn is_client_mid_frame(&self) -> bool {
        !self.down.at_frame_boundary() && !self.is_holding()
    }

    /// Whether what went to the client so far ends within a message.
    pub(super) fn is_client_mid_message(&self) -> bool {
        !self.down.at_message_boundary() && !self.is_holding()
    }

    /// Whether nothing of the engine's current message has gone to the client.
    fn is_holding(&self) -> bool {
        self.ear.as_ref().is_some_and(|ear| ear.is_holding())
    }

    pub(super) fn engine_violated(&mut self) {
        self.engine.heard_close = Some(Close::Malformed);
        if self.is_client_mid_frame() {
            self.client.abort();
        }
        self.end(Cause::Protocol(Side::Engine));
        self.answer_close();
    }

    /// Where the engine can no longer answer a client's Close, we do.
    pub(super) fn answer_close(&mut self) {
        if let Some(close) = self.client.heard_close {
            self.close_client(close.code());
        }
    }
}
