//! How a socket ends, told by the codes on both sides.

use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::frames::masked;
use crate::support::{Answer, End, Portal, Recipe, Reply, World, now, soon, until};

fn close(code: Option<u16>) -> Script {
    let reason = "canary-reason".to_owned();
    Script::Live(LiveFault::Close { code, reason })
}

#[tokio::test]
async fn the_engines_close_reaches_the_client_as_a_code_that_it_understands() {
    for (engine, client, reason) in [
        (Some(1000), 4200, "Engine session ended"),
        (Some(4000), 4200, "Engine session ended"),
        (None, 4200, "Engine session ended"),
        (Some(4204), 4204, "App not found"),
        (Some(4001), 4001, "Idle for too long"),
        (Some(4003), 4003, "Restarting; reconnect"),
        (Some(4005), 4005, "Session limit reached"),
        (Some(4240), 4240, "No engine available"),
        (Some(1001), 1001, "Going away"),
        (Some(1011), 1011, ""),
        (Some(3333), 3333, ""),
    ] {
        let world = World::start().await;
        world.keep("canary-reason".to_owned());
        let mut ada = world.visit("ada", SALES_APP).open().await;
        world.tenant.script(close(engine));
        assert_eq!(
            ada.closed().await,
            (client, reason.to_owned()),
            "{engine:?}"
        );
        let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!(state.close_answers, [engine.unwrap_or(1000)], "{state:?}");
        assert_eq!(state.aborts, 0, "{state:?}");
    }
}

#[tokio::test]
async fn the_clients_close_reaches_the_engine_and_is_answered() {
    for code in [1000, 1001, 4000, 3001] {
        let world = World::start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        let end = ada.close(code).await;
        assert!(
            matches!(end, End::Closed(it, _) if it == code),
            "{code}: {end:?}"
        );
        let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!((state.close_codes, state.aborts), (vec![code], 0));
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_a_close() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    ada.raw().write_all(&masked(0x88, b"")).await.unwrap();
    assert_ne!(ada.end().await, End::Cut);
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!((state.close_codes, state.aborts), (vec![1005], 0));
}

#[tokio::test]
async fn a_client_that_vanishes_is_1001_to_the_engine() {
    let world = World::start().await;
    let ada = world.visit("ada", SALES_APP).open().await;
    drop(ada);
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!((state.close_codes, state.aborts), (vec![1001], 0));
}

#[tokio::test]
async fn a_client_that_vanishes_inside_a_message_sends_none_of_it() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    ada.raw()
        .write_all(&masked(0x01, b"{\"half\":"))
        .await
        .unwrap();
    drop(ada);
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert!(state.violations.is_empty(), "{state:?}");
    assert_eq!((state.close_codes, state.aborts), (vec![1001], 0));
}

#[tokio::test]
async fn an_engine_that_vanishes_is_4206_to_the_client() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    world.tenant.script(Script::Live(LiveFault::Drop));
    let told = ada.closed().await;
    assert_eq!(told, (4206, "Network connection lost".to_owned()));
}

#[tokio::test]
async fn an_engine_that_dies_inside_a_frame_cuts_the_client_off() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    world.tenant.script(Script::Live(LiveFault::DieMidFrame));
    assert_eq!(ada.end().await, End::Cut);
}

#[tokio::test]
async fn an_idle_socket_ends_with_4001() {
    let world = Recipe::default().limits("idle = \"300ms\"").start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    assert_eq!(ada.closed().await.0, 4001);
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!(state.close_codes, [1001]);
}

#[tokio::test]
async fn a_stop_drains_and_the_process_ends() {
    let mut world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let mut bob = world.visit("bob", SALES_APP).open().await;
    let running = world.stop();
    for socket in [&mut ada, &mut bob] {
        let told = socket.closed().await;
        assert_eq!(told, (4003, "Restarting; reconnect".to_owned()));
    }
    soon(running).await.unwrap();
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!((state.close_codes, state.aborts), (vec![1001, 1001], 0));
    assert!(
        tokio::net::TcpStream::connect(world.proxy.public)
            .await
            .is_err()
    );
    assert!(
        tokio::net::TcpStream::connect(world.proxy.admin)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn while_it_drains_it_is_not_ready_and_lets_nobody_in() {
    let recipe = Recipe::default().limits("close_grace = \"2s\"");
    let route = "clients_without_origin = \"bearer\"";
    let mut world = recipe.route(route).start().await;
    // It never answers a Close, so the drain takes the whole of its grace.
    let mut stubborn = world.dial().await;
    let knock = world.visit("ada", SALES_APP).bytes();
    stubborn.write_all(&knock).await.unwrap();
    let mut read = Vec::new();
    assert_eq!(
        soon(Answer::head(&mut stubborn, &mut read))
            .await
            .unwrap()
            .status,
        101
    );
    assert_eq!(world.admin("/readyz").await.status, 200);

    let running = world.stop();
    soon(async {
        while world.admin("/readyz").await.status != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.admin("/livez").await.status, 200);
    assert_eq!(world.visit("bob", SALES_APP).closed().await.0, 4003);
    let program = world
        .visit("bob", SALES_APP)
        .without("cookie")
        .without("origin");
    let refused = program.bearer(&world.token("bob")).refused().await;
    assert_eq!(
        (refused.status, refused.json()["error"].clone()),
        (503, json!("shutting_down"))
    );
    soon(stubborn.read_to_end(&mut read)).await.unwrap();
    soon(running).await.unwrap();
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut() {
    let recipe = Recipe::default().limits("close_grace = \"1min\"");
    let mut world = recipe.listen("drain = \"300ms\"").start().await;
    let mut stubborn = world.dial().await;
    let knock = world.visit("ada", SALES_APP).bytes();
    stubborn.write_all(&knock).await.unwrap();
    let mut read = Vec::new();
    soon(Answer::head(&mut stubborn, &mut read)).await.unwrap();
    let begun = Instant::now();
    soon(world.stop()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_token_that_expires_ends_its_socket() {
    let world = World::start().await;
    let expiry = now() + 3;
    let token = world.sign(json!({"sub": "ada", "exp": expiry}));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut ada = knock.cookie(&token).open().await;
    assert_eq!(ada.closed().await.0, 4006);
    assert!(
        (expiry..=expiry + 1).contains(&now()),
        "{} for {expiry}",
        now()
    );
    let again = world.connect(&format!("/qlik/app/{SALES_APP}"));
    assert_eq!(again.cookie(&token).closed().await.0, 4006);
    let state = soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    assert_eq!(state.close_codes, [1001]);
}

async fn forward_auth(more: &str) -> (World, Portal) {
    let portal = Portal::start().await;
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{}\"\ncookies = [\"app_session\"]\n\
         subject = \"/user/id\"\nsession = \"/session\"\n{more}\n",
        portal.url("/me")
    );
    (Recipe::default().session(&session).start().await, portal)
}

fn ada() -> Value {
    json!({"user": {"id": "ada"}, "session": "s-1"})
}

#[tokio::test]
async fn a_logout_ends_the_socket_within_the_recheck() {
    let (world, portal) = forward_auth("recheck = \"200ms\"").await;
    portal.log_in("secret-of-ada", Reply::json(&ada()));
    portal.log_in(
        "secret-of-bob",
        Reply::json(&json!({"user": {"id": "bob"}})),
    );
    let app = format!("/qlik/app/{SALES_APP}");
    let knock = |cookie| world.connect(&app).with("cookie", cookie);
    let mut ada = knock("app_session=secret-of-ada").open().await;
    let mut bob = knock("app_session=secret-of-bob").open().await;
    world.keep("secret-of-ada".to_owned());

    let asked_about_her = || {
        let asked = portal.asked().into_iter();
        let hers = asked.filter(|it| it.headers["cookie"] == "app_session=secret-of-ada");
        hers.count()
    };
    let asked = asked_about_her();
    portal.log_out("secret-of-ada");
    let told = ada.closed().await;
    assert_eq!(told, (4006, "App session ended or not valid".to_owned()));
    // One may have been under way; the first no is enough.
    assert!(asked_about_her() <= asked + 2);
    bob.is_alive().await;
    assert_eq!(knock("app_session=secret-of-ada").closed().await.0, 4006);
}

#[tokio::test]
async fn an_app_that_fails_is_given_a_grace_and_no_more() {
    let (world, portal) = forward_auth("recheck = \"100ms\"\ngrace = \"3s\"").await;
    portal.log_in("c-1", Reply::json(&ada()));
    let knock = || {
        let target = format!("/qlik/app/{SALES_APP}");
        world.connect(&target).with("cookie", "app_session=c-1")
    };
    let mut ada = knock().open().await;
    portal.say(Some(Reply::page(500)));
    let begun = Instant::now();
    let asked = portal.asked().len();
    until(|| portal.asked().len() >= asked + 3).await;
    ada.is_alive().await;
    // It recovers, and so does the grace.
    portal.say(None);
    let asked = portal.asked().len();
    until(|| portal.asked().len() >= asked + 2).await;
    portal.say(Some(Reply::page(500)));
    assert_eq!(ada.closed().await.0, 4211, "the session may be good still");
    assert!(
        begun.elapsed() > Duration::from_millis(3200),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        knock().closed().await.0,
        4211,
        "what cannot be asked is no yes"
    );
    let log = world.log();
    let told = |level: &str, text: &str| {
        let lines = log.iter().filter(|line| line.level == level);
        lines.filter(|line| line.message.contains(text)).count()
    };
    assert!(told("WARN", "open sockets are closed with 4211") >= 1);
    let mut ended = log.iter().filter(|line| line.message == "socket ended");
    assert!(ended.any(|line| line.field("cause") == "session_check_down"));
    let counted = "qix_proxy_sockets_ended_total{route=\"/qlik\",reason=\"session_check_down\",side=\"proxy\"}";
    assert_eq!(world.metric(counted).await, 1);
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_a_no() {
    let (world, portal) = forward_auth("recheck = \"100ms\"").await;
    portal.log_in("c-1", Reply::json(&ada()));
    let knock = || {
        let target = format!("/qlik/app/{SALES_APP}");
        world.connect(&target).with("cookie", "app_session=c-1")
    };
    let mut ada = knock().open().await;
    portal.say(Some(Reply::page(200)));
    assert_eq!(ada.closed().await.0, 4006);
    assert_eq!(knock().closed().await.0, 4006);
}

#[tokio::test]
async fn the_app_is_asked_with_the_named_cookie_and_nothing_else() {
    let (world, portal) = forward_auth("").await;
    portal.log_in("c-1", Reply::json(&ada()));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let cookies = "theme=dark; app_session=c-1; eas.sid=other";
    let knock = knock
        .with("cookie", cookies)
        .with("x-forwarded-for", "203.0.113.9");
    knock.bearer("browsers").open().await;
    let asked = portal.asked().remove(0);
    assert_eq!(asked.path, "/me");
    let names: Vec<_> = asked.headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["cookie", "accept", "user-agent", "host"]);
    assert_eq!(asked.headers["cookie"], "app_session=c-1");
}
