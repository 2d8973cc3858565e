//! One stream of an HTTP/2 connection, as the relay wants it: a connection of its own.
//!
//! Only what is read makes room for more, so that a relay that does not read holds its own client
//! back and no other's. A stream that is dropped before its end is said is broken off: whatever
//! waits for a client that takes nothing goes with it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::relay::Io;

/// The most that is put on its way at a time: with the frame's own head, it fills one record of TLS.
const CHUNK: usize = (16 << 10) - 9;

/// A stream that has become a websocket's.
pub(super) struct StreamIo {
    incoming: RecvStream,
    /// What came and had no room.
    rest: Bytes,
    outgoing: Outgoing,
    /// Keeps the connection open.
    _going: TaskTrackerToken,
}

impl StreamIo {
    pub(super) const fn new(
        incoming: RecvStream,
        outgoing: Outgoing,
        going: TaskTrackerToken,
    ) -> Self {
        Self {
            incoming,
            rest: Bytes::new(),
            outgoing,
            _going: going,
        }
    }
}

impl Io for StreamIo {}

impl AsyncRead for StreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A stream does not spend its reader's budget by itself, as a socket does: who floods it would
        // keep a thread for themselves, and whatever else the reader waits for would never come.
        let budget = ready!(poll_proceed(cx));
        while self.rest.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        budget.made_progress();
        let length = self.rest.len().min(room.remaining());
        room.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        if self.rest.is_empty() {
            // A view of nothing would keep alive what it is a view of.
            self.rest = Bytes::new();
        }
        let released = self.incoming.flow_control().release_capacity(length);
        Poll::Ready(released.map_err(failed))
    }
}

impl AsyncWrite for StreamIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.outgoing).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_shutdown(cx)
    }
}

/// The way to the client. Nothing is put on it before the client has room.
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    ended: bool,
}

impl Outgoing {
    pub(super) const fn new(stream: SendStream<Bytes>) -> Self {
        let ended = false;
        Self { stream, ended }
    }

    /// Waits until some of `wanted` bytes can be sent.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        // What is asked for while nothing is to be sent would be kept from other streams.
        self.stream.reserve_capacity(wanted);
        loop {
            match self.stream.capacity() {
                0 => match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                room => return Poll::Ready(Ok(room.min(wanted))),
            }
        }
    }
}

impl AsyncWrite for Outgoing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = ready!(self.poll_room(cx, bytes.len().min(CHUNK)))?;
        let data = Bytes::copy_from_slice(&bytes[..length]);
        self.stream.send_data(data, false).map_err(failed)?;
        Poll::Ready(Ok(length))
    }

    /// What was sent is the connection's, which writes it as soon as it can.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            self.ended = true;
            // Whoever is gone needs no farewell.
            let _ = self.stream.send_data(Bytes::new(), true);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.ended {
            self.stream.send_reset(Reason::CANCEL);
        }
    }
}

fn failed(error: h2::Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http::{Request, Response};
    use tokio::io::duplex;
    use tokio_util::task::TaskTracker;

    use super::*;

    const FRAMES: usize = 200;
    const FRAME: usize = 256;

    /// A stream on which a client has said all that it has to say; the client goes with its future.
    async fn flooded() -> (StreamIo, impl Future) {
        let (near, far) = duplex(256 << 10);
        let client = async {
            let (mut sender, connection) = h2::client::handshake(near).await.unwrap();
            let driver = tokio::spawn(connection);
            let (answer, mut up) = sender.send_request(Request::new(()), false).unwrap();
            for _ in 0..FRAMES {
                up.send_data(Bytes::from_static(&[0; FRAME]), false)
                    .unwrap();
            }
            (answer, up, driver)
        };
        let (client, server) = tokio::join!(client, h2::server::handshake(far));
        let mut server = server.unwrap();
        let (request, mut respond) = server.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        let outgoing = respond.send_response(Response::new(()), false).unwrap();
        let going = TaskTracker::new().token();
        let io = StreamIo::new(request.into_body(), Outgoing::new(outgoing), going);
        (io, async move { client })
    }

    #[tokio::test]
    async fn a_flood_leaves_its_reader_time_for_others() {
        let (mut io, _client) = flooded().await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut read = 0;
        while let Some(came) = poll_fn(|cx| Poll::Ready(read_byte(&mut io, cx))).await {
            read += came;
            assert!(read < FRAMES * FRAME, "all of it was read at once");
        }
        assert!(read > 0, "nothing came");
    }

    fn read_byte(io: &mut StreamIo, cx: &mut Context<'_>) -> Option<usize> {
        let mut byte = [0];
        let mut room = ReadBuf::new(&mut byte);
        match Pin::new(io).poll_read(cx, &mut room) {
            Poll::Ready(came) => came.map(|()| room.filled().len()).ok(),
            Poll::Pending => None,
        }
    }
}
