//! What a client can make the door hold or do.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::raw::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS, NO_ERROR,
    PING, PROTOCOL_ERROR, RST_STREAM, block, frame, last_taken, preface, read,
};
use super::{secured, visit};
use crate::support::http2::Ask;
use crate::support::{Authority, ORIGIN, Recipe, World, soon, until};

/// A request for nothing.
const HEAD: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "app.example.com"),
    (":path", "/qlik/nothing"),
];

/// A connection on which only the preface was said.
async fn greet(world: &World, authority: &Authority) -> TlsStream<TcpStream> {
    let mut io = world.dial_http2(authority).await;
    io.write_all(&preface()).await.unwrap();
    io
}

/// The first frame of that kind; panics at the end.
async fn first(io: &mut (impl AsyncRead + Unpin), kind: u8) -> Frame {
    soon(async {
        loop {
            let next = read(io).await.expect("the connection ended");
            if next.kind == kind {
                return next;
            }
        }
    })
    .await
}

/// Writes until the connection has ended; says how much was written.
async fn taken(io: &mut (impl AsyncWrite + Unpin), all: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut count = 0;
    for bytes in all {
        if io.write_all(&bytes).await.is_err() {
            break;
        }
        count += 1;
    }
    count
}

#[tokio::test]
async fn the_door_says_what_a_connection_may_carry() {
    let (world, authority) = secured(Recipe::default(), "streams = 7").await;
    let browser = world.visit_http2(&authority).await;
    until(|| browser.sender.current_max_send_streams() == 7).await;
}

#[tokio::test]
async fn every_stream_has_a_seat_of_its_own() {
    // One is kept for the connection that comes next.
    let (world, authority) = secured(Recipe::default().listen("connections = 4\n"), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(browser.open(visit(&world, "ada")).await);
    }
    let refused = browser.ask(visit(&world, "ada"), b"").await;
    assert_eq!(refused.status, 429);
    let refused = browser
        .ask(Ask::new(Method::GET, "/qlik/nothing"), b"")
        .await;
    assert_eq!(refused.status, 429);
    for mut socket in sockets {
        socket.is_alive().await;
        socket.close(1000).await;
    }
    // A seat is free as soon as a relay has gone.
    soon(async {
        while browser
            .ask(Ask::new(Method::GET, "/qlik/nothing"), b"")
            .await
            .status
            == 429
        {}
    })
    .await;
    browser.open(visit(&world, "ada")).await.is_alive().await;
}

#[tokio::test]
async fn a_connection_without_anything_open_gives_its_seat_away() {
    let recipe = Recipe::default().listen("connections = 3\n");
    let (mut world, authority) = secured(recipe, "idle = \"10min\"").await;
    let mut busy = world.visit_http2(&authority).await;
    let mut ada = busy.open(visit(&world, "ada")).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut visitor = world.visit_http2(&authority).await;
        let asked = visitor.ask(Ask::new(Method::GET, "/qlik/nothing"), b"");
        assert_eq!(asked.await.status, 404);
        idle.push(visitor);
    }
    world.trust(&authority);
    world
        .visit("grace", SALES_APP)
        .open()
        .await
        .is_alive()
        .await;
    ada.is_alive().await;
    let first = idle.remove(0);
    let _ = soon(first.over).await.unwrap();
}

#[tokio::test]
async fn who_gives_a_seat_away_is_told_what_was_taken() {
    let recipe = Recipe::default().listen("connections = 2\n");
    let (mut world, authority) = secured(recipe, "idle = \"10min\"").await;
    let mut io = greet(&world, &authority).await;
    let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&HEAD));
    io.write_all(&head).await.unwrap();
    assert_eq!(first(&mut io, HEADERS).await.stream, 1);
    world.trust(&authority);
    let _grace = world.visit("grace", SALES_APP).open().await;
    let visiting = world.visit("ada", SALES_APP).open();
    let (farewell, mut ada) = tokio::join!(first(&mut io, GOAWAY), visiting);
    assert_eq!((last_taken(&farewell), farewell.error()), (1, NO_ERROR));
    ada.is_alive().await;
}

/// Asks for answers and reads none, until the door reads no more either.
async fn fall_silent(io: &mut (impl AsyncWrite + Unpin)) {
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    let patience = Duration::from_millis(300);
    while timeout(patience, io.write_all(&pings)).await.is_ok() {}
}

#[tokio::test]
async fn who_takes_no_farewell_gives_the_seat_away_all_the_same() {
    const SILENT: usize = 6;
    let recipe = Recipe::default().listen(&format!("connections = {}\n", SILENT + 1));
    let (mut world, authority) = secured(recipe, "idle = \"10min\"").await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut io = greet(&world, &authority).await;
        fall_silent(&mut io).await;
        silent.push(io);
    }
    world.trust(&authority);
    let (begun, mut inside) = (Instant::now(), Vec::new());
    for _ in 0..=SILENT {
        inside.push(world.visit("grace", SALES_APP).open().await);
    }
    // Each of them has a second for a request; none has another for its end.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn who_does_not_begin_is_not_waited_for() {
    let recipe = Recipe::default().listen("head_timeout = \"300ms\"\n");
    let (world, authority) = secured(recipe, "").await;
    for said in [&b""[..], b"PRI * HTTP/2.0\r\n\r\n"] {
        let mut io = world.dial_http2(&authority).await;
        io.write_all(said).await.unwrap();
        // It may end without the farewell of TLS.
        let _ = soon(io.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test]
async fn requests_that_are_taken_back_end_the_connection() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let token = world.token("ada");
    // The door waits for a body that does not come, until the request is taken back.
    let ask = || Ask::new(Method::POST, "/qlik/backchannel-logout").cookie(&token);
    let mut taken_back = 0;
    let ready = |sender: &h2::client::SendRequest<bytes::Bytes>| sender.clone().ready();
    while let Ok(sender) = soon(ready(&browser.sender)).await {
        browser.sender = sender;
        let sent = browser.sender.send_request(ask().into_request(), false);
        let Ok((_answer, mut up)) = sent else { break };
        if soon(browser.pings.ping(h2::Ping::opaque())).await.is_err() {
            break;
        }
        up.send_reset(h2::Reason::CANCEL);
        taken_back += 1;
        assert!(taken_back < 200, "it goes on for ever");
    }
    assert!(taken_back > 90, "{taken_back}");
    let over = soon(&mut browser.over).await.unwrap();
    assert_eq!(
        over.unwrap_err().reason(),
        Some(h2::Reason::ENHANCE_YOUR_CALM)
    );
}

#[tokio::test]
async fn a_flood_of_requests_and_resets_ends_the_connection() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let io = greet(&world, &authority).await;
    let (mut reader, mut writer) = tokio::io::split(io);
    let flood = tokio::spawn(async move {
        let pair = |stream| {
            let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&HEAD));
            [head, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        };
        taken(&mut writer, (1..200_000).step_by(2).map(pair)).await
    });
    let goaway = first(&mut reader, GOAWAY).await;
    assert_eq!(goaway.error(), ENHANCE_YOUR_CALM);
    drop(reader);
    assert!(soon(flood).await.unwrap() < 100_000, "all of it was taken");
}

/// How many frames a head may go on for that is not over.
const CONTINUATIONS: usize = 5;

/// A head in so many frames behind the first, the last with these flags.
fn drawn_out(frames: usize, last: u8) -> Vec<u8> {
    let mut bytes = frame(HEADERS, END_STREAM, 1, &block(&HEAD));
    for number in 1..=frames {
        let flags = if number == frames { last } else { 0 };
        bytes.extend(frame(CONTINUATION, flags, 1, &block(&[("x-more", "x")])));
    }
    bytes
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let mut io = greet(&world, &authority).await;
    // Nothing is said behind it: the last of these frames was one too many.
    let endless = drawn_out(CONTINUATIONS + 1, 0);
    io.write_all(&endless).await.unwrap();
    let goaway = first(&mut io, GOAWAY).await;
    assert_eq!(goaway.error(), ENHANCE_YOUR_CALM);

    let mut io = greet(&world, &authority).await;
    let ended = drawn_out(CONTINUATIONS + 1, END_HEADERS);
    io.write_all(&ended).await.unwrap();
    assert_eq!(first(&mut io, HEADERS).await.stream, 1);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let large = Ask::new(Method::GET, "/qlik/nothing").with("cookie", &"x".repeat(17 << 10));
    let (answer, _up) = browser.begin(large).await;
    match soon(answer).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(error.reason().is_some(), "{error}"),
    }
    let small = Ask::new(Method::GET, "/qlik/nothing").with("cookie", &"x".repeat(8 << 10));
    assert_eq!(browser.ask(small, b"").await.status, 404);
}

#[tokio::test]
async fn what_belongs_to_http_1_is_refused() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "app.example.com"),
        (":path", "/qlik/app/x"),
        ("origin", ORIGIN),
        ("sec-websocket-version", "13"),
    ];
    let mut io = greet(&world, &authority).await;
    for (stream, (name, value)) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "1"),
        (":path", "/qlik/app/y"),
        (":method", "GET"),
    ]
    .into_iter()
    .enumerate()
    {
        let stream = u32::try_from(2 * stream + 1).unwrap();
        let head = [&websocket[..], &[(name, value)]].concat();
        let head = frame(HEADERS, END_HEADERS, stream, &block(&head));
        io.write_all(&head).await.unwrap();
        let reset = first(&mut io, RST_STREAM).await;
        assert_eq!(
            (reset.stream, reset.error()),
            (stream, PROTOCOL_ERROR),
            "{name}"
        );
    }
    let head = frame(HEADERS, END_HEADERS, 13, &block(&websocket));
    io.write_all(&head).await.unwrap();
    assert_eq!(
        first(&mut io, HEADERS).await.stream,
        13,
        "all is well without"
    );
    assert!(world.upgrades().is_empty());
}
