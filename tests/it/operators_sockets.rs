//! The operators' list of open sockets, and the means to close them.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Recipe, World, now};

async fn world() -> World {
    Recipe::default()
        .admin("token = { env = \"QIX_ADMIN_TOKEN\" }")
        .start()
        .await
}

/// A socket under a session that has an id.
async fn visit(world: &World, subject: &str) -> Browser {
    visit_app(world, subject, SALES_APP).await
}

async fn visit_app(world: &World, subject: &str, app: &str) -> Browser {
    let sid = format!("session-of-{subject}");
    let token = world.sign(json!({ "sub": subject, "sid": sid, "exp": now() + 60 }));
    world
        .connect(&format!("/qlik/app/{app}"))
        .cookie(&token)
        .open()
        .await
}

async fn ask(world: &World, method: &str, target: &str) -> Answer {
    let bearer = format!("Bearer {}", world.secrets.admin);
    let knock = world.http(method, target).at(world.proxy.admin);
    knock
        .set("host", "localhost")
        .with("authorization", &bearer)
        .refused()
        .await
}

#[tokio::test]
async fn every_socket_is_listed_with_what_moved_on_it() {
    let world = world().await;
    let mut ada = visit(&world, "ada").await;
    ada.open_doc(SALES_APP).await;
    let _grace = visit(&world, "grace").await;
    let list = ask(&world, "GET", "/sockets").await.json();
    let sockets = list["sockets"].as_array().unwrap();
    assert_eq!(sockets.len(), 2);
    assert_eq!(sockets[0]["subject"], "ada");
    assert_eq!(sockets[0]["app"], SALES_APP);
    assert_eq!(sockets[0]["up"]["messages"], 1);
    assert!(sockets[0]["down"]["bytes"].as_u64().unwrap() > 50);
    assert!(sockets[0]["session"].is_string(), "hashed");
    assert_eq!(sockets[1]["subject"], "grace");
}

#[tokio::test]
async fn sockets_are_closed_by_subject_session_app_or_id_and_no_others() {
    let world = world().await;
    for by in ["subject", "session", "id"] {
        let mut ada = visit(&world, "ada").await;
        let mut grace = visit(&world, "grace").await;
        let list = ask(&world, "GET", "/sockets").await.json();
        let of_ada = &list["sockets"].as_array().unwrap()[0];
        let value = match &of_ada[by] {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let closed = ask(&world, "DELETE", &format!("/sockets?{by}={value}")).await;
        assert_eq!(closed.json()["closed"], 1, "{by}");
        assert_eq!(ada.closed().await.0, 4006, "{by}");
        grace.is_alive().await;
        grace.close(1000).await;
    }
    let mut ada = visit(&world, "ada").await;
    let closed = ask(
        &world,
        "DELETE",
        &format!("/sockets?app={SALES_APP}&subject=eve"),
    )
    .await;
    assert_eq!(closed.json()["closed"], 0, "all that is said must be so");
    let mut finance = visit_app(&world, "ada", FINANCE_APP).await;
    let closed = ask(&world, "DELETE", &format!("/sockets?app={SALES_APP}")).await;
    assert_eq!(closed.json()["closed"], 1);
    assert_eq!(ada.closed().await.0, 4006);
    finance.is_alive().await;
}

#[tokio::test]
async fn nobody_gets_in_without_the_token_or_under_a_foreign_name() {
    let world = world().await;
    let knock = |host: &str| {
        world
            .http("GET", "/sockets")
            .at(world.proxy.admin)
            .set("host", host)
    };
    let good = format!("Bearer {}", world.secrets.admin);
    for bad in [
        "",
        "Bearer ",
        "Bearer wrong",
        &good[..good.len() - 1],
        &good[7..],
    ] {
        let refused = knock("localhost")
            .with("authorization", bad)
            .refused()
            .await;
        assert_eq!(refused.status, 401, "{bad}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:9090", 200),
        ("[::1]:9090", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ] {
        let answer = knock(host).with("authorization", &good).refused().await;
        assert_eq!(answer.status, status, "{host:?}");
    }
    for (target, status) in [("/sockets", 400), ("/sockets?all=yes", 400)] {
        assert_eq!(
            ask(&world, "DELETE", target).await.status,
            status,
            "{target}"
        );
    }
    assert_eq!(ask(&world, "POST", "/sockets").await.status, 405);
}

#[tokio::test]
async fn without_a_token_in_the_config_there_is_no_list() {
    let world = World::start().await;
    assert_eq!(ask(&world, "GET", "/sockets").await.status, 404);
}
