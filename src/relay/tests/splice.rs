//! Between two bare sockets a large frame's payload is not read: what must hold all the same.

use std::io;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::*;
use crate::engine::EngineIo;
use crate::record::Way;
use crate::relay::scratch::TURN;
use crate::relay::splice::{Spliced, forget_pipe, pass};

/// A relay between two sockets.
struct Sockets {
    client: TcpStream,
    engine: TcpStream,
    ledger: Arc<Ledger>,
    task: JoinHandle<Ended>,
}

impl Sockets {
    async fn new(access: &Access) -> Self {
        let (terms, leash, _standing, _live) = ties(access, None);
        let ((client, client_io), (engine, engine_io)) = (pair().await, pair().await);
        let ledger = Arc::clone(leash.seat.socket().ledger());
        let record = record(&leash.seat);
        let relay = Relay::new(end(client_io), end(engine_io), terms, leash, record);
        Self {
            client,
            engine,
            ledger,
            task: tokio::spawn(relay.run()),
        }
    }
}

/// Two ends of a connection that holds little, so that a slow reader is soon waited for.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap());
    let (there, here) = tokio::join!(there, listener.accept());
    let (there, here) = (there.unwrap(), here.unwrap().0);
    for io in [&there, &here] {
        SockRef::from(io).set_recv_buffer_size(64 << 10).unwrap();
        SockRef::from(io).set_send_buffer_size(64 << 10).unwrap();
    }
    (there, here)
}

/// What hangs is a failure, and soon.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), work).await.unwrap()
}

/// What the client hears of all that the engine says.
async fn carry(engine: &mut TcpStream, said: &[u8], client: &mut TcpStream) -> Vec<u8> {
    let mut heard = vec![0; said.len()];
    let exchange = async { tokio::join!(engine.write_all(said), client.read_exact(&mut heard)) };
    let (sent, came) = soon(exchange).await;
    sent.and(came).unwrap();
    heard
}

/// Payload whose every place can be told from its neighbours, and one stream from another.
fn payload(length: usize, seed: u8) -> Vec<u8> {
    let bytes = (0..251_u8).cycle().map(|byte| byte.wrapping_add(seed));
    bytes.take(length).collect()
}

/// Frames of an engine: small and large ones, whole and in fragments, with pings between.
fn talk(seed: u8) -> (Vec<u8>, u64) {
    let mut bytes = message_frame(b"{}");
    let mut messages = 1;
    for length in [
        300_000, 0, 16_383, 16_384, 1, 73_728, 90_113, 126, 1_048_576, 65_280, 81_664,
    ] {
        bytes.extend(message_frame(&payload(length, seed)));
        let mut first = message_frame(&payload(length, seed ^ 0x55));
        first[0] = 0x02;
        let mut last = message_frame(&payload(length / 2, seed ^ 0xaa));
        last[0] = 0x80;
        for part in [first, ping_frame(b"between", None), last] {
            bytes.extend(part);
        }
        messages += 2;
    }
    (bytes, messages)
}

#[tokio::test]
async fn what_is_not_taken_comes_back_and_leaves_the_pipe_empty() {
    let (to, _full) = pair().await;
    soon(to.writable()).await.unwrap();
    while to.try_write(&[0; 4096]).is_ok() {}
    for seed in 0..3 {
        let ((mut there, from), (mut other_there, other_from)) = (pair().await, pair().await);
        let (said, other) = (payload(20_000, seed), payload(20_000, seed + 100));
        soon(there.write_all(&said)).await.unwrap();
        soon(from.readable()).await.unwrap();
        let Spliced { came, rest } = pass(&from, &to, TURN).unwrap();
        assert!(came > 0 && rest == said[..came], "all that came");

        let (mut other_client, other_to) = pair().await;
        soon(other_there.write_all(&other)).await.unwrap();
        soon(other_from.readable()).await.unwrap();
        soon(other_to.writable()).await.unwrap();
        let Spliced { came, rest } = pass(&other_from, &other_to, TURN).unwrap();
        assert!(came > 0 && rest.is_empty());
        let mut heard = vec![0; came];
        soon(other_client.read_exact(&mut heard)).await.unwrap();
        assert!(heard == other[..came], "and nothing else");
    }
}

#[tokio::test]
async fn what_cannot_be_said_any_more_comes_back_as_well() {
    let ((mut there, from), (client, to)) = (pair().await, pair().await);
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    soon(to.readable()).await.unwrap();
    let said = payload(20_000, 1);
    soon(there.write_all(&said)).await.unwrap();
    soon(from.readable()).await.unwrap();
    let Spliced { came, rest } = pass(&from, &to, TURN).unwrap();
    assert!(came > 0 && rest == said[..came]);
    drop(there);
    while pass(&from, &to, TURN).unwrap().came > 0 {}
    assert!(forget_pipe(), "it is still there, and empty");
}

#[tokio::test]
async fn sockets_without_tls_are_bare_and_nothing_else() {
    let (_there, here) = pair().await;
    assert!(EngineIo::Left(here).bare().is_some());
    let (unix, _) = UnixStream::pair().unwrap();
    assert!(unix.bare().is_none());
    assert!(duplex(1).0.bare().is_none());
}

#[tokio::test]
async fn large_frames_pass_verbatim_and_are_counted() {
    forget_pipe();
    for access in [any(), consumer()] {
        let Sockets {
            mut client,
            mut engine,
            ledger,
            task,
        } = Sockets::new(&access).await;
        let (said, messages) = talk(7);
        let heard = carry(&mut engine, &said, &mut client).await;
        assert!(heard == said, "verbatim");
        assert!(forget_pipe(), "the payload of large frames is not read");
        let close = close_frame(CloseCode::NORMAL, "", None);
        engine.write_all(&close).await.unwrap();
        let frame = &mut [0; 4];
        soon(client.read_exact(frame)).await.unwrap();
        assert_eq!(frame[0], 0x88, "it knows where the frames were");
        drop((client, engine));
        soon(task).await.unwrap();
        let traffic = ledger.tally.read(Way::Down);
        assert_eq!(traffic.messages, messages);
        assert_eq!(traffic.bytes, (said.len() + close.len()) as u64);
    }
}

#[tokio::test]
async fn nothing_of_a_slow_readers_is_heard_by_anybody_else() {
    let (said, _) = talk(1);
    let (said_beside, _) = talk(99);
    let Sockets {
        client: mut slow,
        engine: mut of_slow,
        task: _slow_task,
        ..
    } = Sockets::new(&any()).await;
    let Sockets {
        mut client,
        mut engine,
        task: _task,
        ..
    } = Sockets::new(&any()).await;
    let (mut heard, mut heard_beside) = (vec![0; said.len()], vec![0; said_beside.len()]);
    let exchange = async {
        tokio::join!(
            of_slow.write_all(&said),
            async {
                for piece in heard.chunks_mut(10_007) {
                    tokio::task::yield_now().await;
                    slow.read_exact(piece).await?;
                }
                io::Result::Ok(())
            },
            engine.write_all(&said_beside),
            client.read_exact(&mut heard_beside)
        )
    };
    let (sent, slowly, sent_beside, beside) = soon(exchange).await;
    sent.unwrap();
    slowly.unwrap();
    sent_beside.unwrap();
    beside.unwrap();
    assert!(heard == said);
    assert!(heard_beside == said_beside);
}

#[tokio::test]
async fn what_is_said_in_the_engines_place_waits_for_the_end_of_a_large_frame() {
    let Sockets {
        mut client,
        mut engine,
        task: _task,
        ..
    } = Sockets::new(&consumer()).await;
    let frame = message_frame(&payload(400_000, 3));
    let (first, last) = frame.split_at(200_000);
    assert!(carry(&mut engine, first, &mut client).await == first);
    let denied = br#"{"id":1,"handle":-1,"method":"DoReload","params":[]}"#;
    client.write_all(&masked(0x81, denied)).await.unwrap();
    assert!(carry(&mut engine, last, &mut client).await == last);
    assert_eq!(soon(client.read_u8()).await.unwrap(), 0x81);
}

#[tokio::test]
async fn an_engine_that_vanishes_within_a_large_frame_breaks_the_client_off() {
    let Sockets {
        mut client,
        engine,
        task,
        ..
    } = Sockets::new(&any()).await;
    let frame = message_frame(&payload(1 << 20, 5));
    let mut said = message_frame(b"{}");
    said.extend(&frame[..700_000]);
    let sent = tokio::spawn(async move {
        let mut engine = engine;
        engine.write_all(&said).await.unwrap();
        said
    });
    let mut heard = Vec::new();
    let _ = soon(client.read_to_end(&mut heard)).await;
    let said = soon(sent).await.unwrap();
    assert!(heard == said, "no Close within a frame");
    assert_eq!(
        soon(task).await.unwrap().cause,
        Cause::Vanished(Side::Engine)
    );
}

#[tokio::test]
async fn a_client_that_vanishes_within_a_large_frame_ends_the_socket() {
    let Sockets {
        mut client,
        mut engine,
        task,
        ..
    } = Sockets::new(&any()).await;
    let mut said = message_frame(b"{}");
    said.extend(&message_frame(&payload(8 << 20, 5)));
    let (mut reader, mut writer) = engine.split();
    let leave = async {
        client.read_exact(&mut vec![0; 200_000]).await.unwrap();
        drop(client);
    };
    let exchange = async { tokio::join!(writer.write_all(&said), leave, reader.read_u8()) };
    let (_, (), heard) = soon(exchange).await;
    assert_eq!(heard.unwrap(), 0x88, "the engine hears a Close");
    drop(engine);
    assert_eq!(
        soon(task).await.unwrap().cause,
        Cause::Vanished(Side::Client)
    );
}

#[tokio::test]
async fn urgent_data_within_a_large_frame_holds_nobody_up() {
    let Sockets {
        mut client,
        mut engine,
        task: _task,
        ..
    } = Sockets::new(&any()).await;
    let frame = message_frame(&payload(400_000, 3));
    let mut said = message_frame(b"{}");
    said.extend(&frame[..100_000]);
    assert!(carry(&mut engine, &said, &mut client).await == said);
    // The byte itself is nowhere in the stream.
    SockRef::from(&engine).send_out_of_band(b"!").unwrap();
    let rest = &frame[100_000..];
    assert!(carry(&mut engine, rest, &mut client).await == rest);
}
