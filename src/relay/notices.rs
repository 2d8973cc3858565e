//! What is done with the notices of Qlik's proxy service: a client hears that it was let in, and
//! nothing else of who Qlik believes it is.

use std::borrow::Cow;
use std::task::{Context, Poll};

use super::ear::{Heard, Run};
use super::io::Io;
use super::leg::Leg;
use super::pump::Pump;
use super::trial::Trial;
use crate::qix::{Admission, Meaning, Notice};
use crate::record::{Cause, Side};
use crate::ws::{Step, message_frame};

/// What may go on of a run of bytes and has not yet.
struct Passing<'a> {
    whole: &'a [u8],
    from: usize,
    to: usize,
}

impl<'a> Passing<'a> {
    const fn of(whole: &'a [u8]) -> Self {
        let (from, to) = (0, 0);
        Self { whole, from, to }
    }

    /// Adds the `length` bytes that end at `end`; whatever stood before them and may not go on has
    /// been followed by a `take`.
    const fn extend(&mut self, length: usize, end: usize) {
        if self.from == self.to {
            self.from = end - length;
        }
        self.to = end;
    }

    fn take(&mut self) -> &'a [u8] {
        let from = std::mem::replace(&mut self.from, self.to);
        &self.whole[from..self.to]
    }
}

impl<C, E> Pump<C, E>
where
    C: Io,
    E: Io,
{
    /// Takes what the engine has sent with an ear on every message. What passes goes on in as few
    /// writes as it came.
    pub(super) fn digest_heard(&mut self, cx: &mut Context<'_>, whole: &[u8]) {
        let (mut input, mut passing) = (whole, Passing::of(whole));
        while !self.engine.silent() {
            let until = self.until_down();
            let step = self.down.step(&mut input, until);
            let end = whole.len() - input.len();
            match step {
                Ok(None) => break,
                Ok(Some(Step::Data(bytes))) => match self.hear(bytes) {
                    Heard::Pass(Cow::Borrowed(_)) => passing.extend(bytes.len(), end),
                    heard => {
                        self.pass_down(cx, passing.take());
                        self.heed(cx, heard);
                    }
                },
                Ok(Some(Step::Header(bytes))) => {
                    self.pass_down(cx, passing.take());
                    let heard = self.hear(&bytes);
                    self.heed(cx, heard);
                }
                Ok(Some(Step::Control(control))) => {
                    self.pass_down(cx, passing.take());
                    self.control_down(cx, &control);
                }
                Err(_) => {
                    self.pass_down(cx, passing.take());
                    self.engine_violated();
                }
            }
            if self.wants_to_speak_to_client() {
                self.pass_down(cx, passing.take());
                self.speak_to_client(cx);
            }
        }
        self.pass_down(cx, passing.take());
    }

    /// Hears a run of bytes of one message.
    fn hear<'a>(&mut self, bytes: &'a [u8]) -> Heard<'a> {
        self.clock.stirred = true;
        let run = if self.down.at_message_boundary() {
            Run::Last
        } else {
            Run::Partial
        };
        let Some(ear) = &mut self.ear else {
            return Heard::Pass(Cow::Borrowed(bytes));
        };
        let heard = ear.hear(bytes, run);
        if let Heard::Pass(_) = heard {
            self.trial = Trial::Over;
        }
        heard
    }

    fn heed(&mut self, cx: &mut Context<'_>, heard: Heard<'_>) {
        match heard {
            Heard::More => {}
            Heard::Notice(notice, frames) => self.notice(cx, &notice, &frames),
            Heard::Pass(bytes) => self.pass_down(cx, &bytes),
            Heard::TooLong => {
                self.engine.abort();
                self.end(Cause::Protocol(Side::Engine));
            }
        }
    }

    fn notice(&mut self, cx: &mut Context<'_>, notice: &Notice, frames: &[u8]) {
        self.record.noticed(notice);
        self.overhear_whole(frames);
        let refused = Meaning::Authentication(Admission::Refused);
        if *notice.meaning() == refused {
            return self.refused();
        }
        self.trial = Trial::Over;
        self.announced = notice.end().or(self.announced);
        match notice.meaning() {
            Meaning::Authentication(_) => self.pass_down(cx, &message_frame(Admission::NOTICE)),
            Meaning::Cut(text) => self.pass_down(cx, &message_frame(text)),
            Meaning::Public => self.pass_down(cx, frames),
        }
    }

    /// The engine wants the person to sign in: it did not take the credential.
    fn refused(&mut self) {
        if self.cause.is_none() && !self.trial.refuse() {
            return self.end(Cause::CredentialRefused);
        }
        self.engine.abort();
    }

    /// Moves the second attempt on; true when the engine is open once more.
    pub(super) fn poll_again(&mut self, cx: &mut Context<'_>) -> bool {
        match self.trial.poll_again(cx) {
            Poll::Pending => return false,
            Poll::Ready(None) => self.end(Cause::CredentialRefused),
            Poll::Ready(Some((engine, said))) => {
                self.engine = Leg::new(engine.io, engine.early);
                self.down = Self::cursor_down(&self.terms);
                self.engine.put(cx, &said);
            }
        }
        true
    }
}
