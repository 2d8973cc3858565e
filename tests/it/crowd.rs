//! Many people at once, half of whom are logged out by their issuer.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::Builder;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::frames::{TEXT, masked, read};
use crate::support::{Answer, Issuer, World, soon};

const PEOPLE: usize = 500;
const SOCKETS_EACH: usize = 4;
const LOGGED_OUT: usize = 250;
/// How many sockets are being opened, and how many logouts sent, at once.
const HANDS: usize = 50;
/// What is promised of a machine that has time for it.
const LIMIT: Duration = Duration::from_secs(2);
/// Where the machine has none, so many times as long as logouts take that hit nobody.
const PATIENCE: u32 = 5;

const CLOSE: u8 = 0x88;
const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"handle":-1,"method":"EngineVersion","params":[]}"#;

/// What a socket of the crowd saw.
#[derive(Debug)]
enum Fate {
    /// It was closed with this code, then.
    Closed(u16, Instant),
    /// It was cut without a Close.
    Cut,
    /// The engine answered it after all was over.
    Alive,
}

async fn arrive(world: &World, issuer: &Issuer, person: usize) -> (usize, TcpStream) {
    let who = json!({"sub": format!("person-{person}"), "sid": format!("sid-{person}")});
    (person, open(world, &issuer.session(&who)).await)
}

async fn stay(person: usize, io: TcpStream, over: watch::Receiver<bool>) -> (usize, Fate) {
    (person, live(io, over).await)
}

/// The issuer announces the logouts of so many sessions.
async fn log_out(world: &World, issuer: &Issuer, name: &str) {
    let tokens: Vec<String> = (0..LOGGED_OUT)
        .map(|person| issuer.logout(&json!({"sid": format!("{name}-{person}")})))
        .collect();
    for tokens in tokens.chunks(HANDS) {
        let logouts = tokens.iter().map(|token| world.announce("/qlik", token));
        for answer in join_all(logouts).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

/// Opens a socket without a library around it.
async fn open(world: &World, session: &str) -> TcpStream {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut io = TcpStream::connect(world.proxy.public).await.unwrap();
    io.write_all(&knock.cookie(session).bytes()).await.unwrap();
    let mut early = Vec::new();
    let head = soon(Answer::head(&mut io, &mut early)).await.unwrap();
    assert_eq!(head.status, 101);
    // The greeting proves that the relay runs; it may have come with the 101.
    if early.is_empty() {
        let (first, greeting) = soon(read(&mut io)).await.unwrap();
        assert_eq!(first, TEXT, "{greeting:?}");
    } else {
        let length = early.len() - 2;
        assert_eq!(
            (early[0], usize::from(early[1])),
            (TEXT, length),
            "half a greeting"
        );
    }
    io
}

/// Waits for a Close; once `over`, asks the engine whether the socket is alive.
async fn live(mut io: TcpStream, mut over: watch::Receiver<bool>) -> Fate {
    let (mut receive, mut send) = io.split();
    let asking = async {
        over.wait_for(|over| *over).await.unwrap();
        send.write_all(&masked(TEXT, CALL)).await.unwrap();
        std::future::pending().await
    };
    let fate = tokio::select! {
        fate = end(&mut receive) => fate,
        fate = asking => fate,
    };
    if let Fate::Closed(code, _) = fate {
        // Where the proxy is gone already, there is nothing to answer.
        let _ = send.write_all(&masked(CLOSE, &code.to_be_bytes())).await;
    }
    fate
}

/// Reads up to a Close or an answer; pings are let go.
async fn end(io: &mut ReadHalf<'_>) -> Fate {
    while let Some((first, payload)) = read(io).await {
        if first == CLOSE {
            return Fate::Closed(u16::from_be_bytes([payload[0], payload[1]]), Instant::now());
        }
        if first == TEXT {
            let answer = String::from_utf8(payload).unwrap();
            assert!(answer.contains("qComponentVersion"), "{answer}");
            return Fate::Alive;
        }
    }
    Fate::Cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_2000_sockets_of_500_people_250_logged_out_lose_theirs_within_2_seconds() {
    let issuer = Issuer::start().await;
    let recipe = issuer.recipe().tenant(Builder::quiet);
    let world = recipe.start().await;
    let (over, watching) = watch::channel(false);
    let mut crowd: JoinSet<(usize, Fate)> = JoinSet::new();
    let begun = Instant::now();
    for first in (0..PEOPLE * SOCKETS_EACH).step_by(HANDS) {
        let opening = (first..first + HANDS).map(|number| arrive(&world, &issuer, number % PEOPLE));
        for (person, io) in join_all(opening).await {
            crowd.spawn(stay(person, io, watching.clone()));
        }
    }
    let opened = world.tenant.state().sockets_open;
    assert_eq!(opened, PEOPLE * SOCKETS_EACH);
    println!("{opened} sockets opened in {:?}", begun.elapsed());

    let begun = Instant::now();
    log_out(&world, &issuer, "nobody").await;
    let idle = begun.elapsed();
    println!("{LOGGED_OUT} logouts of nobody taken in {idle:?}");
    let begun = Instant::now();
    log_out(&world, &issuer, "sid").await;
    println!("{LOGGED_OUT} logouts taken in {:?}", begun.elapsed());
    let ended = LOGGED_OUT * SOCKETS_EACH;
    let (mut slowest, mut fates) = (Duration::ZERO, Vec::new());
    while fates.len() < ended {
        let (person, fate) = soon(crowd.join_next()).await.unwrap().unwrap();
        let Fate::Closed(4006, heard) = fate else {
            panic!("of person {person}: {fate:?}");
        };
        assert!(person < LOGGED_OUT, "person {person} was not logged out");
        slowest = slowest.max(heard - begun);
        fates.push(person);
    }
    println!("{ended} sockets closed with 4006, the last {slowest:?} after the first logout");
    assert!(
        slowest < LIMIT.max(idle * PATIENCE),
        "{slowest:?}, {idle:?}"
    );

    over.send_replace(true);
    while let Some(fate) = soon(crowd.join_next()).await {
        let (person, fate) = fate.unwrap();
        assert!(person >= LOGGED_OUT, "one too many");
        assert!(matches!(fate, Fate::Alive), "of person {person}: {fate:?}");
        fates.push(person);
    }
    assert_eq!(fates.len(), opened);
    println!("{} others were answered after it", opened - ended);
}
