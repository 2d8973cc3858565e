//! A connection whose writes can be held back, so that a 101 and the first frame leave together.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Holds a connection's writes back while it is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cork(Arc<AtomicBool>);

impl Cork {
    pub(crate) fn put_in(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// What was held leaves with the next flush.
    pub(crate) fn pull(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is_in(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection with a cork.
pub(crate) struct Wire<S> {
    io: S,
    cork: Cork,
    held: Vec<u8>,
}

impl<S> Wire<S> {
    pub(crate) fn new(io: S, cork: Cork) -> Self {
        Self {
            io,
            cork,
            held: Vec::new(),
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cork.is_in() {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_held(context))?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cork.is_in() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_held(context))?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn nothing_leaves_while_the_cork_is_in_and_then_all_at_once() {
        let (near, mut far) = duplex(64);
        let cork = Cork::default();
        let mut wire = Wire::new(near, cork.clone());

        cork.put_in();
        wire.write_all(b"101 ").await.unwrap();
        wire.flush().await.unwrap();
        wire.write_all(b"greeting").await.unwrap();
        wire.flush().await.unwrap();
        let mut buffer = [0; 64];
        let early = tokio::select! {
            biased;
            read = far.read(&mut buffer) => Some(read),
            () = std::future::ready(()) => None,
        };
        assert!(early.is_none(), "{early:?}");

        cork.pull();
        wire.flush().await.unwrap();
        let read = far.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], b"101 greeting");
    }
}
