//! Readers that are slow and alive, and such as are not: over real connections, with pings that come
//! sooner than a slow reader can get to them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf, duplex, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::support::frames::{TEXT, masked, read};
use crate::support::{Bytes, Files, Mill, Recipe, Way, World, soon};

const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;
/// A slow reader takes so much, 20 times a second: 100 KB.
const SIP: usize = 5_000;
const STALL: Duration = Duration::from_secs(6);
/// Pings are asked far more often than such a reader comes to them.
const LIMITS: &str = "client_ping = \"500ms\"\nwrite_stall = \"6s\"\n";

/// Both ends of a socket on a route that relays unread.
async fn open(way: &Way) -> (World, Bytes, TcpStream) {
    let (mut mill, files) = (Mill::start().await, Files::new());
    let recipe = Recipe::default().access("apps = \"any\"\nmethods = \"any\"");
    let recipe = recipe.limits(LIMITS).listen(&way.listen(&files));
    let world = recipe.engine(&mill.engine()).start().await;
    let visitor = way.visit(&world).await;
    let client = way.open(&world, visitor.as_ref(), ["ada", "app"]).await;
    let (_, engine) = soon(mill.next()).await;
    (world, client, engine)
}

/// Hands on what comes, slowly.
async fn sip(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut pace = interval(Duration::from_millis(50));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sip = [0; SIP];
    loop {
        pace.tick().await;
        match from.read(&mut sip).await {
            Ok(length @ 1..) if to.write_all(&sip[..length]).await.is_ok() => {}
            _ => return,
        }
    }
}

/// A message of the engine's.
fn message(number: usize, length: u16) -> Vec<u8> {
    let mut frame = vec![TEXT, 126];
    frame.extend(length.to_be_bytes());
    frame.resize(4 + usize::from(length), number.to_le_bytes()[0]);
    frame
}

/// What comes first that is no ping; pings are answered, unless a Close was said.
async fn next(
    io: &mut (impl AsyncRead + Unpin),
    mut answers: Option<&mut WriteHalf<Bytes>>,
) -> Option<(u8, Vec<u8>)> {
    loop {
        let (first, payload) = read(io).await?;
        if first != PING {
            return Some((first, payload));
        }
        if let Some(answers) = &mut answers {
            answers.write_all(&masked(PONG, &payload)).await.ok()?;
            answers.flush().await.ok()?;
        }
    }
}

/// Reads, for longer than all limits, messages that are sent at once, more and fewer than may wait
/// between us and a reader; then both ends say farewell.
async fn reads_slowly(way: &Way) {
    const LENGTH: u16 = 15_000;
    let (world, client, mut engine) = open(way).await;
    let (from, mut answers) = split(client);
    let (slow, mut io) = duplex(SIP);
    let sips = tokio::spawn(sip(from, slow));
    let begun = Instant::now();
    let (mut hears, mut says) = engine.split();
    for burst in [80, 15] {
        let all: Vec<u8> = (0..burst).flat_map(|it| message(it, LENGTH)).collect();
        let reads = async {
            for number in 0..burst {
                let came = next(&mut io, Some(&mut answers)).await;
                let (_, payload) =
                    came.unwrap_or_else(|| panic!("cut at message {number}: {}", world.log_text()));
                assert!(payload == message(number, LENGTH)[4..], "message {number}");
            }
        };
        let (said, ()) = tokio::join!(says.write_all(&all), reads);
        said.unwrap();
    }
    let lasted = begun.elapsed();
    assert!(
        lasted > STALL + STALL / 2,
        "it was no slow reader: {lasted:?}"
    );
    let farewell = masked(CLOSE, &1000_u16.to_be_bytes());
    answers.write_all(&farewell).await.unwrap();
    answers.flush().await.unwrap();
    assert_eq!(soon(hears.read_u8()).await.unwrap(), CLOSE);
    says.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    let last = soon(next(&mut io, None)).await;
    assert_eq!(last, Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
    sips.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_slowly_is_not_taken_for_gone() {
    let [plain, tls, http2] = &Way::all();
    tokio::join!(reads_slowly(plain), reads_slowly(tls), reads_slowly(http2));
}

/// Takes a huge message slowly: the engine is let go on, and not cut.
async fn takes_slowly(way: &Way) {
    let (_world, client, mut engine) = open(way).await;
    let sips = tokio::spawn(sip(client, tokio::io::sink()));
    let flood = tokio::spawn(async move {
        let mut frame = vec![TEXT, 127];
        frame.extend((64_u64 << 20).to_be_bytes());
        engine.write_all(&frame).await.unwrap();
        engine.write_all(&vec![b'x'; 64 << 20]).await
    });
    // It is cut within twice the limit, if at all.
    sleep(2 * STALL + STALL / 2).await;
    assert!(!flood.is_finished(), "{:?}", flood.await);
    assert!(!sips.is_finished());
    sips.abort();
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_a_huge_message_slowly_is_not_cut() {
    let [plain, tls, http2] = &Way::all();
    tokio::join!(takes_slowly(plain), takes_slowly(tls), takes_slowly(http2));
}

/// Reads nothing, although all that it was sent is on its way.
async fn reads_nothing(way: &Way) {
    let (_world, client, mut engine) = open(way).await;
    let begun = Instant::now();
    engine.write_all(&message(0, 10_000)).await.unwrap();
    let close = soon(engine.read_u8()).await.unwrap();
    assert_eq!(close, CLOSE, "the engine hears that it is gone");
    let lasted = begun.elapsed();
    let limit = STALL + Duration::from_secs(3);
    assert!((STALL..limit).contains(&lasted), "{lasted:?}");
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_is_gone_after_a_while() {
    let [plain, tls, http2] = &Way::all();
    tokio::join!(
        reads_nothing(plain),
        reads_nothing(tls),
        reads_nothing(http2)
    );
}
