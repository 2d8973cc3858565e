//! A pipe that cuts what passes into pieces, and makes both ends wait at random.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The sizes of the pieces, over and over; 0 makes the other end wait.
#[derive(Clone, Debug)]
pub(super) struct Cuts(Vec<usize>);

impl Cuts {
    pub(super) fn all(size: usize) -> Self {
        Self(vec![size])
    }
}

impl Arbitrary for Cuts {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> BoxedStrategy<Self> {
        let few = prop_oneof![Just(0), 1..40_usize, 100..20_000_usize];
        let many = prop_oneof![Just(0), 2_000..100_000_usize];
        prop_oneof![vec(few, 1..20), vec(many, 1..20)]
            .prop_map(|mut sizes| {
                // Whoever only waited would never be done.
                sizes.push(700);
                Self(sizes)
            })
            .boxed()
    }
}

pub(super) struct Chopped {
    io: DuplexStream,
    cuts: Cuts,
    reads: usize,
    writes: usize,
}

impl Chopped {
    pub(super) fn new(io: DuplexStream, cuts: Cuts) -> Self {
        Self {
            io,
            cuts,
            reads: 0,
            writes: 0,
        }
    }
}

/// The size of the next piece.
fn next(cuts: &Cuts, turn: &mut usize, cx: &Context<'_>) -> Poll<usize> {
    let size = cuts.0[*turn % cuts.0.len()];
    *turn += 1;
    if size == 0 {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(size)
}

impl AsyncRead for Chopped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let chopped = self.get_mut();
        let size = ready!(next(&chopped.cuts, &mut chopped.reads, cx));
        let mut piece = vec![0; size.min(room.remaining())];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut chopped.io).poll_read(cx, &mut piece))?;
        room.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Chopped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let chopped = self.get_mut();
        let size = ready!(next(&chopped.cuts, &mut chopped.writes, cx));
        Pin::new(&mut chopped.io).poll_write(cx, &bytes[..size.min(bytes.len())])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
