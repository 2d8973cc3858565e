//! What breaks under a write, and what never stops.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_leg_that_breaks_under_a_write_ends_the_socket_at_once() {
    let mut bench = Bench::with(&any(), None, b"", b"");
    let call = bench.call("GetActiveDoc", &json!([]));
    bench.client.write_all(&call).await.unwrap();
    drop(bench.engine);
    let closed = timeout(
        Duration::from_secs(1),
        frame(&mut bench.client, Sender::Server),
    );
    let (opcode, payload) = closed.await.unwrap();
    assert_eq!(opcode, Opcode::Close);
    assert_eq!(Close::read(&payload), Close::Code(CloseCode::NETWORK));

    let mut bench = Bench::with(&any(), None, b"", b"");
    bench.engine.write_all(&message_frame(b"{}")).await.unwrap();
    drop(bench.client);
    let closed = timeout(
        Duration::from_secs(1),
        frame(&mut bench.engine, Sender::Client),
    );
    assert_eq!(closed.await.unwrap().0, Opcode::Close);

    let mut bench = Bench::with(&any(), None, b"", b"");
    let close = close_frame(CloseCode::NORMAL, "", Some(KEY));
    bench.client.write_all(&close).await.unwrap();
    drop(bench.engine);
    let closed = timeout(
        Duration::from_secs(1),
        frame(&mut bench.client, Sender::Server),
    );
    assert_eq!(closed.await.unwrap().0, Opcode::Close);
}

/// A leg that always has more to say and always takes what it is told.
struct Flood {
    message: Vec<u8>,
    said: usize,
}

impl Io for Flood {}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Takes its share of the task's budget, as a socket does.
        std::task::ready!(Pin::new(&mut tokio::io::repeat(0)).poll_read(cx, buffer))?;
        for byte in buffer.filled_mut() {
            *byte = self.message[self.said];
            self.said = (self.said + 1) % self.message.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut tokio::io::sink()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_session_that_ends_under_a_flood_is_heard() {
    let flood = |message| Flood { message, said: 0 };
    let (terms, leash, standing, _) = ties(&any(), Some(LIMITS.client_ping));
    let client = end(flood(masked(0x81, &[b'x'; 1000])));
    let engine = end(flood(message_frame(&[b'x'; 1000])));
    let record = record(&leash.seat);
    let task = tokio::spawn(Relay::new(client, engine, terms, leash, record).run());
    tokio::task::yield_now().await;
    standing.send_replace(Standing::Ended);
    let ended = timeout(Duration::from_secs(20), task).await;
    assert_eq!(ended.unwrap().unwrap().cause, Cause::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_waits_for_the_end_of_a_long_frame_is_not_held_against_the_client() {
    let mut bench = Bench::new(&any());
    let long = message_frame(&[b'x'; 20]);
    for byte in &long {
        bench.engine.write_u8(*byte).await.unwrap();
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(bench.client_reads(long.len()).await, long);
    assert_eq!(bench.client_frame().await.0, Opcode::Ping);
    assert!(!bench.task.is_finished());
}

/// A leg that takes what it is told and never gets rid of it, as TLS may.
struct Hoard;

impl Io for Hoard {}

impl AsyncRead for Hoard {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Hoard {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_does_not_take_is_not_taken_however_often_one_looks() {
    let (terms, leash, _standing, _live) = ties(&any(), None);
    let (mut engine, engine_io) = duplex(8 << 10);
    let record = record(&leash.seat);
    let (client, engine_end) = (end(Hoard), end(engine_io));
    let task = tokio::spawn(Relay::new(client, engine_end, terms, leash, record).run());
    engine.write_all(&message_frame(b"{}")).await.unwrap();
    let begun = Instant::now();
    let cause = task.await.unwrap().cause;
    assert_eq!(cause, Cause::Stalled(Side::Client));
    let lasted = begun.elapsed();
    assert!(lasted < 2 * LIMITS.write_stall, "{lasted:?}");
}
