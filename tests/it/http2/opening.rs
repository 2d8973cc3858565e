//! Who is let in, and who is not.

use std::sync::Arc;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script};
use http::Method;
use rustls::{ClientConnection, HandshakeKind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{line, secured, visit};
use crate::support::http2::Ask;
use crate::support::{Authority, End, Files, ORIGIN, Recipe, World, soon, unique};

const DOC: &str = "/qlik/app/engine-document";

#[tokio::test]
async fn one_connection_carries_many_websockets_and_requests() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let (ada, grace) = (unique("ada"), unique("grace"));
    let mut browser = world.visit_http2(&authority).await;
    let mut first = browser.open(visit(&world, &ada)).await;
    let mut second = browser.open(visit(&world, &grace)).await;
    assert!(first.open_doc(SALES_APP).await > 0);
    assert!(second.open_doc(SALES_APP).await > 0);
    let session = Ask::new(Method::GET, "/qlik/session").with("origin", ORIGIN);
    let session = browser.ask(session.cookie(&world.token(&ada)), b"").await;
    assert_eq!(session.json()["subject"], ada);
    assert_eq!(first.close(1000).await, End::Closed(1000, String::new()));
    second.is_alive().await;
    let opened = line(&world, "socket opened", &ada).await;
    assert_eq!(opened.field("http"), "HTTP/2.0");
    let ended = line(&world, "socket ended", &ada).await;
    assert_eq!(ended.field("cause"), "closed");
    // The same proxy lets a browser in that speaks HTTP/1.1.
    let (mut world, old) = (world, unique("old"));
    world.trust(&authority);
    world.visit(&old, SALES_APP).open().await.is_alive().await;
    let opened = line(&world, "socket opened", &old).await;
    assert_eq!(opened.field("http"), "HTTP/1.1");
}

#[tokio::test]
async fn a_huge_answer_goes_through_beside_a_neighbour() {
    const SIZE: usize = 8 << 20;
    let (world, authority) = secured(Recipe::default(), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let mut ada = browser.open(visit(&world, "ada")).await;
    let mut grace = browser.open(visit(&world, "grace")).await;
    let huge = LiveFault::Huge {
        bytes: SIZE,
        fragment: None,
    };
    world.tenant.script(Script::Call(huge));
    let id = ada.ask(-1, "EngineVersion", json!([])).await;
    grace.is_alive().await;
    let answer = ada.receive().await;
    assert_eq!(answer["id"], id);
    let filling = answer["result"]["qFilling"].as_str().unwrap();
    assert!(filling.len() > SIZE - 100);
    ada.is_alive().await;
}

/// What is refused with which status, each a little off what is good.
#[rustfmt::skip] // a row a trick
fn tricks(good: &Ask) -> [(&'static str, Ask, u16); 19] {
    let good = || good.clone();
    let app = format!("/qlik/app/{SALES_APP}");
    let plain = |method, path: &str| Ask::new(method, path).with("origin", ORIGIN);
    let elsewhere = format!("https://elsewhere.example.com{app}");
    let tunnel = Ask::new(Method::CONNECT, "").uri("elsewhere.example.com:443");
    [
        ("a foreign origin", good().set("origin", "https://evil.example"), 403),
        ("no origin", good().without("origin"), 403),
        ("two origins", good().with("origin", ORIGIN), 403),
        ("the origin before all else", good().set("origin", "null").protocol("x"), 403),
        ("a tunnel", tunnel, 405),
        ("another protocol", good().protocol("connect-udp"), 426),
        ("another case", good().protocol("WebSocket"), 426),
        ("no version", good().without("sec-websocket-version"), 426),
        ("an old version", good().set("sec-websocket-version", "8"), 426),
        ("two versions", good().with("sec-websocket-version", "13"), 400),
        ("a length", good().with("content-length", "0"), 400),
        ("another host beside", good().with("host", "elsewhere.example.com"), 400),
        ("another host", good().uri(&elsewhere), 404),
        ("a plain GET", plain(Method::GET, &app), 426),
        ("a POST", plain(Method::POST, &app), 405),
        ("another door", Ask::websocket("/qlik/session"), 405),
        ("a path of tricks", Ask::websocket("/qlik/app/%2e%2e/x"), 400),
        ("nothing", plain(Method::GET, "/qlik/nothing"), 404),
        ("no route", plain(Method::GET, "/other"), 404),
    ]
}

#[tokio::test]
async fn the_rules_are_the_same() {
    let recipe = Recipe::default().route("hosts = [\"app.example.com\"]\n");
    let (world, authority) = secured(recipe, "").await;
    let mut browser = world.visit_http2(&authority).await;
    let good = visit(&world, "ada");
    for (name, ask, status) in tricks(&good) {
        let answer = browser.ask(ask, b"").await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{name}");
    }
    assert!(world.upgrades().is_empty());
    // Beside a host that is the same, all is well.
    let same = good.with("host", "APP.example.com");
    browser.open(same).await.is_alive().await;
}

#[tokio::test]
async fn a_refused_page_reads_code_and_reason() {
    let recipe = Recipe::default().access(&format!("apps = [\"{SALES_APP}\"]"));
    let (world, authority) = secured(recipe, "").await;
    let mut browser = world.visit_http2(&authority).await;
    let nobody = Ask::websocket(&format!("/qlik/app/{SALES_APP}"));
    assert_eq!(browser.upgraded(nobody).await.closed().await.0, 4006);
    let other = Ask::websocket("/qlik/app/other").cookie(&world.token("ada"));
    assert_eq!(browser.upgraded(other).await.closed().await.0, 4203);
    browser.open(visit(&world, "ada")).await.is_alive().await;

    let (world, authority) = secured(Recipe::default().route("refusal = \"status\"\n"), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let nobody = browser.ask(Ask::websocket(DOC), b"").await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn crumbs_of_cookies_are_one_cookie() {
    let (world, authority) = secured(Recipe::default(), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let crumbs = visit(&world, "ada")
        .with("cookie", "a=1; b=2")
        .with("cookie", "c=3");
    browser.open(crumbs).await.is_alive().await;
    let twice = visit(&world, "ada").cookie(&world.token("eve"));
    assert_eq!(browser.upgraded(twice).await.closed().await.0, 1002);
}

#[tokio::test]
async fn a_ticket_comes_and_goes_over_one_connection() {
    const SESSIONS: &str = "[[route.session]]\nkind = \"ticket\"\n[[route.session]]\nkind = \"jwt\"\n\
        cookie = \"session\"\nsecret = { env = \"SESSION_SECRET\" }\n";
    let recipe = Recipe::default().session(SESSIONS);
    let (world, authority) =
        secured(recipe.route("login = \"https://app.example.com/in\"\n"), "").await;
    let mut browser = world.visit_http2(&authority).await;
    let door = || Ask::new(Method::POST, "/qlik/ticket").with("origin", ORIGIN);
    let app = format!("{{\"app\":\"{SALES_APP}\"}}");
    let given = browser
        .ask(door().cookie(&world.token("ada")), app.as_bytes())
        .await;
    assert_eq!(given.status, 200, "{given:?}");
    assert_eq!(given.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(given.header("connection"), None);
    let ticket = world.keep_from_log(given.json()["ticket"].as_str().unwrap().to_owned());
    let protocol = format!("qix-ticket.{ticket}");
    let by_ticket = Ask::websocket(&format!("/qlik/app/{SALES_APP}"));
    let by_ticket = by_ticket.with("sec-websocket-protocol", &protocol);
    let (answer, _up) = browser.begin(by_ticket).await;
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["sec-websocket-protocol"],
        protocol.as_str()
    );

    assert_eq!(browser.ask(door(), &[b' '; 2000]).await.status, 400);
    let login = browser.ask(Ask::new(Method::GET, "/qlik/login"), b"").await;
    assert_eq!(login.header("location"), Some("https://app.example.com/in"));
    let logout = Ask::new(Method::POST, "/qlik/backchannel-logout");
    assert_eq!(browser.ask(logout, b"logout_token=x").await.status, 404);
}

#[tokio::test]
async fn a_door_that_does_not_offer_it_speaks_http_1() {
    let (world, authority) = secured(Recipe::default(), "offer = false").await;
    let tls = TlsConnector::from(Arc::new(authority.client(&["h2", "http/1.1"])));
    let tcp = TcpStream::connect(world.proxy.public).await.unwrap();
    let io = tls
        .connect("app.example.com".try_into().unwrap(), tcp)
        .await
        .unwrap();
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    // Without TLS nothing is agreed upon, and whoever takes it for granted is mistaken.
    let world = World::start().await;
    let mut tcp = TcpStream::connect(world.proxy.public).await.unwrap();
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    soon(tcp.read_to_end(&mut answer)).await.unwrap();
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 "),
        "{answer:?}"
    );
}

#[tokio::test]
async fn nothing_is_taken_before_the_handshake_is_over() {
    let (authority, files) = (Authority::new(), Files::new());
    let world = Recipe::default()
        .listen(&authority.door(&files))
        .start()
        .await;
    let mut config = authority.client(&["http/1.1"]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    let tls = TlsConnector::from(Arc::clone(&config));
    let name = || "app.example.com".try_into().unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let tcp = TcpStream::connect(world.proxy.public).await.unwrap();
        let mut io = soon(tls.connect(name(), tcp)).await.unwrap();
        // The session tickets come before the answer.
        io.write_all(b"GET /qlik/nothing HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        soon(io.read_to_end(&mut Vec::new())).await.unwrap();
        kinds.push(io.get_ref().1.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
    let mut third = ClientConnection::new(config, name()).unwrap();
    assert!(third.early_data().is_none(), "the door invites 0-RTT");
}
