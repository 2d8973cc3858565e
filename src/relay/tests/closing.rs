//! Close in every order: what each side sees, held equal to the table in docs/closing.md.

use std::fmt::Write as _;

use tokio::io::{ReadHalf, WriteHalf, split};

use super::*;
use crate::ws::{Control, bare_close_frame};

const PAGE: &str = include_str!("../../../docs/closing.md");
const HEAD: &str = "| what happens | the browser sees | the engine sees | in the record | how soon |\n|---|---|---|---|---|\n";

/// One step of a scene.
enum Act {
    /// The client writes.
    Client(Vec<u8>),
    /// The engine writes.
    Engine(Vec<u8>),
    /// The client ends its half of the connection, and listens.
    ClientShuts,
    /// The engine does.
    EngineShuts,
    /// The client's connection breaks.
    ClientGoes,
    /// The engine's does.
    EngineGoes,
    /// The app session ends.
    LogOut,
    /// The proxy begins to drain.
    Drain,
    /// Time passes, and whoever has something to do does it.
    Wait(Duration),
}

use Act::{Client, ClientGoes, ClientShuts, Drain, Engine, EngineGoes, EngineShuts, LogOut, Wait};

/// Whether a side answers a Close that it did not begin.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Manner {
    Answers,
    Keeps,
}

use Manner::{Answers, Keeps};

struct Scene {
    name: &'static str,
    client: Manner,
    engine: Manner,
    acts: Vec<Act>,
}

/// Both sides answer a Close, as the standard asks.
fn polite(name: &'static str, acts: Vec<Act>) -> Scene {
    rude(name, [Answers, Answers], acts)
}

fn rude(name: &'static str, [client, engine]: [Manner; 2], acts: Vec<Act>) -> Scene {
    Scene {
        name,
        client,
        engine,
        acts,
    }
}

const MOMENT: Act = Wait(Duration::from_millis(1));

fn from_client(code: u16) -> Act {
    Client(close_frame(CloseCode(code), "bye", Some(KEY)))
}

fn from_engine(code: u16) -> Act {
    Engine(close_frame(CloseCode(code), "bye", None))
}

/// A Close with any payload.
fn odd(payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    let mut frame = ping_frame(payload, mask);
    frame[0] = 0x88;
    frame
}

fn call() -> Vec<u8> {
    masked(
        0x81,
        br#"{"id":1,"handle":-1,"method":"GetActiveDoc","params":[]}"#,
    )
}

fn answer() -> Vec<u8> {
    message_frame(b"{\"id\":1}")
}

fn fragment() -> Vec<u8> {
    let mut frame = message_frame(b"{\"half");
    frame[0] = 0x01;
    frame
}

/// The client closes first.
fn client_first() -> Vec<Scene> {
    vec![
        polite("the browser closes with 1000", vec![from_client(1000)]),
        polite("… with 3001", vec![from_client(3001)]),
        polite(
            "… without a code",
            vec![Client(bare_close_frame(Some(KEY)))],
        ),
        polite(
            "… right behind a call",
            vec![Client(call()), from_client(1000)],
        ),
        polite(
            "… and says more afterwards",
            vec![from_client(1000), Client(call())],
        ),
        polite(
            "… and ends its half of the connection",
            vec![from_client(1000), ClientShuts],
        ),
        polite(
            "… and its connection breaks",
            vec![from_client(1000), MOMENT, ClientGoes],
        ),
        polite(
            "… between the fragments of its message",
            vec![Client(masked(0x01, b"{\"half")), from_client(1000)],
        ),
    ]
}

/// The client closes first, in the midst of something.
fn client_first_amid() -> Vec<Scene> {
    vec![
        rude(
            "… within a frame of the engine, which ends",
            [Answers, Keeps],
            vec![
                Engine(answer()[..5].to_vec()),
                MOMENT,
                from_client(1000),
                MOMENT,
                Engine(answer()[5..].to_vec()),
                from_engine(1000),
            ],
        ),
        rude(
            "… within a frame of the engine, which does not end",
            [Answers, Keeps],
            vec![Engine(answer()[..5].to_vec()), MOMENT, from_client(1000)],
        ),
        polite(
            "… with a ping of its own in flight",
            vec![
                Client(ping_frame(b"p", Some(KEY))),
                from_client(1000),
                Engine(pong_frame(b"p", None)),
            ],
        ),
        polite(
            "… with a ping of the engine in flight",
            vec![Engine(ping_frame(b"p", None)), MOMENT, from_client(1000)],
        ),
        polite(
            "… with pings of the proxy in flight",
            vec![Wait(LIMITS.client_ping), MOMENT, from_client(1000)],
        ),
    ]
}

/// The client closes first, and gets another answer than it should, or says what nobody may.
fn client_first_oddly() -> Vec<Scene> {
    vec![
        rude(
            "… and the engine answers without a code",
            [Answers, Keeps],
            vec![from_client(1000), MOMENT, Engine(bare_close_frame(None))],
        ),
        rude(
            "… and the engine answers with 4204",
            [Answers, Keeps],
            vec![from_client(1000), MOMENT, from_engine(4204)],
        ),
        rude(
            "… and the engine does not answer",
            [Answers, Keeps],
            vec![from_client(1000)],
        ),
        polite(
            "… and the engine's connection breaks",
            vec![from_client(1000), MOMENT, EngineGoes],
        ),
        rude(
            "the browser closes with a code that none may send (1005)",
            [Keeps, Answers],
            vec![Client(odd(b"\x03\xed", Some(KEY)))],
        ),
        rude(
            "… with a reason that is not UTF-8",
            [Keeps, Answers],
            vec![Client(odd(b"\x03\xe8\xff", Some(KEY)))],
        ),
    ]
}

/// The client goes without a Close, or breaks the protocol.
fn client_fails() -> Vec<Scene> {
    vec![
        polite("the browser's connection breaks", vec![ClientGoes]),
        polite(
            "… within a frame",
            vec![Client(call()[..20].to_vec()), MOMENT, ClientGoes],
        ),
        polite(
            "… between the fragments of its message",
            vec![Client(masked(0x01, b"{\"half")), MOMENT, ClientGoes],
        ),
        polite(
            "the browser ends its half without a Close",
            vec![ClientShuts],
        ),
        rude(
            "the browser breaks the protocol behind a call",
            [Keeps, Answers],
            vec![
                Client([call(), message_frame(b"unmasked")].concat()),
                MOMENT,
                Engine(answer()),
            ],
        ),
        rude(
            "… and the engine does not answer",
            [Keeps, Keeps],
            vec![Client(message_frame(b"unmasked"))],
        ),
        rude(
            "the browser sends too large a message",
            [Keeps, Answers],
            vec![Client(
                masked(0x81, &[b' '; LIMITS.client_message + 1])[..9].to_vec(),
            )],
        ),
    ]
}

/// The engine closes, goes, or breaks the protocol.
fn engine_first() -> Vec<Scene> {
    vec![
        polite("the engine closes with 4003", vec![from_engine(4003)]),
        polite("… with 1000", vec![from_engine(1000)]),
        polite("… without a code", vec![Engine(bare_close_frame(None))]),
        polite(
            "… with a code that none may send (1005)",
            vec![Engine(odd(b"\x03\xed", None))],
        ),
        polite(
            "… with a reason that is not UTF-8",
            vec![Engine(odd(b"\x0f\xa3\xff", None))],
        ),
        polite(
            "… right behind an answer",
            vec![Engine(answer()), from_engine(4003)],
        ),
        polite(
            "… and says more afterwards",
            vec![from_engine(4003), Engine(answer())],
        ),
        polite(
            "… between the fragments of its message",
            vec![Engine(fragment()), from_engine(4003)],
        ),
        polite(
            "… within a frame of the browser, which does not end",
            vec![Client(call()[..20].to_vec()), MOMENT, from_engine(4003)],
        ),
    ]
}

/// The engine closes first, in the midst of something, or goes.
fn engine_first_amid() -> Vec<Scene> {
    vec![
        polite(
            "… with a ping of its own in flight",
            vec![Engine(ping_frame(b"p", None)), from_engine(4003)],
        ),
        polite(
            "… and ends its half of the connection",
            vec![from_engine(4003), EngineShuts],
        ),
        rude(
            "… and the browser does not answer",
            [Keeps, Answers],
            vec![from_engine(4003)],
        ),
        polite(
            "… and the browser's connection breaks",
            vec![from_engine(4003), MOMENT, ClientGoes],
        ),
        polite("the engine's connection breaks", vec![EngineGoes]),
        polite(
            "… within a frame",
            vec![Engine(answer()[..5].to_vec()), MOMENT, EngineGoes],
        ),
        polite(
            "… between the fragments of its message",
            vec![Engine(fragment()), MOMENT, EngineGoes],
        ),
        polite(
            "the engine ends its half without a Close",
            vec![EngineShuts],
        ),
        rude(
            "the engine breaks the protocol",
            [Answers, Keeps],
            vec![Engine(masked(0x81, b"masked"))],
        ),
    ]
}

/// Both at once, or the proxy.
fn others() -> Vec<Scene> {
    vec![
        polite(
            "both close at once, with 1000 and 4003",
            vec![from_client(1000), from_engine(4003)],
        ),
        polite(
            "both connections break at once",
            vec![ClientGoes, EngineGoes],
        ),
        polite("the app session ends", vec![LogOut]),
        rude(
            "… within a frame of the engine, which ends",
            [Answers, Answers],
            vec![
                Engine(answer()[..5].to_vec()),
                MOMENT,
                LogOut,
                MOMENT,
                Engine(answer()[5..].to_vec()),
            ],
        ),
        polite(
            "… within a frame of the engine, which does not end",
            vec![Engine(answer()[..5].to_vec()), MOMENT, LogOut],
        ),
        rude("… and nobody answers", [Keeps, Keeps], vec![LogOut]),
        polite("… as the browser closes", vec![from_client(1000), LogOut]),
        polite(
            "… as the engine's connection breaks",
            vec![EngineGoes, LogOut],
        ),
        polite("the proxy drains", vec![Drain]),
    ]
}

/// A row of the table: the cells behind the name.
async fn play(access: &Access, scene: &Scene) -> [String; 4] {
    let Bench {
        client,
        engine,
        standing,
        live,
        task,
        ..
    } = Bench::new(access);
    let mut client = Place::new(client, Sender::Server, scene.client);
    let mut engine = Place::new(engine, Sender::Client, scene.engine);
    for act in &scene.acts {
        match act {
            Client(bytes) => client.say(bytes).await,
            Engine(bytes) => engine.say(bytes).await,
            ClientShuts => client.shut().await,
            EngineShuts => engine.shut().await,
            ClientGoes => client.io = None,
            EngineGoes => engine.io = None,
            LogOut => drop(standing.send_replace(Standing::Ended)),
            Drain => live.drain(),
            Wait(time) => sleep(*time).await,
        }
    }
    let before = Instant::now();
    let (client, engine, ended) = tokio::join!(client.watch(), engine.watch(), task);
    let (ended, seconds) = (ended.unwrap(), before.elapsed().as_secs());
    let side = ended.cause.side().label();
    let soon = match seconds {
        0 => "at once".to_owned(),
        seconds => format!("{seconds} s"),
    };
    [
        client,
        engine,
        format!("{}, {side}", ended.cause.label()),
        soon,
    ]
}

/// One end of the relay under test.
struct Place {
    io: Option<(ReadHalf<DuplexStream>, WriteHalf<DuplexStream>)>,
    sender: Sender,
    manner: Manner,
    seen: Vec<String>,
}

impl Place {
    fn new(io: DuplexStream, sender: Sender, manner: Manner) -> Self {
        Self {
            io: Some(split(io)),
            sender,
            manner,
            seen: Vec::new(),
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        if bytes[0] == 0x88 {
            self.manner = Keeps;
        }
        let (_, writer) = self.io.as_mut().unwrap();
        // Where the relay is gone already, nobody hears it.
        let _ = writer.write_all(bytes).await;
    }

    async fn shut(&mut self) {
        let (_, writer) = self.io.as_mut().unwrap();
        writer.shutdown().await.unwrap();
    }

    /// Reads to the end; what came, in words.
    async fn watch(mut self) -> String {
        let Some((mut reader, mut writer)) = self.io.take() else {
            return "–".to_owned();
        };
        let mut cursor = Cursor::new(Stream {
            sender: self.sender,
            reserved: 0,
            max_message: u64::MAX,
        });
        let mut byte = [0];
        while matches!(reader.read(&mut byte).await, Ok(1)) {
            let messages = cursor.messages();
            let mut input = byte.as_slice();
            let step = cursor.step(&mut input, Until::FrameEnd).unwrap();
            match step {
                Some(Step::Control(control)) => self.meet(&control, &mut writer).await,
                Some(_) if cursor.messages() > messages => self.seen.push("the message".to_owned()),
                _ => {}
            }
        }
        let end = match (cursor.at_frame_boundary(), cursor.at_message_boundary()) {
            (false, _) => "half a frame",
            (_, false) => "half a message",
            _ => return self.told("end"),
        };
        self.told(end)
    }

    async fn meet(&mut self, control: &Control, writer: &mut WriteHalf<DuplexStream>) {
        let word = match control.opcode {
            Opcode::Ping => "ping".to_owned(),
            Opcode::Pong => "pong".to_owned(),
            _ => match Close::read(&control.payload) {
                Close::Code(code) => format!("Close {code}"),
                Close::Empty => "Close without a code".to_owned(),
                other => format!("{other:?}"),
            },
        };
        self.seen.push(word);
        if control.opcode == Opcode::Close && std::mem::replace(&mut self.manner, Keeps) == Answers
        {
            let mask = (self.sender == Sender::Server).then_some(KEY);
            let _ = writer.write_all(&odd(&control.payload, mask)).await;
        }
    }

    /// What came, in words; `last` is how it ended.
    fn told(self, last: &str) -> String {
        let closed = self.seen.iter().any(|word| word.starts_with("Close"));
        let last = match (last, closed) {
            ("end", true) => None,
            ("end", false) => Some("the connection ends".to_owned()),
            (half, true) => Some(format!("({half} before it)")),
            (half, false) => Some(format!("{half}, the connection ends")),
        };
        let words: Vec<String> = self.seen.into_iter().chain(last).collect();
        words.join(", ")
    }
}

/// The table as it is played.
async fn table() -> String {
    let mut table = HEAD.to_owned();
    let scenes = [
        client_first(),
        client_first_amid(),
        client_first_oddly(),
        client_fails(),
        engine_first(),
        engine_first_amid(),
        others(),
    ];
    for scene in scenes.into_iter().flatten() {
        let [unread, read] = [play(&any(), &scene).await, play(&consumer(), &scene).await];
        let same = unread == read;
        for (cells, route) in [(unread, ", relayed unread"), (read, ", read")] {
            let route = if same { "" } else { route };
            writeln!(table, "| {}{route} | {} |", scene.name, cells.join(" | ")).unwrap();
            if same {
                break;
            }
        }
    }
    table
}

#[tokio::test(start_paused = true)]
async fn close_in_every_order_is_as_the_page_has_it() {
    let played = table().await;
    let at = PAGE.find(HEAD).expect("the page has the table");
    let end = PAGE[at..]
        .find("\n\n")
        .map_or(PAGE.len(), |end| at + end + 1);
    assert!(
        PAGE[at..end] == played,
        "docs/closing.md is to have:\n\n{played}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_before_the_relay_begins_is_told_to_the_engine() {
    let (terms, leash, _standing, live) = ties(&any(), Some(LIMITS.client_ping));
    let (mut engine, io) = duplex(8 << 10);
    let early = Bytes::new();
    let record = record(&leash.seat);
    let relay = Relay::new(End::gone(), End { io, early }, terms, leash, record);
    let task = tokio::spawn(relay.run());
    let (opcode, payload) = frame(&mut engine, Sender::Client).await;
    assert_eq!(opcode, Opcode::Close);
    assert_eq!(Close::read(&payload), Close::Code(CloseCode::GOING_AWAY));
    engine
        .write_all(&close_frame(CloseCode::GOING_AWAY, "", None))
        .await
        .unwrap();
    assert_eq!(task.await.unwrap().cause, Cause::Vanished(Side::Client));
    live.emptied().await;
}
