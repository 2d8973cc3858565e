//! What goes through once it is open.

use std::time::Duration;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script, UpgradeFault};
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::support::frames::{self, TEXT, masked};
use crate::support::{Answer, Recipe, World, soon};

const DOWN: &str = "qix_proxy_relayed_bytes_total{direction=\"down\"}";

#[tokio::test]
async fn a_greeting_in_the_packet_of_the_101_arrives() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let world = Recipe::default().access(access).start().await;
        world
            .tenant
            .script(Script::Upgrade(UpgradeFault::EarlyGreeting));
        world.visit("ada", SALES_APP).open().await.is_alive().await;
    }
}

#[tokio::test]
async fn a_client_need_not_wait_for_a_greeting() {
    let world = World::start().await;
    world
        .tenant
        .script(Script::Upgrade(UpgradeFault::NoGreeting));
    world
        .visit("ada", SALES_APP)
        .upgraded()
        .await
        .browser
        .is_alive()
        .await;
}

#[tokio::test]
async fn a_huge_answer_waits_for_a_slow_reader() {
    const SIZE: usize = 64 << 20;
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let huge = LiveFault::Huge {
        bytes: SIZE,
        fragment: None,
    };
    world.tenant.script(Script::Call(huge));
    let id = ada.ask(-1, "EngineVersion", json!([])).await;

    let taken = stands_still(&world).await;
    assert!(
        (1..24_000_000).contains(&taken),
        "{taken} bytes were taken for a reader that reads nothing"
    );
    let answer = ada.receive().await;
    assert_eq!(answer["id"], id);
    let filling = answer["result"]["qFilling"].as_str().unwrap();
    assert!(filling.len() > SIZE - 100);
    ada.is_alive().await;
    assert!(world.metric(DOWN).await > 64_000_000);
}

/// Waits until no more bytes go down, and says how many went. The proxy that moves them and the
/// door that counts them share a runtime: the busier the machine, the longer the looks take.
pub(crate) async fn stands_still(world: &World) -> u64 {
    const LOOKS: u32 = 25;
    let (mut last, mut same) = (world.metric(DOWN).await, 0);
    soon(async {
        while same < LOOKS || last == 0 {
            sleep(Duration::from_millis(20)).await;
            let now = world.metric(DOWN).await;
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    })
    .await
}

#[tokio::test]
async fn whatever_the_engine_sends_arrives_as_the_same_bytes() {
    let faults = [
        LiveFault::Fragmented,
        LiveFault::Huge {
            bytes: 300_000,
            fragment: Some(1000),
        },
        LiveFault::Huge {
            bytes: 126,
            fragment: Some(1),
        },
        LiveFault::Huge {
            bytes: 70_000,
            fragment: None,
        },
        LiveFault::Binary,
        LiveFault::Ping,
        LiveFault::Say {
            text: "grüße, \u{1f600}".to_owned(),
        },
        LiveFault::Say {
            text: String::new(),
        },
    ];
    for fault in faults {
        let world = World::start().await;
        world.tenant.script(Script::Call(fault.clone()));
        let direct = frames_of_a_call(&world, Way::Direct).await;
        world.tenant.script(Script::Call(fault.clone()));
        let through = frames_of_a_call(&world, Way::Through).await;
        assert!(direct == through, "{fault:?}");
        assert!(direct.len() > 1, "{fault:?}");
    }
}

#[derive(Clone, Copy)]
enum Way {
    Direct,
    Through,
}

/// All frames between the greeting and the answer to the second of two calls.
async fn frames_of_a_call(world: &World, way: Way) -> Vec<(u8, Vec<u8>)> {
    let knock = world.visit("ada", SALES_APP);
    let (mut io, request) = match way {
        Way::Through => (world.dial().await, knock.bytes()),
        Way::Direct => {
            let tcp = TcpStream::connect(world.tenant.address()).await.unwrap();
            let target = format!("GET /app/{SALES_APP}/identity/direct HTTP/1.1");
            let knock = knock.without("cookie").without("origin").line(&target);
            // Watched by nobody: here a client may see everything.
            let knock = knock.bearer(&world.secrets.api_key);
            (crate::support::Eyes::default().watch(tcp), knock.bytes())
        }
    };
    io.write_all(&request).await.unwrap();
    let mut read = Vec::new();
    assert_eq!(
        soon(Answer::head(&mut io, &mut read)).await.unwrap().status,
        101
    );
    let mut io = tokio::io::AsyncReadExt::chain(std::io::Cursor::new(read), io);
    soon(frames::read(&mut io)).await.unwrap();
    for id in [7, 8] {
        let call = json!({"jsonrpc": "2.0", "id": id, "handle": -1, "method": "EngineVersion", "params": []});
        let frame = masked(TEXT, call.to_string().as_bytes());
        io.get_mut().1.write_all(&frame).await.unwrap();
    }
    let mut all = Vec::new();
    loop {
        let frame = soon(frames::read(&mut io)).await.unwrap();
        let text: Value = serde_json::from_slice(&frame.1).unwrap_or_default();
        all.push(frame);
        if text["id"] == 8 {
            return all;
        }
    }
}

#[tokio::test]
async fn what_a_client_sends_in_pieces_arrives_whole_and_once() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let world = Recipe::default().access(access).start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        let call = json!({"jsonrpc": "2.0", "id": 9, "handle": -1, "method": "EngineVersion", "params": {"x": "y".repeat(200)}});
        let text = call.to_string();
        let (first, rest) = text.as_bytes().split_at(20);
        let (second, third) = rest.split_at(150);
        for frame in [
            masked(0x01, first),
            masked(0x89, b"are you there"),
            masked(0x00, second),
            masked(0x8a, b"unasked"),
            masked(0x80, third),
        ] {
            write_byte_by_byte(ada.raw(), &frame).await;
        }
        assert_eq!(ada.receive().await["id"], 9, "{access}");
        let state = world.tenant.state();
        assert_eq!((state.pings_seen, state.pongs_seen), (1, 1), "{access}");
        assert_eq!(world.upgrades().remove(0).messages, [text], "{access}");
    }
}

async fn write_byte_by_byte(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    for byte in bytes {
        io.write_all(&[*byte]).await.unwrap();
    }
}

#[tokio::test]
async fn a_clients_ping_is_answered_by_whoever_may_be_pinged() {
    for (engine, seen) in [("", 1), ("ping = \"never\"", 0)] {
        let world = Recipe::default().engine(engine).start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        ada.put(Message::Ping("hello".into())).await;
        let pong = ada.next().await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("hello".into()));
        assert_eq!(world.tenant.state().pings_seen, seen);
    }
}

#[tokio::test]
async fn both_ends_are_pinged_and_neither_sees_the_others_pongs() {
    let world = Recipe::default()
        .engine("ping = \"50ms\"")
        .limits("client_ping = \"50ms\"")
        .start()
        .await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    for _ in 0..3 {
        assert!(matches!(ada.next().await, Some(Ok(Message::Ping(_)))));
    }
    let state = soon(world.tenant.until(|state| state.pings_seen >= 3)).await;
    assert_eq!(state.pongs_seen, 0, "the browser's pongs are for the proxy");
    ada.is_alive().await;
}

#[tokio::test]
async fn a_browser_that_answers_no_ping_is_gone() {
    let world = Recipe::default()
        .limits("client_ping = \"100ms\"\nwrite_stall = \"300ms\"")
        .start()
        .await;
    let ada = world.visit("ada", SALES_APP).open().await;
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!(state.close_codes, [1001]);
    drop(ada);
}

#[tokio::test]
async fn a_hundred_calls_at_once_are_answered_each() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    for _ in 0..100 {
        ada.ask(-1, "EngineVersion", json!([])).await;
    }
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(ada.receive().await["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_with_1009() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let recipe = Recipe::default().access(access);
        let world = recipe.limits("client_message = \"1 KiB\"").start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        ada.send("x".repeat(2000)).await;
        let (code, reason) = ada.closed().await;
        assert_eq!(
            (code, reason.as_str()),
            (1009, "Message too big"),
            "{access}"
        );
        let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert!(
            world.upgrades().remove(0).messages.is_empty(),
            "{access}: {state:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_so() {
    for (name, bytes) in [
        ("unmasked", b"\x81\x02hi".to_vec()),
        ("a reserved opcode", masked(0x83, b"")),
        ("a reserved bit", masked(0xc1, b"hi")),
        ("a continuation of nothing", masked(0x80, b"hi")),
        ("a ping in pieces", masked(0x09, b"")),
    ] {
        let world = World::start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        ada.raw().write_all(&bytes).await.unwrap();
        assert_eq!(ada.closed().await.0, 1002, "{name}");
        let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert!(state.violations.is_empty(), "{name}: {state:?}");
    }
}
