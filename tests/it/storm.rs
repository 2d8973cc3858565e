//! A thousand sockets at once, both ways: every message arrives once, whole and in order, however it
//! is cut into frames and the frames into packets, and whatever the proxy says between them. All of it
//! follows from a seed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::frames::masked;
use crate::support::http2::Visitor;
use crate::support::{Bytes, Files, Mill, Recipe, Way, World, soon};

const SOCKETS: u64 = 1000;
/// Over TLS, which costs more.
const FEWER: u64 = 200;
/// Every so many sockets one says more than all buffers on the way hold, to a reader who lets it wait.
const GIANT: u64 = 50;
/// How many sockets are being opened at once.
const HANDS: u64 = 50;
/// Each is of an app of its own, and a person may have 20 engine sessions.
const SOCKETS_EACH: u64 = 20;
const LIMIT: Duration = Duration::from_mins(4);
const SEED: u64 = 0x0051_1c0f_fee5;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const MASKED: u8 = 0x80;
/// Clients are pinged all the time, and need not answer while the test lasts.
const PINGS: &str = "client_ping = \"200ms\"\nwrite_stall = \"10min\"";
/// What stands in the ends' own control frames.
const OWN: u8 = b'c';

/// `SplitMix64`: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn new(socket: u64, purpose: u64) -> Self {
        Self(SEED ^ socket.wrapping_mul(0x9e37_79b9) ^ purpose.wrapping_mul(0xff51_afd7_ed55_8ccd))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// Mostly small, at times large.
    fn size(&mut self, socket: u64) -> usize {
        match self.below(20) {
            _ if is_giant(socket) => 700_000 + self.below(300_000),
            0 => self.below(70_000),
            1..7 => self.below(5_000),
            _ => self.below(200),
        }
    }
}

fn is_giant(socket: u64) -> bool {
    socket.is_multiple_of(GIANT)
}

/// Who sends a stream.
#[derive(Clone, Copy, Eq, PartialEq)]
enum From {
    Client,
    Engine,
}

/// What one end says: messages in fragments, control frames between them.
fn stream(socket: u64, from: From) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(socket, from as u64);
    let mut frames = Vec::new();
    let messages = if is_giant(socket) {
        10
    } else {
        2 + dice.below(8)
    };
    for number in 0..messages {
        let text = call(number, dice.size(socket));
        let mut rest = text.as_bytes();
        let mut first = 0x01;
        while first == 0x01 || !rest.is_empty() {
            let length = match dice.below(3) {
                0 => rest.len(),
                _ => dice.below(rest.len() + 1),
            };
            let (piece, behind) = rest.split_at(length);
            let fin = if behind.is_empty() { 0x80 } else { 0 };
            frames.push(frame(&mut dice, from, first | fin, piece));
            (first, rest) = (0, behind);
            while dice.below(4) == 0 {
                let (kind, length) = (0x89 + u8::try_from(dice.below(2)).unwrap(), dice.below(126));
                frames.push(frame(&mut dice, from, kind, &vec![OWN; length]));
            }
        }
    }
    frames
}

/// A call that a reading route lets pass.
fn call(number: usize, filling: usize) -> String {
    let filling = format!("{number:07}").repeat(filling / 7);
    format!(
        r#"{{"jsonrpc":"2.0","id":{number},"handle":-1,"method":"EngineVersion","params":{{"x":"{filling}"}}}}"#
    )
}

fn frame(dice: &mut Dice, from: From, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = u32::try_from(dice.next() >> 32).unwrap().to_be_bytes();
    let bit = if from == From::Client { MASKED } else { 0 };
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => frame.push(bit + short),
        (_, Ok(medium)) => {
            frame.push(bit + 126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(bit + 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if from == From::Engine {
        frame.extend_from_slice(payload);
        return frame;
    }
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// Writes it in packets of any size, with pauses.
async fn say(io: &mut (impl AsyncWrite + Unpin), frames: &[Vec<u8>], mut dice: Dice) {
    let bytes = frames.concat();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = match dice.below(4) {
            0 => 1 + dice.below(8),
            1 => 1 + dice.below(90_000),
            _ => 1 + dice.below(9_000),
        };
        let (now, later) = rest.split_at(length.min(rest.len()));
        io.write_all(now).await.unwrap();
        // TLS may have kept some of it.
        io.flush().await.unwrap();
        rest = later;
        pause(&mut dice).await;
    }
}

/// Reads exactly as much as is to come, in bites of any size, with pauses, and late where it is much.
async fn hear(
    io: &mut (impl AsyncRead + Unpin),
    length: usize,
    mut dice: Dice,
    mut take: impl FnMut(&[u8], &mut Vec<u8>),
) -> Vec<u8> {
    let mut heard = Vec::with_capacity(length);
    if length > 1 << 20 {
        sleep(Duration::from_millis(500)).await;
    }
    while heard.len() < length {
        let bite = (1 + dice.below(20_000)).min(length - heard.len());
        let mut room = vec![0; bite];
        let read = io.read(&mut room).await.unwrap();
        assert!(read > 0, "it ended after {} of {length} bytes", heard.len());
        take(&room[..read], &mut heard);
        pause(&mut dice).await;
    }
    heard
}

/// Takes the proxy's own pings out of what a browser gets. They stand between frames, and nowhere else.
#[derive(Default)]
struct Strainer {
    /// What has come of a frame's head, or of a frame that may be such a ping.
    head: Vec<u8>,
    /// How much of a frame is still to come.
    left: usize,
    pings: usize,
}

impl Strainer {
    fn strain(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
                out.extend_from_slice(payload);
                self.left -= payload.len();
                bytes = rest;
                continue;
            }
            bytes = rest;
            self.head.push(byte);
            let wanted = match self.head[..] {
                [PING, 8, ..] | [_, 127, ..] => 10,
                [_, 126, ..] => 4,
                _ => 2,
            };
            if self.head.len() == wanted {
                self.enter(out);
            }
        }
    }

    fn enter(&mut self, out: &mut Vec<u8>) {
        let head = std::mem::take(&mut self.head);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        self.left = match head[..] {
            [PING, 8, ref payload @ ..] if payload == [OWN; 8] => 0,
            [PING, 8, ..] => {
                self.pings += 1;
                return;
            }
            [_, short] => usize::from(short),
            _ => number(&head[2..]),
        };
        out.extend(head);
    }
}

async fn pause(dice: &mut Dice) {
    if dice.below(6) == 0 {
        sleep(Duration::from_millis(dice.next() % 9)).await;
    }
}

/// What arrives of a stream on a route: as it is, or with control frames before the message that is
/// held back.
fn arriving(frames: &[Vec<u8>], route: Route, from: From) -> Vec<u8> {
    if route == Route::Unread || from == From::Engine {
        return frames.concat();
    }
    let (mut out, mut held) = (Vec::new(), Vec::new());
    for frame in frames {
        if frame[0] & 0x08 != 0 {
            out.extend_from_slice(frame);
            continue;
        }
        held.extend_from_slice(frame);
        if frame[0] & 0x80 != 0 {
            out.append(&mut held);
        }
    }
    out
}

/// How the route relays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Route {
    Read,
    Unread,
}

/// The browser's end, from its first byte to its last; how often the proxy pinged it.
async fn browse(socket: u64, io: Bytes, mut go: watch::Receiver<bool>) -> usize {
    let (said, heard) = (
        stream(socket, From::Client),
        stream(socket, From::Engine).concat(),
    );
    go.wait_for(|go| *go).await.unwrap();
    let (mut reader, mut writer) = split(io);
    let mut strainer = Strainer::default();
    let (all, ()) = tokio::join!(
        hear(
            &mut reader,
            heard.len(),
            Dice::new(socket, 10),
            |bytes, out| strainer.strain(bytes, out)
        ),
        say(&mut writer, &said, Dice::new(socket, 11))
    );
    assert!(all == heard, "the browser's end of socket {socket}");
    let farewell = masked(CLOSE, &1000_u16.to_be_bytes());
    writer.write_all(&farewell).await.unwrap();
    writer.flush().await.unwrap();
    let (mut rest, mut last) = (Vec::new(), Vec::new());
    reader.read_to_end(&mut rest).await.unwrap();
    strainer.strain(&rest, &mut last);
    assert_eq!(
        last,
        [CLOSE, 2, 3, 232],
        "the browser's end of socket {socket}"
    );
    strainer.pings
}

/// The engine's end, which is not pinged.
async fn serve(
    socket: u64,
    route: Route,
    mut io: TcpStream,
    mut go: watch::Receiver<bool>,
) -> usize {
    let said = stream(socket, From::Engine);
    let heard = arriving(&stream(socket, From::Client), route, From::Client);
    go.wait_for(|go| *go).await.unwrap();
    let (mut reader, mut writer) = io.split();
    let take = |bytes: &[u8], out: &mut Vec<u8>| out.extend_from_slice(bytes);
    let (all, ()) = tokio::join!(
        hear(&mut reader, heard.len(), Dice::new(socket, 12), take),
        say(&mut writer, &said, Dice::new(socket, 13))
    );
    assert!(all == heard, "the engine's end of socket {socket}");
    let mut last = [0; 8];
    io.read_exact(&mut last).await.unwrap();
    assert_eq!(
        last[..2],
        [CLOSE, 0x82],
        "the engine's end of socket {socket}"
    );
    io.write_all(&[CLOSE, 2, 3, 232]).await.unwrap();
    0
}

/// Opens a socket without a library around it; the mill says nothing before it is told to.
async fn open(way: &Way, world: &World, visitors: &[Option<Visitor>], socket: u64) -> Bytes {
    let person = socket / SOCKETS_EACH;
    let visitor = visitors[usize::try_from(person).unwrap()].as_ref();
    let names = [format!("person-{person}"), format!("s{socket}")];
    let [subject, app] = &names;
    way.open(world, visitor, [subject, app]).await
}

async fn storm(way: &Way, route: Route, sockets: u64) {
    let (mut mill, files) = (Mill::start().await, Files::new());
    let access = match route {
        Route::Read => "apps = \"any\"",
        Route::Unread => "apps = \"any\"\nmethods = \"any\"",
    };
    let recipe = Recipe::default().access(access).limits(PINGS);
    let recipe = recipe.listen(&way.listen(&files));
    let world = recipe.engine(&mill.engine()).start().await;
    let mut visitors = Vec::new();
    for _ in 0..sockets.div_ceil(SOCKETS_EACH) {
        visitors.push(way.visit(&world).await);
    }
    let (go, going) = watch::channel(false);
    let mut ends = JoinSet::new();
    for first in (0..sockets).step_by(usize::try_from(HANDS).unwrap()) {
        let numbers = first..sockets.min(first + HANDS);
        let opened = numbers.clone().map(|n| open(way, &world, &visitors, n));
        for (socket, io) in numbers.clone().zip(join_all(opened).await) {
            ends.spawn(browse(socket, io, going.clone()));
        }
        for _ in numbers {
            let (app, io) = soon(mill.next()).await;
            let socket = app.strip_prefix('s').unwrap().parse().unwrap();
            ends.spawn(serve(socket, route, io, going.clone()));
        }
    }
    let begun = Instant::now();
    go.send_replace(true);
    let all = async {
        let mut pings = 0;
        while let Some(end) = ends.join_next().await {
            pings += end.unwrap();
        }
        pings
    };
    let pings = timeout(LIMIT, all).await.expect("all of it in time");
    println!(
        "{sockets} sockets, {route:?}, {pings} pings, in {:?}",
        begun.elapsed()
    );
    assert!(pings > 0, "nothing was said between the messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_arrives_once_whole_and_in_order() {
    let [plain, tls, http2] = &Way::all();
    for route in [Route::Unread, Route::Read] {
        storm(plain, route, SOCKETS).await;
        storm(tls, route, FEWER).await;
        storm(http2, route, FEWER).await;
    }
}
