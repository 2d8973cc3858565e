//! One leg of a relayed socket: its IO, what could not be written yet, and how far its closing
//! handshake has come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use thin_vec::ThinVec;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::io::Io;
use super::splice::{self, Spliced};
use crate::ws::Close;

/// One leg. What is there rarely is kept in vectors of one word: a socket is idle most of its life.
#[derive(Debug)]
pub(super) struct Leg<IO> {
    io: IO,
    /// What had been read before the relay began, until it is taken.
    early: Option<Box<Bytes>>,
    /// Bytes that belong on the wire but were not taken yet; nothing is read for this leg
    /// meanwhile, so it holds one scratch and a few control frames at the most.
    backlog: ThinVec<u8>,
    sent: usize,
    /// Since when the peer has taken nothing of the backlog.
    blocked: Option<Instant>,
    written: Written,
    /// Control frames of ours, waiting for the end of a frame.
    pub(super) urgent: ThinVec<u8>,
    /// Our Close frame, waiting for the end of a frame.
    pub(super) farewell: Option<ThinVec<u8>>,
    /// Whether a Close has been put on the wire, ours or the other side's.
    pub(super) said_close: bool,
    /// The Close that came from this leg.
    pub(super) heard_close: Option<Close>,
    pub(super) state: State,
    /// How many pings were asked since anything came.
    pub(super) unanswered: u32,
}

/// How far what was written has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Written {
    /// All of it is on its way.
    Flushed,
    /// Our end of the connection is shut down.
    Shut,
    /// Some of it may wait in the connection itself.
    Unflushed,
}

/// What can still be done with a leg.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// What comes is thrown away, because it can no longer be understood.
    Deaf,
    /// The connection is broken or ended; nothing can be said to it any more.
    Gone,
    /// Everything.
    Open,
}

impl<IO: Io> Leg<IO> {
    pub(super) fn new(io: IO, early: Bytes) -> Self {
        Self {
            io,
            // Nothing read early is still a slice of the buffer that heads were read into, and would keep
            // it for the life of the socket.
            early: (!early.is_empty()).then(|| Box::new(early)),
            backlog: ThinVec::new(),
            sent: 0,
            blocked: None,
            written: Written::Flushed,
            urgent: ThinVec::new(),
            farewell: None,
            said_close: false,
            heard_close: None,
            state: State::Open,
            unanswered: 0,
        }
    }

    /// Whether the connection is broken or ended.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether nothing more is to be read here.
    pub(super) fn silent(&self) -> bool {
        self.is_gone() || self.heard_close.is_some()
    }

    /// Whether its Close waits for one that nobody has begun to send.
    pub(super) fn is_unanswered(&self) -> bool {
        let answered = self.said_close || self.farewell.is_some();
        self.heard_close.is_some() && !answered && !self.is_gone()
    }

    /// Whether the closing handshake is over, or can never be.
    pub(super) fn settled(&self) -> bool {
        self.is_gone() || (self.said_close && self.heard_close.is_some() && self.backlog.is_empty())
    }

    /// How many bytes wait to be taken by the peer.
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len() - self.sent + self.urgent.len()
    }

    /// Since when the peer has taken nothing.
    pub(super) const fn blocked_since(&self) -> Option<Instant> {
        self.blocked
    }

    /// Gives up the rest of a closing handshake.
    pub(super) fn give_up(&mut self) {
        if !self.settled() {
            self.abort();
        }
    }

    /// Gives the connection up: the peer sees it break.
    pub(super) fn abort(&mut self) {
        self.state = State::Gone;
        self.forget_backlog();
        self.blocked = None;
    }

    /// Reads into `scratch`; 0 means that nothing will come any more.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<usize> {
        if let Some(early) = &mut self.early {
            let length = early.len().min(scratch.len());
            early.copy_to_slice(&mut scratch[..length]);
            self.early = self.early.take().filter(|early| !early.is_empty());
            return Poll::Ready(length);
        }
        let mut buffer = ReadBuf::new(scratch);
        match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(buffer.filled().len()),
            Poll::Ready(Err(_)) => Poll::Ready(0),
        }
    }

    /// Puts bytes on the wire, behind whatever waits already.
    pub(super) fn put(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) {
        if self.is_gone() {
            return;
        }
        while self.backlog.is_empty() && !bytes.is_empty() {
            match self.poll_write(cx, bytes) {
                Poll::Ready(Ok(taken)) => bytes = &bytes[taken..],
                Poll::Ready(Err(_)) => return self.abort(),
                Poll::Pending => break,
            }
        }
        if !bytes.is_empty() {
            self.backlog.extend_from_slice(bytes);
            self.blocked.get_or_insert_with(Instant::now);
        }
    }

    /// Puts up to `most` bytes on the wire that have come of another leg, without reading them; 0 where they
    /// must be read. After an error nobody knows how many came.
    pub(super) fn splice<O: Io>(
        &mut self,
        cx: &mut Context<'_>,
        other: &Leg<O>,
        most: usize,
    ) -> io::Result<usize> {
        let may = self.backlog.is_empty() && !self.is_gone() && other.early.is_none();
        let (Some(from), Some(to), true) = (other.io.bare(), self.io.bare(), may) else {
            return Ok(0);
        };
        let Spliced { came, rest } = splice::pass(from, to, most)?;
        self.put(cx, &rest);
        Ok(came)
    }

    /// Writes the backlog; ready when nothing waits.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sent < self.backlog.len() {
            let waiting = std::mem::take(&mut self.backlog);
            let written = self.poll_write(cx, &waiting[self.sent..]);
            self.backlog = waiting;
            match written {
                Poll::Ready(Ok(taken)) => {
                    self.sent += taken;
                    self.blocked = Some(Instant::now());
                }
                Poll::Ready(Err(_)) => self.abort(),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.forget_backlog();
        self.poll_flush(cx)
    }

    /// Shuts our end down behind a Close whose answer will not be understood: that the peer ends
    /// the connection is then the answer.
    pub(super) fn poll_last_word(&mut self, cx: &mut Context<'_>) {
        let last = self.state == State::Deaf && self.said_close && self.backlog.is_empty();
        if last
            && self.written != Written::Shut
            && Pin::new(&mut self.io).poll_shutdown(cx).is_ready()
        {
            self.written = Written::Shut;
        }
    }

    /// Ends the connection in an orderly way.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_gone() {
            return Poll::Ready(());
        }
        Pin::new(&mut self.io).poll_shutdown(cx).map(|_| ())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written = Written::Unflushed;
        match Pin::new(&mut self.io).poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => written,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.written != Written::Unflushed || self.is_gone() {
            return Poll::Ready(());
        }
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Ok(())) => self.written = Written::Flushed,
            Poll::Ready(Err(_)) => self.abort(),
            Poll::Pending => {
                self.blocked.get_or_insert_with(Instant::now);
                return Poll::Pending;
            }
        }
        self.blocked = None;
        Poll::Ready(())
    }

    /// A backlog is freed, not kept: an idle socket owns no buffer.
    fn forget_backlog(&mut self) {
        if self.backlog.capacity() > 0 {
            self.backlog = ThinVec::new();
        }
        self.sent = 0;
    }
}
