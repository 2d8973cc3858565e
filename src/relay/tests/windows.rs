//! What Qlik's proxy service on Windows says, and what of it reaches a client.

use tokio::sync::oneshot;

use super::*;
use crate::qix::Admission;
use crate::ws::bare_close_frame;

/// A relay to an engine of Windows, and what answers when it is opened once more.
struct Windows {
    bench: Bench,
    /// Gives the second engine, or says that there is none by being dropped.
    second: Option<oneshot::Sender<DuplexStream>>,
    /// Comes when it is to be opened once more.
    asked: oneshot::Receiver<()>,
}

impl Windows {
    fn new(access: &Access) -> Self {
        let (terms, leash, standing, live) = ties(access, None);
        let terms = Terms {
            flavour: Flavour::Windows,
            ..terms
        };
        let ((client, client_io), (engine, engine_io)) = (duplex(8 << 10), duplex(8 << 10));
        let ((second, io), (ask, asked)) = (oneshot::channel(), oneshot::channel());
        let second_end = async move {
            ask.send(()).unwrap();
            io.await.ok().map(end)
        };
        let record = record(&leash.seat);
        let relay = Relay::new(end(client_io), end(engine_io), terms, leash, record)
            .with_second(Box::pin(second_end));
        let bench = Bench {
            client,
            engine,
            standing,
            live,
            task: tokio::spawn(relay.run()),
            calls: 0,
        };
        Self {
            bench,
            second: Some(second),
            asked,
        }
    }

    async fn engine_says(&mut self, text: &str) {
        let frame = message_frame(text.as_bytes());
        self.bench.engine.write_all(&frame).await.unwrap();
    }

    /// The client says something that the engine gets.
    async fn client_says(&mut self, method: &str) -> Vec<u8> {
        let call = self.bench.call(method, &json!([]));
        self.bench.client.write_all(&call).await.unwrap();
        assert_eq!(self.bench.engine_reads(call.len()).await, call);
        call
    }

    /// Lets the engine be opened once more, and stands in its place.
    async fn open_again(&mut self) {
        let (engine, io) = duplex(8 << 10);
        let mut first = std::mem::replace(&mut self.bench.engine, engine);
        (&mut self.asked).await.unwrap();
        self.second.take().unwrap().send(io).unwrap();
        assert_eq!(rest(&mut first).await, b"", "the first is let go");
    }
}

fn admitted() -> Value {
    serde_json::from_slice(Admission::NOTICE).unwrap()
}

const GOOD: &str = r#"{"method":"OnAuthenticationInformation","params":{"userId":"svc-canary","userDirectory":"DIR","logoutUri":"https://qlik.internal/qps/user","mustAuthenticate":false}}"#;
const BAD: &str = r#"{"params":{"loginUri":"https://qlik.internal/login?targetUri=x","mustAuthenticate":true},"method":"OnAuthenticationInformation"}"#;
const CREATED: &str =
    r#"{"jsonrpc":"2.0","method":"OnConnected","params":{"qSessionState":"SESSION_CREATED"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"userId":"not a notice"}}"#;

#[tokio::test(start_paused = true)]
async fn a_client_hears_that_it_was_let_in_and_nothing_else_of_it() {
    for access in [any(), consumer()] {
        let mut windows = Windows::new(&access);
        windows.client_says("GetActiveDoc").await;
        for said in [GOOD, CREATED, ANSWER] {
            windows.engine_says(said).await;
        }
        let bench = &mut windows.bench;
        assert_eq!(bench.client_message().await, admitted());
        let created = message_frame(CREATED.as_bytes());
        assert_eq!(bench.client_reads(created.len()).await, created);
        let answer = message_frame(ANSWER.as_bytes());
        assert_eq!(bench.client_reads(answer.len()).await, answer);
        windows.engine_says(GOOD).await;
        assert_eq!(windows.bench.client_message().await, admitted(), "whenever");
    }
}

#[tokio::test(start_paused = true)]
async fn notices_in_pieces_with_controls_between_are_heard_all_the_same() {
    let mut windows = Windows::new(&any());
    let (first, last) = GOOD.as_bytes().split_at(20);
    let (mut begin, mut end) = (message_frame(first), message_frame(last));
    (begin[0], end[0]) = (0x01, 0x80);
    let ping = ping_frame(b"between", None);
    for bytes in [begin, ping.clone(), end] {
        for byte in bytes {
            windows.bench.engine.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
    }
    let bench = &mut windows.bench;
    assert_eq!(bench.client_reads(ping.len()).await, ping);
    assert_eq!(bench.client_message().await, admitted());
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_not_taken_is_renewed_once_and_all_is_said_again() {
    for access in [any(), consumer()] {
        let mut windows = Windows::new(&access);
        let denied = windows.bench.call("DoReload", &json!([]));
        let said = [
            windows.client_says("GetActiveDoc").await,
            windows.client_says("GetActiveDoc").await,
        ]
        .concat();
        // A call that is half sent goes on where it was.
        let next = windows.bench.call("GetActiveDoc", &json!([]));
        windows.bench.client.write_all(&next[..9]).await.unwrap();
        if access.methods == Methods::Any {
            assert_eq!(windows.bench.engine_reads(9).await, next[..9]);
        }
        windows.engine_says(BAD).await;
        windows.open_again().await;
        let bench = &mut windows.bench;
        bench.client.write_all(&next[9..]).await.unwrap();
        let all = [said, next].concat();
        assert_eq!(bench.engine_reads(all.len()).await, all);
        for said in [GOOD, CREATED] {
            windows.engine_says(said).await;
        }
        let bench = &mut windows.bench;
        assert_eq!(bench.client_message().await, admitted());
        let state = &bench.client_message().await["params"]["qSessionState"];
        assert_eq!(state, "SESSION_CREATED");
        if access.methods == Methods::Consumer {
            bench.client.write_all(&denied).await.unwrap();
            assert_eq!(bench.client_message().await["error"]["code"], 5);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_refusal_ends_the_socket() {
    let mut windows = Windows::new(&any());
    windows.client_says("GetActiveDoc").await;
    windows.engine_says(BAD).await;
    windows.open_again().await;
    windows.engine_says(BAD).await;
    ends_for_a_dependency(windows).await;
}

#[tokio::test(start_paused = true)]
async fn no_second_engine_ends_the_socket() {
    let mut windows = Windows::new(&any());
    windows.engine_says(BAD).await;
    drop(windows.second.take());
    ends_for_a_dependency(windows).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_or_answered_is_not_tried_again() {
    for said in [GOOD, CREATED, ANSWER] {
        let mut windows = Windows::new(&any());
        windows.engine_says(said).await;
        windows.bench.client_message().await;
        windows.engine_says(BAD).await;
        ends_for_a_dependency(windows).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_too_much_before_the_first_word_is_not_tried_again() {
    let mut windows = Windows::new(&any());
    let long = masked(0x82, &[b'x'; 4000]).repeat(80);
    let (sent, got) = tokio::join!(
        windows.bench.client.write_all(&long),
        read_exactly(&mut windows.bench.engine, long.len())
    );
    sent.unwrap();
    assert_eq!(got, long);
    windows.engine_says(BAD).await;
    ends_for_a_dependency(windows).await;
}

/// The client is told that a dependency refused, and no word of the engine's.
async fn ends_for_a_dependency(mut windows: Windows) {
    let bench = &mut windows.bench;
    let (opcode, payload) = bench.client_frame().await;
    assert_eq!(opcode, Opcode::Close);
    assert_eq!(Close::read(&payload), Close::Code(CloseCode::DEPENDENCY));
    let close = close_frame(CloseCode::DEPENDENCY, "", Some(KEY));
    bench.client.write_all(&close).await.unwrap();
    assert_eq!(rest(&mut bench.client).await, b"");
    let ended = windows.bench.task.await.unwrap();
    assert_eq!(ended.cause, Cause::CredentialRefused);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_the_engine_is_opened_again_ends_the_socket() {
    let mut windows = Windows::new(&any());
    windows.client_says("GetActiveDoc").await;
    windows.engine_says(BAD).await;
    (&mut windows.asked).await.unwrap();
    windows.bench.standing.send_replace(Standing::Ended);
    assert_eq!(
        windows.bench.client_close().await,
        Close::Code(CloseCode::SESSION)
    );
    windows.second.unwrap().closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_taken_for_gone_while_the_engine_is_opened_again() {
    let mut windows = Windows::new(&any());
    let said = windows.client_says("GetActiveDoc").await;
    windows.engine_says(BAD).await;
    sleep(3 * LIMITS.client_ping + Duration::from_secs(1)).await;
    windows.open_again().await;
    assert_eq!(windows.bench.engine_reads(said.len()).await, said);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_says_goodbye_passes_and_is_cut() {
    let mut windows = Windows::new(&any());
    windows.engine_says(CREATED).await;
    windows.bench.client_message().await;
    let late = r#"{"method":"OnSessionTimedOut","params":{"severity":"fatal","message":"Session timed out","logoutUri":"https://qlik.internal/"}}"#;
    windows.engine_says(late).await;
    let heard = windows.bench.client_message().await;
    assert_eq!(
        heard["params"],
        json!({"severity": "fatal", "message": "Session timed out"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_fatal_notice_gives_the_code_where_the_engine_gives_none_of_its_own() {
    let full =
        r#"{"method":"OnMaxParallelSessionsExceeded","params":{"severity":"fatal","message":"x"}}"#;
    let warning = full.replace("fatal", "warning");
    let close = |code: u16| close_frame(CloseCode(code), "", None);
    for (notice, end, code) in [
        (full, Some(close(1000)), 4205),
        (full, Some(close(1011)), 4205),
        (full, Some(close(4000)), 4205),
        (full, Some(bare_close_frame(None)), 4205),
        (full, None, 4205),
        (full, Some(close(4204)), 4204),
        (&warning, Some(close(1000)), 4200),
        (&warning, Some(close(1011)), 1011),
        (&warning, None, 4206),
    ] {
        let mut windows = Windows::new(&any());
        windows.engine_says(notice).await;
        windows.bench.client_message().await;
        match &end {
            Some(frame) => windows.bench.engine.write_all(frame).await.unwrap(),
            None => drop(std::mem::replace(&mut windows.bench.engine, duplex(1).0)),
        }
        let (opcode, payload) = windows.bench.client_frame().await;
        let told = (opcode, Close::read(&payload));
        let expected = (Opcode::Close, Close::Code(CloseCode(code)));
        assert_eq!(told, expected, "{notice} {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_breaks_off_within_a_notice_leaves_a_client_that_can_be_told() {
    let mut windows = Windows::new(&any());
    let notice = message_frame(GOOD.as_bytes());
    windows.bench.engine.write_all(&notice[..40]).await.unwrap();
    drop(std::mem::replace(&mut windows.bench.engine, duplex(1).0));
    let (opcode, payload) = windows.bench.client_frame().await;
    assert_eq!(opcode, Opcode::Close);
    assert_eq!(Close::read(&payload), Close::Code(CloseCode::NETWORK));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_no_notice_passes_as_the_same_bytes_however_it_is_cut() {
    let answer = |length: usize| {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#,
            "x".repeat(length)
        );
        message_frame(text.as_bytes())
    };
    let mut binary = answer(10);
    binary[0] = 0x82;
    let (mut first, mut last) = (answer(20), message_frame(b"rest"));
    (first[0], last[0]) = (0x01, 0x80);
    let strange = message_frame(b"[not an answer at all]");
    let notice = message_frame(CREATED.as_bytes());
    let ping = ping_frame(b"p", None);
    let said = [
        answer(1),
        answer(0),
        notice,
        binary,
        answer(300),
        first,
        ping,
        last,
        strange,
        answer(70_000),
        message_frame(b""),
        answer(2),
    ]
    .concat();
    for length in [1, 2, 3, 7, 61, 1000, 9000, said.len()] {
        let mut windows = Windows::new(&any());
        let mut heard = vec![0; said.len()];
        let (engine, client) = (&mut windows.bench.engine, &mut windows.bench.client);
        let ((), read) = tokio::join!(
            async {
                for bytes in said.chunks(length) {
                    engine.write_all(bytes).await.unwrap();
                    tokio::task::yield_now().await;
                }
            },
            client.read_exact(&mut heard)
        );
        read.unwrap();
        assert!(heard == said, "in runs of {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_answers_and_the_engines_notices_do_not_get_into_each_other() {
    let mut windows = Windows::new(&consumer());
    let notice = message_frame(GOOD.as_bytes());
    windows.bench.engine.write_all(&notice[..50]).await.unwrap();
    let denied = windows.bench.call("DoReload", &json!([]));
    windows.bench.client.write_all(&denied).await.unwrap();
    assert_eq!(windows.bench.client_message().await["error"]["code"], 5);
    windows.bench.engine.write_all(&notice[50..]).await.unwrap();
    assert_eq!(windows.bench.client_message().await, admitted());
}
