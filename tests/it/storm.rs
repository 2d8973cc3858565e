//! A thousand sockets at once, both ways: every message arrives once, whole and in order, however it
//! is cut into frames and the frames into packets. All of it follows from a seed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::frames::masked;
use crate::support::{Answer, Mill, Recipe, World, soon};

const SOCKETS: u64 = 1000;
/// Every so many sockets one says more than all buffers on the way hold, to a reader who lets it wait.
const GIANT: u64 = 50;
/// How many sockets are being opened at once.
const HANDS: u64 = 50;
/// Each is of an app of its own, and a person may have 20 engine sessions.
const SOCKETS_EACH: u64 = 20;
const LIMIT: Duration = Duration::from_mins(4);
const SEED: u64 = 0x0051_1c0f_fee5;
const CLOSE: u8 = 0x88;
const MASKED: u8 = 0x80;
const QUIET: &str = "client_ping = \"1h\"";

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
                frames.push(frame(&mut dice, from, kind, &vec![b'c'; length]));
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
        rest = later;
        pause(&mut dice).await;
    }
}

/// Reads exactly as much as is to come, in bites of any size, with pauses, and late where it is much.
async fn hear(io: &mut (impl AsyncRead + Unpin), length: usize, mut dice: Dice) -> Vec<u8> {
    let mut heard = Vec::with_capacity(length);
    if length > 1 << 20 {
        sleep(Duration::from_millis(500)).await;
    }
    while heard.len() < length {
        let bite = (1 + dice.below(20_000)).min(length - heard.len());
        let mut room = vec![0; bite];
        let read = io.read(&mut room).await.unwrap();
        assert!(read > 0, "it ended after {} of {length} bytes", heard.len());
        heard.extend_from_slice(&room[..read]);
        pause(&mut dice).await;
    }
    heard
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

/// The browser's end, from its first byte to its last.
async fn browse(socket: u64, mut io: TcpStream, mut go: watch::Receiver<bool>) {
    let (said, heard) = (
        stream(socket, From::Client),
        stream(socket, From::Engine).concat(),
    );
    go.wait_for(|go| *go).await.unwrap();
    let (mut reader, mut writer) = io.split();
    let (all, ()) = tokio::join!(
        hear(&mut reader, heard.len(), Dice::new(socket, 10)),
        say(&mut writer, &said, Dice::new(socket, 11))
    );
    assert!(all == heard, "the browser's end of socket {socket}");
    io.write_all(&masked(CLOSE, &1000_u16.to_be_bytes()))
        .await
        .unwrap();
    let mut last = Vec::new();
    io.read_to_end(&mut last).await.unwrap();
    assert_eq!(
        last,
        [CLOSE, 2, 3, 232],
        "the browser's end of socket {socket}"
    );
}

/// The engine's end.
async fn serve(socket: u64, route: Route, mut io: TcpStream, mut go: watch::Receiver<bool>) {
    let said = stream(socket, From::Engine);
    let heard = arriving(&stream(socket, From::Client), route, From::Client);
    go.wait_for(|go| *go).await.unwrap();
    let (mut reader, mut writer) = io.split();
    let (all, ()) = tokio::join!(
        hear(&mut reader, heard.len(), Dice::new(socket, 12)),
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
}

/// Opens a socket without a library around it; the mill says nothing before it is told to.
async fn open(world: &World, socket: u64) -> TcpStream {
    let subject = format!("person-{}", socket / SOCKETS_EACH);
    let knock = world.visit(&subject, &format!("s{socket}"));
    let mut io = TcpStream::connect(world.proxy.public).await.unwrap();
    io.set_nodelay(true).unwrap();
    io.write_all(&knock.bytes()).await.unwrap();
    let mut early = Vec::new();
    let head = soon(Answer::head(&mut io, &mut early)).await.unwrap();
    assert_eq!((head.status, early.len()), (101, 0));
    io
}

async fn storm(route: Route, sockets: u64) {
    let mut mill = Mill::start().await;
    let access = match route {
        Route::Read => "apps = \"any\"",
        Route::Unread => "apps = \"any\"\nmethods = \"any\"",
    };
    let recipe = Recipe::default().access(access).limits(QUIET);
    let world = recipe.engine(&mill.engine()).start().await;
    let (go, going) = watch::channel(false);
    let mut ends = JoinSet::new();
    for first in (0..sockets).step_by(usize::try_from(HANDS).unwrap()) {
        let numbers = first..sockets.min(first + HANDS);
        for (socket, io) in numbers
            .clone()
            .zip(join_all(numbers.clone().map(|n| open(&world, n))).await)
        {
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
        while let Some(end) = ends.join_next().await {
            end.unwrap();
        }
    };
    timeout(LIMIT, all).await.expect("all of it in time");
    println!("{sockets} sockets, {route:?}, in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_arrives_once_whole_and_in_order() {
    storm(Route::Unread, SOCKETS).await;
    storm(Route::Read, SOCKETS).await;
}
