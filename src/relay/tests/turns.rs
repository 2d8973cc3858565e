//! A large frame goes on in turns, so that the other sockets of the thread get theirs.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use tokio::io::{AsyncRead as _, ReadBuf};

use super::*;
use crate::relay::scratch::TURN;

/// Counts how often a task asked for another turn.
#[derive(Default)]
struct Turns(AtomicUsize);

impl Wake for Turns {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_frame_goes_on_a_piece_at_a_turn() {
    const ROOM: usize = 4 << 20;
    let answer = message_frame(&vec![b'x'; 1 << 20]);
    let (terms, leash, _standing, _live) = ties(&any(), None);
    let ((mut client, client_io), (mut engine, engine_io)) = (duplex(ROOM), duplex(ROOM));
    let record = record(&leash.seat);
    let relay = Relay::new(end(client_io), end(engine_io), terms, leash, record);
    let mut relay = pin!(relay.run());
    engine.write_all(&answer).await.unwrap();

    let turns = Arc::<Turns>::default();
    let waker = Waker::from(Arc::clone(&turns));
    let mut cx = Context::from_waker(&waker);
    let mut came = 0;
    for turn in 1.. {
        let asked = turns.0.load(Ordering::Relaxed);
        assert!(relay.as_mut().poll(&mut cx).is_pending());
        let more = arrived(&mut client);
        assert!(more <= TURN + (16 << 10), "{more} bytes at turn {turn}");
        came += more;
        if came == answer.len() {
            break;
        }
        assert!(turns.0.load(Ordering::Relaxed) > asked, "it comes again");
        tokio::task::yield_now().await;
    }
}

/// Takes what has arrived.
fn arrived(io: &mut DuplexStream) -> usize {
    let mut room = vec![0; 1 << 20];
    let mut buffer = ReadBuf::new(&mut room);
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Pin::new(io).poll_read(&mut cx, &mut buffer);
    buffer.filled().len()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_much_leaves_its_own_way_down_a_turn() {
    const ROOM: usize = 4 << 20;
    let calls = masked(0x81, &[b'x'; 1000]).repeat(1000);
    let (terms, leash, _standing, _live) = ties(&any(), None);
    let ((mut client, client_io), (mut engine, engine_io)) = (duplex(ROOM), duplex(ROOM));
    let record = record(&leash.seat);
    let relay = Relay::new(end(client_io), end(engine_io), terms, leash, record);
    let mut relay = pin!(relay.run());
    let answer = message_frame(b"{}");
    client.write_all(&calls).await.unwrap();
    engine.write_all(&answer).await.unwrap();

    let turns = Arc::<Turns>::default();
    let waker = Waker::from(Arc::clone(&turns));
    let mut cx = Context::from_waker(&waker);
    let (mut came, mut heard) = (0, 0);
    while came < calls.len() {
        let asked = turns.0.load(Ordering::Relaxed);
        assert!(relay.as_mut().poll(&mut cx).is_pending());
        let more = arrived(&mut engine);
        assert!(more <= TURN + (72 << 10), "{more} bytes at a turn");
        came += more;
        heard += arrived(&mut client);
        assert_eq!(heard, answer.len(), "after {came} bytes");
        assert!(
            came == calls.len() || turns.0.load(Ordering::Relaxed) > asked,
            "it comes again"
        );
        tokio::task::yield_now().await;
    }
}
