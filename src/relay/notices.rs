//! What is done with the notices of Qlik's proxy service: a client hears that it was let in, and
//! nothing else of who Qlik believes it is.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::ear::{Heard, Run};
use super::leg::Leg;
use super::pump::Pump;
use super::trial::Trial;
use crate::qix::{Admission, Meaning, Notice};
use crate::record::{Cause, Side};
use crate::ws::message_frame;

impl<C, E> Pump<C, E>
where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    /// Hears a run of bytes of one message of the engine's side, and sends on what may go on.
    pub(super) fn hear_down(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        let run = if self.down.at_message_boundary() {
            Run::Last
        } else {
            Run::Partial
        };
        let Some(ear) = &mut self.ear else {
            return self.pass_down(cx, bytes);
        };
        match ear.hear(bytes, run) {
            Heard::More => {}
            Heard::Notice(notice, frames) => self.notice(cx, &notice, &frames),
            Heard::Pass(bytes) => {
                self.trial = Trial::Over;
                self.pass_down(cx, &bytes);
            }
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
