//! Requests and answers with something hidden in them.

use engine_sim::engine::SALES_APP;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::frames::{TEXT, masked};
use crate::support::{Answer, Browser, Knock, Liar, Recipe, World, soon};

fn good(world: &World) -> Knock<'_> {
    world.visit("ada", SALES_APP)
}

/// A lawful request for the engine itself, as it would have to look there.
fn hidden(world: &World) -> Vec<u8> {
    let knock = world.connect("/app/hidden").cookie(&world.token("ada"));
    knock.bearer(&world.secrets.api_key).bytes()
}

/// Lawful requests, each bent in one way, and the status they get.
fn bent(world: &World) -> Vec<(&'static str, Knock<'_>, u16)> {
    let good = || good(world);
    let with = |name, value| good().with(name, value);
    let chunked = || with("transfer-encoding", "chunked").tail(b"0\r\n\r\n");
    let body = hidden(world);
    let length = body.len().to_string();
    let http_1_0 = format!("GET /qlik/app/{SALES_APP} HTTP/1.0");
    let h2c = good().set("upgrade", "h2c").with("http2-settings", "AAMA");
    let hidden = with("content-length", &length).tail(&body);
    let lengths = with("content-length", "0").with("content-length", "5");
    let method = |method| {
        let line = format!("{method} /qlik/app/{SALES_APP} HTTP/1.1");
        good().line(&line)
    };
    let key = |key| good().set("sec-websocket-key", key);
    vec![
        ("another method", method("POST"), 405),
        ("a method of one's own", method("WEBSOCKET"), 405),
        ("a tunnel", method("CONNECT"), 405),
        ("no key", good().without("sec-websocket-key"), 400),
        ("a key of 15 bytes", key("dGhlIHNhbXBsZSBub25j"), 400),
        ("a key of 17 bytes", key("dGhlIHNhbXBsZSBub25jZWU="), 400),
        ("no version", good().without("sec-websocket-version"), 426),
        (
            "a list of versions",
            good().set("sec-websocket-version", "13, 8"),
            426,
        ),
        ("no Connection", good().without("connection"), 426),
        ("another Connection", good().set("connection", "close"), 426),
        ("a body", with("content-length", "5").tail(b"hello"), 400),
        ("a request for a body", hidden, 400),
        ("two lengths", lengths, 400),
        ("a length that is none", with("content-length", "+1"), 400),
        ("chunks", chunked(), 400),
        (
            "chunks and a length",
            chunked().with("content-length", "5"),
            400,
        ),
        ("another coding", with("transfer-encoding", "xchunked"), 400),
        (
            "two keys",
            with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            400,
        ),
        ("two versions", with("sec-websocket-version", "13"), 400),
        ("two upgrades", with("upgrade", "websocket"), 400),
        ("h2c", h2c, 426),
        ("h2c besides", with("upgrade", "h2c"), 400),
        ("HTTP/1.0", good().line(&http_1_0), 426),
        ("HTTP/2", good().line("PRI * HTTP/2.0"), 400),
        ("a folded header", with("x", "y\r\n folded"), 400),
        ("a space before the colon", with("origin ", "x"), 400),
        ("a header without a name", with("", "x"), 400),
        ("a bare carriage return", with("x", "y\rhost: z"), 400),
    ]
}

#[tokio::test]
async fn a_request_that_is_two_things_at_once_reaches_no_engine() {
    let world = World::start().await;
    for (name, knock, status) in bent(&world) {
        let answer = knock.refused().await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(
            world.tenant.requests().is_empty(),
            "{name} reached the engine"
        );
    }
}

#[tokio::test]
async fn two_session_cookies_are_a_bad_request() {
    let world = Recipe::default()
        .route("refusal = \"status\"")
        .start()
        .await;
    let answer = good(&world).with("cookie", "session=other").refused().await;
    assert_eq!(answer.status, 400);
    assert!(world.tenant.requests().is_empty());
}

#[tokio::test]
async fn a_path_is_read_in_one_way_or_not_at_all() {
    let world = World::start().await;
    for (target, status) in [
        ("http://app.example.com/qlik/app/x", 400),
        ("https://127.0.0.1/qlik/app/x", 400),
        ("app.example.com:80", 400),
        ("*", 400),
        ("/qlik/app/a%2Fb", 400),
        ("/qlik/app/a%2fb", 400),
        ("/qlik%2Fapp/x", 400),
        ("/qlik/app/a%5Cb", 400),
        ("/qlik/app/a\\b", 400),
        ("/qlik/app/..", 400),
        ("/qlik/app/../../etc", 400),
        ("/qlik/./app/x", 400),
        ("/qlik/app/%2e%2e", 400),
        ("/qlik/app/%2E", 400),
        ("/other/../qlik/app/x", 400),
        ("/qlik//app/x", 400),
        ("//qlik/app/x", 400),
        ("/qlik/app//x", 400),
        ("/qlik/app/x//", 400),
        ("/qlik/app/%00", 400),
        ("/qlik/app/%0d%0ax", 400),
        ("/qlik/app/%FF", 400),
        ("/qlik/app/%", 400),
        ("/qlik/app/%zz", 400),
        ("/qlik/app/x/identity", 400),
        ("/qlik/app/x/ttl/5/identity/y", 400),
        ("/qlik/app/x/ttl/-1", 400),
        ("/qlik/app/x/more", 400),
        ("/qlik/app/%3Fx=1", 400),
        ("/QLIK/app/x", 404),
        ("/qlikx/app/x", 404),
        ("/", 404),
    ] {
        let knock = world.connect(target).cookie(&world.token("ada"));
        let answer = knock.refused().await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert!(
            world.tenant.requests().is_empty(),
            "{target} reached the engine"
        );
    }
}

#[tokio::test]
async fn what_is_decoded_once_is_not_decoded_again() {
    let world = World::start().await;
    let knock = world
        .connect("/qlik/app/a%252Fb%253Fc")
        .cookie(&world.token("ada"));
    knock.open().await;
    let target = world.upgrades().remove(0).target;
    assert!(
        target.starts_with("/app/a%252Fb%253Fc/identity/"),
        "{target}"
    );
}

#[tokio::test]
async fn a_request_behind_a_refused_one_never_reaches_the_engine() {
    for (name, recipe) in [
        ("closed", Recipe::default()),
        ("plain", Recipe::default().route("refusal = \"status\"")),
    ] {
        let world = recipe.start().await;
        let first = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let mut io = world.dial().await;
        io.write_all(&first.tail(&hidden(&world)).bytes())
            .await
            .unwrap();
        io.shutdown().await.unwrap();
        let mut got = Vec::new();
        soon(io.read_to_end(&mut got)).await.unwrap();
        assert!(got.starts_with(b"HTTP/1.1 "), "{name}");
        assert!(world.tenant.requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_request_behind_one_of_the_wrong_version_never_reaches_the_engine() {
    let world = World::start().await;
    let first = good(&world).set("sec-websocket-version", "9999");
    let mut io = world.dial().await;
    io.write_all(&first.tail(&hidden(&world)).bytes())
        .await
        .unwrap();
    let mut read = Vec::new();
    let answer = soon(Answer::head(&mut io, &mut read)).await.unwrap();
    assert_eq!(answer.status, 426);
    soon(answer.with_body(&mut io, &mut read)).await;
    // An answer is the last of its connection: the second request is not even looked at.
    assert!(soon(Answer::head(&mut io, &mut read)).await.is_none());
    assert!(world.tenant.requests().is_empty());
}

#[tokio::test]
async fn frames_that_come_with_the_request_arrive_once_and_in_order() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let world = Recipe::default().access(access).start().await;
        let call = |id: u64| {
            let call = json!({"jsonrpc": "2.0", "id": id, "handle": -1, "method": "EngineVersion", "params": []});
            masked(TEXT, call.to_string().as_bytes())
        };
        let early: Vec<u8> = (1..=20).flat_map(call).collect();
        // The last frame is split between the packets.
        let (now, later) = early.split_at(early.len() - 9);
        let mut browser = good(&world).tail(now).open().await;
        browser.raw().write_all(later).await.unwrap();
        for id in 1..=20 {
            assert_eq!(browser.receive().await["id"], id);
        }
        let messages = world.upgrades().remove(0).messages;
        assert_eq!(messages.len(), 20, "{access}");
    }
}

/// What a true 101 has.
const RIGHT: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ACCEPT\r\n";
/// The first bytes behind a head: a frame that begins.
const BEHIND: &str = "\r\n\u{1}canary-from-the-engine";

/// Answers that are no upgrade, with something behind them that looks like one.
fn lies() -> Vec<(&'static str, String)> {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\ncanary-from-the-engine";
    let empty = "content-length: 0\r\n\r\n";
    let true_one = format!("HTTP/1.1 101 Again\r\n{RIGHT}{BEHIND}");
    let twice = format!("{RIGHT}sec-websocket-accept: ACCEPT\r\n");
    let deflate = format!("{RIGHT}sec-websocket-extensions: permessage-deflate\r\n");
    let without = |name: &str| {
        let lines = RIGHT
            .split_inclusive('\n')
            .filter(|line| !line.starts_with(name));
        format!("HTTP/1.1 101 S\r\n{}{BEHIND}", lines.collect::<String>())
    };
    let h2c = RIGHT.replace("websocket", "h2c");
    vec![
        ("200", page.to_owned()),
        (
            "200 like a 101",
            format!("HTTP/1.1 200 OK\r\n{RIGHT}{BEHIND}"),
        ),
        ("200 and a 101", format!("{page}{true_one}")),
        (
            "302 and a 101",
            format!("HTTP/1.1 302 F\r\nlocation: /\r\n{empty}{true_one}"),
        ),
        (
            "426 and a 101",
            format!("HTTP/1.1 426 U\r\nupgrade: websocket\r\n{empty}{true_one}"),
        ),
        ("204 and a 101", format!("HTTP/1.1 204 N\r\n\r\n{true_one}")),
        ("101 without Connection", without("connection")),
        ("101 without Upgrade", without("upgrade")),
        ("101 without accept", without("sec-websocket-accept")),
        ("101 to h2c", format!("HTTP/1.1 101 S\r\n{h2c}{BEHIND}")),
        (
            "101 with two accepts",
            format!("HTTP/1.1 101 S\r\n{twice}{BEHIND}"),
        ),
        (
            "101 with deflate",
            format!("HTTP/1.1 101 S\r\n{deflate}{BEHIND}"),
        ),
        (
            "101 with a subprotocol",
            format!("HTTP/1.1 101 S\r\n{RIGHT}sec-websocket-protocol: mqtt\r\n{BEHIND}"),
        ),
        ("100 and a 101", format!("HTTP/1.1 103 E\r\n\r\n{page}")),
        (
            "101 of HTTP/1.0",
            format!("HTTP/1.0 101 S\r\n{RIGHT}{BEHIND}"),
        ),
        ("no HTTP at all", format!("{BEHIND}\r\n\r\n")),
    ]
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_brings_nothing_along() {
    for (name, answer) in lies() {
        let liar = Liar::start(answer).await;
        let world = Recipe::default().engine(&liar.engine()).start().await;
        world.keep("canary-from-the-engine".to_owned());
        let (code, reason) = good(&world).closed().await;
        assert_eq!(
            (code, reason.as_str()),
            (4240, "No engine available"),
            "{name}"
        );
        let heard = liar.heard();
        assert_eq!(heard.matches("GET ").count(), 1, "{name}: {heard}");
        assert!(
            heard.ends_with("\r\n\r\n"),
            "{name}: more than the request: {heard}"
        );
    }
}

#[tokio::test]
async fn a_true_101_opens_whatever_else_stands_in_it() {
    let liar = Liar::start(
        "HTTP/1.1 101 Whatever\r\nUPGRADE: WebSocket\r\nConnection: keep-alive, upgrade\r\n\
         Sec-WebSocket-Accept: ACCEPT\r\nset-cookie: X-Qlik-Session=canary-of-the-engine\r\n\
         server: canary-of-the-engine\r\nlocation: http://canary-of-the-engine/\r\n\r\n\
         \u{1}{",
    )
    .await;
    let world = Recipe::default().engine(&liar.engine()).start().await;
    world.keep("canary-of-the-engine".to_owned());
    let hello = good(&world).upgraded().await;
    let names = ["connection", "date", "sec-websocket-accept", "upgrade"];
    assert_eq!(hello.head.header_names(), names);
    drop::<Browser>(hello.browser);
}

#[tokio::test]
async fn what_stands_in_connection_takes_nothing_of_the_request_away() {
    let world = World::start().await;
    let listed = "upgrade, authorization, cookie, origin, host, sec-websocket-key";
    good(&world).set("connection", listed).open().await;
    let seen = world.upgrades().remove(0);
    let bearer = format!("Bearer {}", world.secrets.api_key);
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("connection", "Upgrade"),
    ] {
        let pair = (name.to_owned(), value.to_owned());
        assert!(seen.headers.contains(&pair), "{:?}", seen.headers);
    }
}

/// What is offered, what is chosen, and whether that opens; @ is permessage-deflate.
#[rustfmt::skip] // a row a choice
const EXTENSIONS: [(&str, &str, bool); 17] = [
    ("@", "@", true),
    ("@", "@; server_max_window_bits=10", true),
    ("@; client_max_window_bits", "@; client_max_window_bits=10", true),
    ("@", "x-other", false),
    ("x-other, @", "x-other", false),
    ("@", "@; x-other", false),
    ("@", "@; server_max_window_bits=99", false),
    ("@", "@; server_max_window_bits", false),
    ("@", "@; server_no_context_takeover=10", false),
    ("@", "@; server_no_context_takeover; server_no_context_takeover", false),
    ("@", "@; client_max_window_bits=10", false),
    ("@; client_max_window_bits", "@; client_max_window_bits", false),
    ("@; server_max_window_bits=10", "@", false),
    ("@; server_max_window_bits=10", "@; server_max_window_bits=11", false),
    ("@; server_no_context_takeover", "@", false),
    ("@, @", "@, @", false),
    ("@", "@\r\nsec-websocket-extensions: @", false),
];

#[tokio::test]
async fn an_extension_is_one_that_was_offered() {
    let access = "apps = \"any\"\nmethods = \"any\"";
    for (offer, chosen, opens) in EXTENSIONS {
        let [offer, chosen] = [offer, chosen].map(|it| it.replace('@', "permessage-deflate"));
        let answer = format!("HTTP/1.1 101 S\r\n{RIGHT}sec-websocket-extensions: {chosen}\r\n\r\n");
        let liar = Liar::start(answer).await;
        let recipe = Recipe::default().access(access);
        let world = recipe.engine(&liar.engine()).start().await;
        let knock = good(&world).with("sec-websocket-extensions", &offer);
        if opens {
            let hello = knock.upgraded().await;
            let heard = hello.head.header("sec-websocket-extensions");
            assert_eq!(heard, Some(chosen.as_str()));
        } else {
            assert_eq!(knock.closed().await.0, 4240, "{chosen} to {offer}");
        }
    }
}
