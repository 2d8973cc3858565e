//! Qlik on Windows says only after the client's first message whether it takes the credential that
//! opened the engine. Until then what the client says is sent on and kept, so that it can be said
//! once more to an engine that was opened with a fresh one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::End;

/// How much of what the client says is kept. Who says more before the engine says its first word
/// cannot have it said again.
const KEPT: usize = 256 << 10;

/// Opens the engine once more with a fresh credential. `None`: that failed, and was told to the
/// operator.
pub type Second<E> = Pin<Box<dyn Future<Output = Option<End<E>>> + Send>>;

/// Whether the engine took the credential. Few sockets ever ask, so they alone pay for it.
pub(super) enum Trial<E> {
    /// It refused, and is being opened once more.
    Again(Box<Attempt<E>>),
    /// Nothing can be tried any more, or need be.
    Over,
    /// It has not said yet.
    Waiting(Box<Attempt<E>>),
}

/// What a second attempt takes.
pub(super) struct Attempt<E> {
    /// What the client has said, as raw frames.
    said: Vec<u8>,
    second: Second<E>,
}

impl<E> Trial<E> {
    /// Begins to wait for the engine's first words.
    pub(super) fn new(second: Second<E>) -> Self {
        Self::Waiting(Box::new(Attempt {
            said: Vec::new(),
            second,
        }))
    }

    /// Keeps what goes to the engine.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let Self::Waiting(attempt) = self else {
            return;
        };
        if attempt.said.len() + bytes.len() > KEPT {
            *self = Self::Over;
        } else {
            attempt.said.extend_from_slice(bytes);
        }
    }

    /// The engine refused; true when it is opened once more.
    pub(super) fn refuse(&mut self) -> bool {
        let Self::Waiting(attempt) = std::mem::replace(self, Self::Over) else {
            return false;
        };
        *self = Self::Again(attempt);
        true
    }

    /// Whether the engine is being opened once more.
    pub(super) const fn is_again(&self) -> bool {
        matches!(self, Self::Again(_))
    }

    /// The second engine, and what is to be said to it first; never ready while nothing is tried.
    pub(super) fn poll_again(&mut self, cx: &mut Context<'_>) -> Poll<Option<(End<E>, Vec<u8>)>> {
        let Self::Again(attempt) = self else {
            return Poll::Pending;
        };
        let Poll::Ready(engine) = attempt.second.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        let said = std::mem::take(&mut attempt.said);
        *self = Self::Over;
        Poll::Ready(engine.map(|engine| (engine, said)))
    }
}

impl<E> fmt::Debug for Trial<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Again(_) => "Again",
            Self::Over => "Over",
            Self::Waiting(_) => "Waiting",
        })
    }
}
