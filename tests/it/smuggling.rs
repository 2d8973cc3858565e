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

#[tokio::test]
async fn a_request_that_is_two_things_at_once_reaches_no_engine() {
    let world = World::start().await;
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let length = |body: &[u8]| body.len().to_string();
    let body = hidden(&world);
    let table: Vec<(&str, Knock<'_>, u16)> = vec![
        (
            "a body",
            good(&world).with("content-length", "5").tail(b"hello"),
            400,
        ),
        (
            "a request for a body",
            good(&world)
                .with("content-length", &length(&body))
                .tail(&body),
            400,
        ),
        (
            "two lengths",
            good(&world)
                .with("content-length", "0")
                .with("content-length", "5"),
            400,
        ),
        (
            "a length that is none",
            good(&world).with("content-length", "+1"),
            400,
        ),
        (
            "chunks",
            good(&world)
                .with("transfer-encoding", "chunked")
                .tail(b"0\r\n\r\n"),
            400,
        ),
        (
            "chunks and a length",
            good(&world)
                .with("transfer-encoding", "chunked")
                .with("content-length", "5")
                .tail(b"0\r\n\r\n"),
            400,
        ),
        (
            "another coding",
            good(&world).with("transfer-encoding", "xchunked"),
            400,
        ),
        ("two keys", good(&world).with("sec-websocket-key", key), 400),
        (
            "two versions",
            good(&world).with("sec-websocket-version", "13"),
            400,
        ),
        (
            "two upgrades",
            good(&world).with("upgrade", "websocket"),
            400,
        ),
        (
            "h2c",
            good(&world)
                .set("upgrade", "h2c")
                .with("http2-settings", "AAMAAABk"),
            426,
        ),
        ("h2c besides", good(&world).with("upgrade", "h2c"), 400),
        (
            "HTTP/1.0",
            good(&world).line(&format!("GET /qlik/app/{SALES_APP} HTTP/1.0")),
            426,
        ),
        ("HTTP/2", good(&world).line("PRI * HTTP/2.0"), 400),
        (
            "two cookies",
            good(&world).with("cookie", "session=other"),
            101,
        ),
        (
            "a folded header",
            good(&world).with("x", "y\r\n folded"),
            400,
        ),
        (
            "a space before the colon",
            good(&world).with("origin ", "x"),
            400,
        ),
        (
            "a bare line feed",
            good(&world).with("x", "y\nhost: z"),
            101,
        ),
    ];
    for (name, knock, status) in table {
        world.tenant.reset();
        if status == 101 {
            // Read in one way only; what matters is that the session decides.
            let _ = knock.upgraded().await;
            continue;
        }
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
    // The second request is judged as a request of its own: there is no such place here.
    let second = soon(Answer::head(&mut io, &mut read)).await.unwrap();
    assert_eq!(second.status, 404);
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

#[tokio::test]
async fn an_answer_that_is_no_upgrade_brings_nothing_along() {
    let greeting = "\u{1}canary-from-the-engine";
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\ncanary-from-the-engine";
    let right = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ACCEPT\r\n";
    let behind = format!("HTTP/1.1 101 Again\r\n{right}\r\n{greeting}");
    for (name, answer) in [
        ("200", page.to_owned()),
        (
            "200 with all the headers",
            format!("HTTP/1.1 200 OK\r\n{right}\r\n{greeting}"),
        ),
        ("200 and a 101 behind it", format!("{page}{behind}")),
        (
            "302 and a 101 behind it",
            format!("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n{behind}"),
        ),
        (
            "426 and a 101 behind it",
            format!(
                "HTTP/1.1 426 Upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n{behind}"
            ),
        ),
        (
            "204 and a 101 behind it",
            format!("HTTP/1.1 204 No\r\n\r\n{behind}"),
        ),
        (
            "101 without Connection",
            format!(
                "HTTP/1.1 101 S\r\nupgrade: websocket\r\nsec-websocket-accept: ACCEPT\r\n\r\n{greeting}"
            ),
        ),
        (
            "101 without Upgrade",
            format!(
                "HTTP/1.1 101 S\r\nconnection: Upgrade\r\nsec-websocket-accept: ACCEPT\r\n\r\n{greeting}"
            ),
        ),
        (
            "101 to h2c",
            format!(
                "HTTP/1.1 101 S\r\nconnection: Upgrade\r\nupgrade: h2c\r\nsec-websocket-accept: ACCEPT\r\n\r\n{greeting}"
            ),
        ),
        (
            "101 without accept",
            format!(
                "HTTP/1.1 101 S\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n{greeting}"
            ),
        ),
        (
            "101 with two accepts",
            format!("HTTP/1.1 101 S\r\n{right}sec-websocket-accept: ACCEPT\r\n\r\n{greeting}"),
        ),
        (
            "101 of HTTP/1.0",
            format!("HTTP/1.0 101 S\r\n{right}\r\n{greeting}"),
        ),
        (
            "101 with deflate",
            format!(
                "HTTP/1.1 101 S\r\n{right}sec-websocket-extensions: permessage-deflate\r\n\r\n{greeting}"
            ),
        ),
        ("no HTTP at all", format!("{greeting}\r\n\r\n")),
    ] {
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
