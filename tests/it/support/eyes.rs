//! Connections that keep every byte a client gets to see.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Any connection.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Everything that the clients of a world have seen, a text a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eyes(Arc<Mutex<Vec<Sight>>>);

type Sight = Arc<Mutex<Vec<u8>>>;

impl Eyes {
    /// Watches one more connection.
    pub(crate) fn watch(&self, io: impl Io + 'static) -> Watched {
        let seen = Sight::default();
        self.0.lock().unwrap().push(Arc::clone(&seen));
        Watched {
            io: Box::new(io),
            seen,
        }
    }

    /// Keeps what a client got.
    pub(crate) fn note(&self, got: &[u8]) {
        let sight = Sight::new(Mutex::new(got.to_vec()));
        self.0.lock().unwrap().push(sight);
    }

    /// Panics when a client has seen one of these.
    pub(crate) fn assert_blind_to(&self, secrets: &[String]) {
        for sight in self.0.lock().unwrap().iter() {
            let seen = sight.lock().unwrap();
            for secret in secrets {
                let found = memmem::find(&seen, secret.as_bytes());
                assert!(found.is_none(), "a client has seen {secret}");
            }
        }
    }
}

/// A connection that is watched.
pub(crate) struct Watched {
    io: Box<dyn Io>,
    seen: Sight,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let mut seen = self.seen.lock().unwrap();
        seen.extend_from_slice(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
