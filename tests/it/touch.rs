//! People at work are not cut: messages to the engine prolong the app's session, and nothing else
//! does.

use engine_sim::engine::SALES_APP;
use serde_json::json;
use tokio::time::{Duration, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Browser, Portal, RealRedis, Recipe, Reply, World, soon, until};

const TTL: [&str; 2] = ["PTTL", "app:0f5e7c2a91b34d68"];

const TOUCH: &str = "touch = \"30min\"";
const ANY: &str = "apps = \"any\"";
const PINGS: &str = "client_ping = \"200ms\"";

async fn of_store(store: &RealRedis, touch: &str, access: &str, limits: &str) -> World {
    let url = store.url();
    let session = format!(
        "[[route.session]]\nkind = \"redis\"\nurl = \"{url}\"\nformat = \"plain\"\ncookie = \
         \"session\"\nprefix = \"app:\"\nrecheck = \"50ms\"\n{touch}\n"
    );
    let recipe = Recipe::default().session(&session).access(access);
    recipe.limits(limits).start().await
}

async fn open(world: &World) -> Browser {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.cookie("0f5e7c2a91b34d68").open().await
}

/// All that a socket carries besides messages: pings and pongs both ways.
async fn keep_alive(browser: &mut Browser, store: &RealRedis) {
    browser.put(Message::Ping("are you there?".into())).await;
    // The proxy pings too, and reading answers it.
    while !matches!(browser.next().await, Some(Ok(Message::Ping(_)))) {}
    reading(browser, store.until_used("pttl", 3)).await;
}

/// Reads, which answers pings, until something else is done.
async fn reading(browser: &mut Browser, done: impl Future<Output = ()>) {
    let read = async { while browser.next().await.is_some() {} };
    tokio::select! {
        () = read => panic!("it ended"),
        () = done => {}
    }
}

async fn until_moved_on(store: &RealRedis) {
    soon(async {
        while store.run::<i64>(&TTL).await < 1_790_000 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn messages_to_the_engine_move_the_end_on_in_the_apps_store() {
    moves_the_end_on(ANY).await;
}

#[tokio::test]
async fn messages_that_nobody_reads_move_it_on_too() {
    moves_the_end_on("apps = \"any\"\nmethods = \"any\"").await;
}

async fn moves_the_end_on(access: &str) {
    let store = RealRedis::start().await;
    let () = store
        .run(&["SET", "app:0f5e7c2a91b34d68", "", "EX", "60"])
        .await;
    let world = of_store(&store, TOUCH, access, PINGS).await;
    let mut ada = open(&world).await;
    keep_alive(&mut ada, &store).await;
    let idle: i64 = store.run(&TTL).await;
    assert!(idle <= 60_000, "{idle}");

    ada.is_alive().await;
    reading(&mut ada, until_moved_on(&store)).await;
    let door = world.http("GET", "/qlik/session");
    let told = door
        .with("sec-fetch-site", "same-origin")
        .cookie("0f5e7c2a91b34d68");
    assert_eq!(told.refused().await.status, 200);
    ada.is_alive().await;
}

#[tokio::test]
async fn without_the_setting_and_by_refused_calls_no_end_moves() {
    let store = RealRedis::start().await;
    let () = store
        .run(&["SET", "app:0f5e7c2a91b34d68", "", "EX", "60"])
        .await;
    let world = of_store(&store, "", ANY, "").await;
    let mut ada = open(&world).await;
    ada.is_alive().await;
    store.until_used("pttl", 3).await;
    let world = of_store(&store, TOUCH, ANY, "").await;
    let mut ada = open(&world).await;
    let refused = ada.call(-1, "DeleteApp", json!(["x"])).await;
    assert!(refused["error"].is_object(), "{refused}");
    store.until_used("pttl", 3).await;
    assert_eq!(store.used("pexpire").await, 0);
    let left: i64 = store.run(&TTL).await;
    assert!(left <= 60_000, "{left}");
}

#[tokio::test]
async fn an_app_that_has_a_page_for_it_is_told() {
    let portal = Portal::start().await;
    portal.log_in("0f5e7c2a91b34d68", Reply::json(&json!({"id": "ada"})));
    let (url, touch) = (portal.url("/me"), portal.url("/touch"));
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{url}\"\ntouch = \"{touch}\"\ncookies = \
         [\"session\"]\nsubject = \"id\"\nrecheck = \"50ms\"\n"
    );
    let world = Recipe::default().session(&session).start().await;
    let mut ada = open(&world).await;
    let asked = portal.asked_at("/me");
    until(|| portal.asked_at("/me") >= asked + 3).await;
    assert_eq!(portal.asked_at("/touch"), 0);
    ada.is_alive().await;
    until(|| portal.asked_at("/touch") == 1).await;
    let asked = portal.asked_at("/me");
    until(|| portal.asked_at("/me") >= asked + 3).await;
    assert_eq!(portal.asked_at("/touch"), 1);
}
