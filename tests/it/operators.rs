//! What an operator sees: the other door, the numbers, the records.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script, UpgradeFault};
use qix_proxy::proxy::Proxy;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::support::{Line, Recipe, World, no_source, soon, unique, until};

#[tokio::test]
async fn the_other_door_says_whether_it_lives_and_is_ready() {
    let world = World::start().await;
    for (path, status) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/", 404),
    ] {
        let answer = world.admin(path).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let metrics = world.admin("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(metrics.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn an_answer_ends_its_connection_and_a_head_is_small() {
    let world = World::start().await;
    let mut probe = TcpStream::connect(world.proxy.admin).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    probe.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(5), probe.read_to_string(&mut answer))
        .await
        .expect("it is kept open")
        .unwrap();
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    let large = world.http("GET", "/livez").at(world.proxy.admin);
    let large = large.with("x-large", &"x".repeat(20 << 10));
    assert_eq!(large.refused().await.status, 431);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let world = World::start().await;
    let mut slow = TcpStream::connect(world.proxy.admin).await.unwrap();
    slow.write_all(b"GET /livez HT").await.unwrap();
    let begun = Instant::now();
    let read = timeout(Duration::from_secs(15), slow.read(&mut [0; 1])).await;
    assert!(matches!(read, Ok(Ok(0))), "{read:?}");
    assert!(begun.elapsed() > Duration::from_secs(9));
}

#[tokio::test]
async fn strangers_who_say_nothing_keep_no_probe_out() {
    let world = World::start().await;
    let mut strangers = Vec::new();
    for n in 0..200 {
        let mut stranger = TcpStream::connect(world.proxy.admin).await.unwrap();
        if n % 2 == 0 {
            stranger.write_all(b"GET /livez HT").await.unwrap();
        }
        strangers.push(stranger);
    }
    assert_eq!(world.admin("/readyz").await.status, 200);
    for gone in &mut strangers[..136] {
        let mut byte = [0];
        let read = timeout(Duration::from_secs(5), gone.read(&mut byte)).await;
        let read = read.expect("a stranger is kept beyond the bound");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}

#[tokio::test]
async fn every_number_stands_once_and_is_explained() {
    let world = World::start().await;
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    let metrics = world.admin("/metrics").await.body;
    let names = |kind: &str| {
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(kind));
        let mut names: Vec<_> = lines.filter_map(|line| line.split(' ').next()).collect();
        names.sort_unstable();
        names
    };
    let mut once = names("# TYPE ");
    once.dedup();
    assert_eq!(names("# TYPE "), once, "{metrics}");
    assert_eq!(names("# HELP "), once, "{metrics}");
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let mut samples: Vec<_> = samples
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let all = samples.len();
    samples.sort_unstable();
    samples.dedup();
    assert_eq!(samples.len(), all, "{metrics}");
}

/// A number before and after something, by its name.
struct Moved<'a> {
    world: &'a World,
    before: Vec<(&'static str, u64)>,
}

impl<'a> Moved<'a> {
    async fn watch(world: &'a World, names: &[&'static str]) -> Self {
        let mut before = Vec::new();
        for name in names {
            before.push((*name, world.metric(name).await));
        }
        Self { world, before }
    }

    async fn by(&self) -> Vec<u64> {
        let mut moved = Vec::new();
        for (name, before) in &self.before {
            moved.push(self.world.metric(name).await - before);
        }
        moved
    }
}

#[tokio::test]
async fn the_numbers_move() {
    let access = format!("apps = [\"{SALES_APP}\"]");
    let world = Recipe::default()
        .access(&access)
        .impersonating()
        .start()
        .await;
    let numbers = Moved::watch(
        &world,
        &[
            "qix_proxy_sockets_open{route=\"/qlik\"}",
            "qix_proxy_sockets_opened_total{route=\"/qlik\"}",
            "qix_proxy_messages_total{direction=\"up\"}",
            "qix_proxy_messages_total{direction=\"down\"}",
            "qix_proxy_denied_calls_total{reason=\"app\"}",
            "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"fetched\"}",
            "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"cached\"}",
            "qix_proxy_gate_seconds_count",
            "qix_proxy_dial_seconds_count",
            "qix_proxy_refused_total{reason=\"not_signed_in\"}",
            "qix_proxy_refused_total{reason=\"foreign_origin\"}",
        ],
    )
    .await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let _other = world.visit("ada", SALES_APP).open().await;
    ada.is_alive().await;
    ada.call(-1, "OpenDoc", json!(["another"])).await;
    world.connect("/qlik/app/x").closed().await;
    world.connect("/qlik/app/x").origin("null").refused().await;
    let expected = [2, 2, 2, 3, 1, 1, 1, 3, 2, 1, 1];
    assert_eq!(numbers.by().await, expected);
    for way in ["up", "down"] {
        let bytes = format!("qix_proxy_relayed_bytes_total{{direction=\"{way}\"}}");
        assert!(world.metric(&bytes).await > 50, "{way}");
    }
}

#[tokio::test]
async fn an_end_is_counted_by_its_reason_and_side() {
    let live = |fault| Some(Script::Live(fault));
    let close = LiveFault::Close {
        code: Some(4204),
        reason: String::new(),
    };
    for (reason, side, script) in [
        ("closed", "client", None),
        ("closed", "engine", live(close)),
        ("vanished", "engine", live(LiveFault::Drop)),
    ] {
        let world = World::start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        match script {
            Some(script) => {
                world.tenant.script(script);
                ada.end().await;
            }
            None => drop(ada.close(1000).await),
        }
        let name = format!(
            "qix_proxy_sockets_ended_total{{route=\"/qlik\",reason=\"{reason}\",side=\"{side}\"}}"
        );
        reaches(&world, &name, 1).await;
        reaches(&world, "qix_proxy_sockets_open{route=\"/qlik\"}", 0).await;
    }
}

async fn reaches(world: &World, name: &str, value: u64) {
    soon(async {
        while world.metric(name).await != value {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_number_names_a_person_or_what_they_opened() {
    let world = Recipe::default().impersonating().start().await;
    let app = unique("app");
    let mut ada = world.visit("ada-lovelace", &app).open().await;
    ada.call(-1, "NobodyKnowsThis", json!([])).await;
    let refuse = UpgradeFault::Refuse {
        status: 418,
        body: None,
    };
    world.tenant.script(Script::Upgrade(refuse));
    world.visit("ada-lovelace", &app).closed().await;
    let metrics = world.admin("/metrics").await.body;
    let identity = world.identities().remove(0);
    for told in [
        "lovelace",
        &app,
        &identity,
        "NobodyKnows",
        "127.0.0.1",
        "418",
    ] {
        assert!(!metrics.contains(told), "{told} in {metrics}");
    }
}

/// The records of somebody's socket, once there are as many as that.
async fn records(world: &World, subject: &str, message: &str, count: usize) -> Vec<Line> {
    let mine = || {
        let mut lines = world.log();
        lines.retain(|line| line.field("subject") == subject && line.message == message);
        lines
    };
    until(|| mine().len() >= count).await;
    mine()
}

#[tokio::test]
async fn a_socket_has_two_records() {
    let world = World::start().await;
    let who = unique("ada");
    let token = world.sign(json!({"sub": who, "sid": "session-of-ada"}));
    world.keep("session-of-ada".to_owned());
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut ada = knock.cookie(&token).open().await;
    let opened = records(&world, &who, "socket opened", 1).await.remove(0);
    assert_eq!(opened.level, "INFO");
    for (field, value) in [
        ("route", "/qlik"),
        ("app", SALES_APP),
        ("client.address", "127.0.0.1"),
        ("engine.identity", &world.identities()[0]),
    ] {
        assert_eq!(opened.field(field), value, "{field}");
    }
    assert_eq!(opened.field("session.hash").len(), 16);
    assert!(opened.field("setup.ms").parse::<u64>().is_ok());

    ada.is_alive().await;
    ada.call(-1, "GetDocList", json!([])).await;
    world.tenant.script(Script::Live(LiveFault::Close {
        code: Some(1000),
        reason: String::new(),
    }));
    ada.closed().await;
    let ended = records(&world, &who, "socket ended", 1).await.remove(0);
    for (field, value) in [
        ("connection", opened.field("connection")),
        ("session.hash", opened.field("session.hash")),
        ("route", "/qlik"),
        ("app", SALES_APP),
        ("cause", "closed"),
        ("side", "engine"),
        ("client.code", "4200"),
        ("engine.code", "1000"),
        ("up.messages", "2"),
        ("down.messages", "2"),
        ("denied", "1"),
    ] {
        assert_eq!(ended.field(field), value, "{field}: {ended:?}");
    }
    for field in ["open.ms", "up.bytes", "down.bytes"] {
        assert!(
            ended.field(field).parse::<u64>().is_ok(),
            "{field}: {ended:?}"
        );
    }
    assert_eq!(records(&world, &who, "socket opened", 1).await.len(), 1);
    assert_eq!(records(&world, &who, "socket ended", 1).await.len(), 1);
}

#[tokio::test]
async fn a_refused_socket_has_one_line_and_no_record() {
    let world = World::start().await;
    let app = unique("app");
    let who = unique("ada");
    let refuse = UpgradeFault::Refuse {
        status: 404,
        body: None,
    };
    world.tenant.script(Script::Upgrade(refuse));
    world.visit(&who, &app).closed().await;
    let lines = world.log();
    let refusals = lines.iter().filter(|line| line.message == "socket refused");
    assert!(
        refusals
            .filter(|line| line.field("reason") == "no_such_app")
            .count()
            >= 1
    );
    assert!(!lines.iter().any(|line| line.field("subject") == who));
}

#[tokio::test]
async fn an_engine_that_takes_no_credential_is_warned_of_at_the_first_socket() {
    let world = World::start().await;
    for _ in 0..2 {
        let refuse = UpgradeFault::Refuse {
            status: 401,
            body: None,
        };
        world.tenant.script(Script::Upgrade(refuse));
    }
    let who = unique("ada");
    world.visit(&who, &unique("app")).closed().await;
    let lines = world.log();
    let warnings = lines.iter().filter(|line| line.level == "WARN");
    let ours = warnings.filter(|line| line.field("subject") == who);
    let said: Vec<_> = ours.map(|line| line.message.as_str()).collect();
    assert_eq!(
        said,
        ["the engine did not take the credential, and there is no fresh one"]
    );
}

#[tokio::test]
async fn text_from_outside_is_escaped_and_cut_in_the_log() {
    let world = World::start().await;
    let who = format!("{}\"{}", unique("ada"), "x".repeat(150));
    let token = world.sign(json!({"sub": who}));
    let app = format!("/qlik/app/a%22%E2%80%AEb{}", "y".repeat(100));
    world.connect(&app).cookie(&token).open().await;
    let begin = who.split('"').next().unwrap().to_owned();
    let line = || {
        let mut lines = world.log();
        lines.retain(|line| line.field("subject").starts_with(&begin));
        lines.into_iter().next()
    };
    until(|| line().is_some()).await;
    let line = line().unwrap();
    assert!(
        line.field("subject")
            .starts_with(&format!("{begin}\\\"xxx")),
        "{line:?}"
    );
    assert!(line.field("subject").len() <= 130 && !line.field("app").contains('\u{202e}'));
}

#[test]
fn a_relay_that_is_dropped_with_its_runtime_has_its_last_record() {
    let outside = Runtime::new().unwrap();
    let world = outside.block_on(World::start());
    let who = unique("ada");
    let inside = Runtime::new().unwrap();
    let config = Recipe::default().config_for(&world);
    let proxy = inside.block_on(Proxy::bind(config, no_source())).unwrap();
    let address = proxy.addresses().public.unwrap();
    inside.spawn(proxy.run(std::future::pending()));
    let mut ada = outside.block_on(async {
        let knock = world.visit(&who, SALES_APP).at(address);
        knock.open().await
    });
    inside.shutdown_timeout(Duration::from_secs(5));
    let ended = outside
        .block_on(records(&world, &who, "socket ended", 1))
        .remove(0);
    assert_eq!(
        (ended.field("cause"), ended.field("side")),
        ("stopped", "proxy")
    );
    outside.block_on(async {
        ada.end().await;
        soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!(records(&world, &who, "socket ended", 1).await.len(), 1);
    });
    let guard = outside.enter();
    drop(world);
    drop(guard);
}
