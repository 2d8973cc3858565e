//! The relay between two in-memory legs, under a paused clock.

mod closing;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::config::{Access, Apps, Flavour, Limits, Methods};
use crate::fault::CloseCode;
use crate::id::{AppId, Issuer, Subject};
use crate::live::Live;
use crate::person::Person;
use crate::policy::permit;
use crate::qix::{Document, Target};
use crate::record::{Cause, Ledger, Meters, Opening, Side};
use crate::ws::{
    Close, Cursor, Mask, Opcode, Sender, Step, Stream, Until, close_frame, message_frame,
    ping_frame, pong_frame, unmask_message,
};

mod windows;

const LIMITS: RelayLimits = RelayLimits {
    client_message: 4096,
    idle: Duration::from_mins(30),
    client_ping: Duration::from_secs(20),
    close_grace: Duration::from_secs(5),
    write_stall: Duration::from_mins(1),
};
const KEY: Mask = Mask([1, 2, 3, 4]);

// === what passes ===

#[tokio::test(start_paused = true)]
async fn bytes_pass_verbatim_both_ways() {
    for access in [any(), consumer()] {
        let mut bench = Bench::new(&access);
        let call = bench.call("GetActiveDoc", &json!([]));
        bench.client.write_all(&call).await.unwrap();
        assert_eq!(bench.engine_reads(call.len()).await, call);
        let answer = message_frame(&vec![b'x'; 300_000]);
        let (answer_sent, answer_read) = tokio::join!(
            bench.engine.write_all(&answer),
            read_exactly(&mut bench.client, answer.len())
        );
        answer_sent.unwrap();
        assert_eq!(answer_read, answer);
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_with_the_handshakes_comes_first() {
    let call = masked(
        0x81,
        br#"{"id":1,"handle":-1,"method":"GetActiveDoc","params":[]}"#,
    );
    let greeting = message_frame(b"{}");
    let mut bench = Bench::with(&any(), Some(LIMITS.client_ping), &call[..20], &greeting);
    bench.client.write_all(&call[20..]).await.unwrap();
    assert_eq!(bench.engine_reads(call.len()).await, call);
    assert_eq!(bench.client_reads(greeting.len()).await, greeting);
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_answered_and_the_session_goes_on() {
    let mut bench = Bench::new(&consumer());
    let denied = bench.call("DoReload", &json!([]));
    let allowed = bench.call("GetActiveDoc", &json!([]));
    bench
        .client
        .write_all(&[denied, allowed.clone()].concat())
        .await
        .unwrap();
    assert_eq!(
        bench.engine_reads(allowed.len()).await,
        allowed,
        "nothing of the denied call"
    );
    let answer = bench.client_message().await;
    assert_eq!(answer["error"]["code"], 5);
    assert_eq!(answer["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_lets_control_frames_by_and_goes_on_whole() {
    let mut bench = Bench::new(&consumer());
    let text = br#"{"id":1,"handle":-1,"method":"GetActiveDoc","params":[]}"#;
    let (first, last) = (masked(0x01, &text[..10]), masked(0x80, &text[10..]));
    let ping = ping_frame(b"between", Some(KEY));
    bench.client.write_all(&first).await.unwrap();
    bench.client.write_all(&ping).await.unwrap();
    assert_eq!(
        bench.engine_reads(ping.len()).await,
        ping,
        "the ping does not wait"
    );
    bench.client.write_all(&last).await.unwrap();
    let whole = [first, last].concat();
    assert_eq!(bench.engine_reads(whole.len()).await, whole);
}

#[tokio::test(start_paused = true)]
async fn our_answer_waits_for_the_end_of_the_engines_message_and_our_ping_for_its_frame() {
    let mut bench = Bench::new(&consumer());
    let mut first = message_frame(&[b'a'; 100]);
    first[0] = 0x01;
    let mut last = message_frame(&[b'b'; 100]);
    last[0] = 0x80;
    bench.engine.write_all(&first[..50]).await.unwrap();
    assert_eq!(bench.client_reads(50).await, first[..50]);
    let denied = bench.call("DoReload", &json!([]));
    bench.client.write_all(&denied).await.unwrap();
    sleep(LIMITS.client_ping + Duration::from_secs(1)).await;
    bench
        .engine
        .write_all(&[&first[50..], &last].concat())
        .await
        .unwrap();
    assert_eq!(bench.client_reads(52).await, first[50..]);
    assert_eq!(
        bench.client_frame().await.0,
        Opcode::Ping,
        "a ping may stand between fragments"
    );
    assert_eq!(bench.client_reads(last.len()).await, last);
    assert_eq!(bench.client_message().await["error"]["code"], 5);
}

#[tokio::test(start_paused = true)]
async fn denied_calls_do_not_pile_up_behind_an_engine_message_that_does_not_end() {
    let mut bench = Bench::new(&consumer());
    let mut first = message_frame(b"begun");
    first[0] = 0x01;
    bench.engine.write_all(&first).await.unwrap();
    bench.client_reads(first.len()).await;
    let denied = bench.call("DoReload", &json!([]));
    let flood = denied.repeat((1 << 20) / denied.len());
    let pushed = timeout(Duration::from_secs(5), bench.client.write_all(&flood)).await;
    assert!(pushed.is_err(), "the client is held back");
}

// === keep-alive ===

#[tokio::test(start_paused = true)]
async fn pongs_to_our_own_pings_are_swallowed_and_others_pass() {
    let mut bench = Bench::new(&any());
    sleep(LIMITS.client_ping).await;
    let (opcode, tag) = bench.client_frame().await;
    assert_eq!(opcode, Opcode::Ping);
    let (opcode, engine_tag) = bench.engine_frame().await;
    assert_eq!((opcode, &engine_tag), (Opcode::Ping, &tag));
    bench
        .client
        .write_all(&pong_frame(&tag, Some(KEY)))
        .await
        .unwrap();
    bench
        .engine
        .write_all(&pong_frame(&tag, None))
        .await
        .unwrap();
    let theirs = pong_frame(b"theirs", Some(KEY));
    bench.client.write_all(&theirs).await.unwrap();
    assert_eq!(bench.engine_reads(theirs.len()).await, theirs);
    let theirs = pong_frame(b"theirs", None);
    bench.engine.write_all(&theirs).await.unwrap();
    assert_eq!(bench.client_reads(theirs.len()).await, theirs);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_must_not_be_pinged_never_is() {
    let mut bench = Bench::with(&any(), None, b"", b"");
    bench
        .client
        .write_all(&ping_frame(b"hello", Some(KEY)))
        .await
        .unwrap();
    assert_eq!(
        bench.client_frame().await,
        (Opcode::Pong, b"hello".to_vec())
    );
    bench
        .client
        .write_all(&pong_frame(b"unasked", Some(KEY)))
        .await
        .unwrap();
    sleep(3 * LIMITS.client_ping / 2).await;
    let call = bench.call("GetActiveDoc", &json!([]));
    bench.client.write_all(&call).await.unwrap();
    assert_eq!(
        bench.engine_reads(call.len()).await,
        call,
        "the first bytes the engine sees"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone() {
    let mut bench = Bench::new(&any());
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    drop(bench.engine);
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Client)
    );
}

#[tokio::test(start_paused = true)]
async fn idleness_ends_the_socket_though_pings_are_answered() {
    let mut bench = Bench::new(&any());
    loop {
        let (opcode, payload) = bench.client_frame().await;
        if opcode == Opcode::Close {
            assert_eq!(Close::read(&payload), Close::Code(CloseCode::IDLE));
            break;
        }
        bench
            .client
            .write_all(&pong_frame(&payload, Some(KEY)))
            .await
            .unwrap();
        let (_, tag) = bench.engine_frame().await;
        bench
            .engine
            .write_all(&pong_frame(&tag, None))
            .await
            .unwrap();
    }
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
}

// === ends ===

#[tokio::test(start_paused = true)]
async fn a_clients_close_and_the_engines_answer_pass() {
    let mut bench = Bench::new(&consumer());
    let close = close_frame(CloseCode::NORMAL, "done", Some(KEY));
    bench.client.write_all(&close).await.unwrap();
    assert_eq!(bench.engine_reads(close.len()).await, close);
    bench
        .engine
        .write_all(&close_frame(CloseCode::NORMAL, "", None))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NORMAL));
    assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_a_close_is_not_waited_for() {
    let mut bench = Bench::new(&consumer());
    bench
        .client
        .write_all(&close_frame(CloseCode(3001), "", Some(KEY)))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode(3001)));
    assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn the_engines_codes_pass_but_those_that_enigma_swallows() {
    let table: [(&[u8], u16); 6] = [
        (b"\x0f\xa3by engine", 4003),
        (b"\x10\x6c", 4204),
        (b"\x03\xe8", 4200), // 1000
        (b"\x0f\xa0", 4200), // 4000
        (b"", 4200),
        (b"\x01", 4200),
    ];
    for (payload, expected) in table {
        let mut bench = Bench::new(&consumer());
        let mut close = ping_frame(payload, None);
        close[0] = 0x88;
        bench.engine.write_all(&close).await.unwrap();
        let (_, said) = bench.client_frame().await;
        assert_eq!(
            Close::read(&said),
            Close::Code(CloseCode(expected)),
            "{payload:?}"
        );
        assert!(!said.ends_with(b"by engine"), "the reason is ours");
        bench
            .client
            .write_all(&close_frame(CloseCode(expected), "", Some(KEY)))
            .await
            .unwrap();
        assert_eq!(bench.task.await.unwrap().cause, Cause::Closed(Side::Engine));
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_vanishes_is_told_between_frames_and_breaks_off_within_one() {
    let mut bench = Bench::new(&consumer());
    drop(bench.engine);
    bench.engine = duplex(1).0;
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NETWORK));

    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&message_frame(&[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.client_reads(50).await;
    drop(bench.engine);
    assert_eq!(
        rest(&mut bench.client).await,
        b"",
        "no Close within a frame"
    );
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Engine)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_within_a_frame_breaks_the_engines_leg() {
    let mut bench = Bench::new(&any());
    bench
        .client
        .write_all(&masked(0x81, &[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.engine_reads(50).await;
    drop(bench.client);
    assert_eq!(
        rest(&mut bench.engine).await,
        b"",
        "no Close within a frame"
    );
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Vanished(Side::Client)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_closes_after_the_frame_that_is_on_its_way() {
    let mut bench = Bench::new(&consumer());
    let frame = message_frame(&[b'x'; 100]);
    bench.engine.write_all(&frame[..50]).await.unwrap();
    bench.client_reads(50).await;
    let until = Some(Instant::now() + Duration::from_secs(7));
    bench.standing.send(Standing::Valid { until }).unwrap();
    sleep(Duration::from_secs(8)).await;
    bench.engine.write_all(&frame[50..]).await.unwrap();
    bench
        .engine
        .write_all(&message_frame(b"late"))
        .await
        .unwrap();
    assert_eq!(bench.client_reads(frame.len() - 50).await, frame[50..]);
    assert_eq!(
        bench.client_close().await,
        Close::Code(CloseCode::SESSION),
        "not what came later"
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_never_ends_is_cut_after_the_grace() {
    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&message_frame(&[b'x'; 100])[..50])
        .await
        .unwrap();
    bench.client_reads(50).await;
    let before = Instant::now();
    bench.standing.send(Standing::Ended).unwrap();
    assert_eq!(rest(&mut bench.client).await, b"");
    assert_eq!(before.elapsed().as_secs(), LIMITS.close_grace.as_secs());
    assert_eq!(bench.task.await.unwrap().cause, Cause::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_with_4003() {
    let mut bench = Bench::new(&consumer());
    bench.live.drain();
    assert_eq!(
        bench.client_close().await,
        Close::Code(CloseCode::TERMINATING)
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    bench
        .client
        .write_all(&close_frame(CloseCode::TERMINATING, "", Some(KEY)))
        .await
        .unwrap();
    bench
        .engine
        .write_all(&close_frame(CloseCode::GOING_AWAY, "", None))
        .await
        .unwrap();
    let before = Instant::now();
    assert_eq!(bench.task.await.unwrap().cause, Cause::Drained);
    assert!(
        before.elapsed() < LIMITS.close_grace,
        "both answered: nothing to wait for"
    );
    bench.live.emptied().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_refused_on_every_route() {
    for access in [any(), consumer()] {
        let mut bench = Bench::new(&access);
        let call = bench.call("GetActiveDoc", &json!([]));
        let big = masked(0x81, &vec![b' '; LIMITS.client_message + 1]);
        bench
            .client
            .write_all(&[call.clone(), big].concat())
            .await
            .unwrap();
        assert_eq!(bench.engine_reads(call.len()).await, call);
        assert_eq!(bench.client_close().await, Close::Code(CloseCode::TOO_BIG));
        assert_eq!(
            bench.engine_close().await,
            Close::Code(CloseCode::GOING_AWAY)
        );
        assert_eq!(bench.task.await.unwrap().cause, Cause::TooBig);
    }
}

#[tokio::test(start_paused = true)]
async fn endless_empty_fragments_are_refused() {
    let mut bench = Bench::new(&consumer());
    bench.client.write_all(&masked(0x01, b"")).await.unwrap();
    let empty = masked(0x00, b"").repeat(2000);
    let (_, ended) = tokio::join!(bench.client.write_all(&empty), bench.task);
    assert_eq!(ended.unwrap().cause, Cause::TooBig);
}

#[tokio::test(start_paused = true)]
async fn broken_frames_end_the_socket_with_1002() {
    let mut bench = Bench::new(&consumer());
    bench
        .client
        .write_all(&message_frame(b"unmasked"))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::PROTOCOL));
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Protocol(Side::Client)
    );

    let mut bench = Bench::new(&consumer());
    bench
        .engine
        .write_all(&masked(0x81, b"masked"))
        .await
        .unwrap();
    assert_eq!(bench.client_close().await, Close::Code(CloseCode::NETWORK));
    assert_eq!(bench.engine_close().await, Close::Code(CloseCode::PROTOCOL));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_and_costs_one_scratch() {
    let mut bench = Bench::new(&any());
    let flood = message_frame(&vec![b'x'; 10 << 20]);
    let pushed = timeout(Duration::from_secs(30), bench.engine.write_all(&flood));
    assert!(
        pushed.await.is_err(),
        "the engine is held back, not buffered"
    );
    assert_eq!(
        bench.engine_close().await,
        Close::Code(CloseCode::GOING_AWAY)
    );
    drop(bench.engine);
    assert_eq!(
        bench.task.await.unwrap().cause,
        Cause::Stalled(Side::Client)
    );
}

// === what breaks under a write ===

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

// === what never stops ===

/// A leg that always has more to say and always takes what it is told.
struct Flood {
    message: Vec<u8>,
    said: usize,
}

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
    let end = |io| End {
        io,
        early: Bytes::new(),
    };
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

// === the bench ===

struct Bench {
    client: DuplexStream,
    engine: DuplexStream,
    standing: watch::Sender<Standing>,
    live: Arc<Live>,
    task: JoinHandle<Ended>,
    calls: u64,
}

impl Bench {
    fn new(access: &Access) -> Self {
        Self::with(access, Some(LIMITS.client_ping), b"", b"")
    }

    fn with(
        access: &Access,
        ping: Option<Duration>,
        client_early: &[u8],
        engine_early: &[u8],
    ) -> Self {
        let (terms, leash, standing, live) = ties(access, ping);
        let ((client, client_io), (engine, engine_io)) = (duplex(8 << 10), duplex(8 << 10));
        let client_end = End {
            io: client_io,
            early: Bytes::copy_from_slice(client_early),
        };
        let engine_end = End {
            io: engine_io,
            early: Bytes::copy_from_slice(engine_early),
        };
        let record = record(&leash.seat);
        let relay = Relay::new(client_end, engine_end, terms, leash, record);
        let task = tokio::spawn(relay.run());
        Self {
            client,
            engine,
            standing,
            live,
            task,
            calls: 0,
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Vec<u8> {
        self.calls += 1;
        let call = json!({"id": self.calls, "handle": -1, "method": method, "params": params});
        masked(0x81, call.to_string().as_bytes())
    }

    async fn engine_reads(&mut self, length: usize) -> Vec<u8> {
        read_exactly(&mut self.engine, length).await
    }

    async fn client_reads(&mut self, length: usize) -> Vec<u8> {
        read_exactly(&mut self.client, length).await
    }

    async fn client_frame(&mut self) -> (Opcode, Vec<u8>) {
        frame(&mut self.client, Sender::Server).await
    }

    async fn engine_frame(&mut self) -> (Opcode, Vec<u8>) {
        frame(&mut self.engine, Sender::Client).await
    }

    async fn client_message(&mut self) -> Value {
        serde_json::from_slice(&self.client_frame().await.1).unwrap()
    }

    /// The next Close that the client gets.
    async fn client_close(&mut self) -> Close {
        loop {
            let (opcode, payload) = self.client_frame().await;
            if opcode == Opcode::Close {
                return Close::read(&payload);
            }
        }
    }

    async fn engine_close(&mut self) -> Close {
        loop {
            let (opcode, payload) = self.engine_frame().await;
            if opcode == Opcode::Close {
                return Close::read(&payload);
            }
        }
    }
}

/// What a relay is tied to, and what pulls at it.
fn ties(
    access: &Access,
    ping: Option<Duration>,
) -> (Terms, Leash, watch::Sender<Standing>, Arc<Live>) {
    let person = Person::new(Issuer::new("i"), Subject::new("ada"), None, Map::new());
    let target = Target {
        document: Document::App(AppId::new("app")),
        identity: None,
        ttl: None,
    };
    let limits = Limits {
        sockets: 9,
        sockets_per_subject: 9,
        identities_per_subject: 9,
        opens_per_minute: 9,
        failures_per_minute: 9,
    };
    let live = Live::new(limits);
    let seat = live
        .seat(
            &Arc::new(Ledger::new(Opening::sample(1, "id"))),
            &person,
            crate::live::Grounds::sample(),
        )
        .unwrap();
    let (standing, watch) = watch::channel(Standing::Valid { until: None });
    let terms = Terms {
        permit: permit(access, &person, &target).unwrap(),
        limits: Arc::new(LIMITS),
        engine_ping: ping,
        compression: Compression::None,
        flavour: Flavour::Engine,
    };
    let leash = Leash {
        standing: watch,
        activity: Activity::default(),
        seat,
        stay: Stay::default(),
    };
    (terms, leash, standing, live)
}

fn any() -> Access {
    Access {
        apps: Apps::Any,
        methods: Methods::Any,
        session_apps: false,
    }
}

fn consumer() -> Access {
    let apps = Apps::Listed(vec![AppId::new("app")]);
    Access {
        apps,
        methods: Methods::Consumer,
        session_apps: false,
    }
}

fn record(seat: &Seat) -> Record {
    let meters = Arc::new(Meters::new(&mut Registry::default()));
    Record::open(seat.socket().ledger(), Duration::ZERO, meters)
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let plain = message_frame(payload);
    let head = plain.len() - payload.len();
    let mut frame = plain[..head].to_vec();
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend(KEY.0);
    let mut body = payload.to_vec();
    KEY.apply(&mut body);
    frame.extend(body);
    frame
}

async fn read_exactly(io: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    io.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn rest(io: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Reads one frame, byte by byte, so that nothing of the next one is taken.
async fn frame(io: &mut DuplexStream, sender: Sender) -> (Opcode, Vec<u8>) {
    let mut cursor = Cursor::new(Stream {
        sender,
        reserved: 0,
        max_message: u64::MAX,
    });
    let mut raw = Vec::new();
    loop {
        let byte = [io.read_u8().await.unwrap()];
        match cursor.step(&mut byte.as_slice(), Until::FrameEnd).unwrap() {
            Some(Step::Control(control)) => return (control.opcode, control.payload),
            Some(Step::Data(bytes)) => raw.extend_from_slice(bytes),
            Some(Step::Header(bytes)) => raw.extend(bytes),
            None => continue,
        }
        if cursor.at_frame_boundary() {
            let mut payload = Vec::new();
            return (unmask_message(&raw, &mut payload), payload);
        }
    }
}
