//! `{path}/ticket`, and websockets that come by one.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Issuer, Knock, ORIGIN, Recipe, World, now, until};

const DOOR: &str = "/qlik/ticket";
const OTHER: &str = "https://other.example.com:8443";

/// A ticket first, then the app's own token, whichever way it comes.
const SESSIONS: &str = r#"
[[route.session]]
kind = "ticket"
[[route.session]]
kind = "jwt"
cookie = "session"
secret = { env = "SESSION_SECRET" }
"#;

async fn world() -> World {
    Recipe::default().session(SESSIONS).start().await
}

fn ask<'a>(world: &'a World, body: &str) -> Knock<'a> {
    let length = body.len().to_string();
    let knock = world.http("POST", DOOR).origin(ORIGIN);
    knock.with("content-length", &length).tail(body.as_bytes())
}

/// The ticket of an answer; no log may have it.
fn ticket_of(world: &World, answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let given = answer.json();
    assert_eq!(given["expires_in"], 30);
    assert_eq!(given.as_object().unwrap().len(), 2);
    world.keep_from_log(given["ticket"].as_str().unwrap().to_owned())
}

async fn ticket(world: &World) -> String {
    let answer = ask(world, "").bearer(&world.token("ada")).refused().await;
    ticket_of(world, &answer)
}

fn by_url<'a>(world: &'a World, ticket: &str) -> Knock<'a> {
    world.connect(&format!("/qlik/app/{SALES_APP}?x=1&qix-ticket={ticket}"))
}

fn by_protocol<'a>(world: &'a World, ticket: &str) -> Knock<'a> {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.with("sec-websocket-protocol", &format!("qix-ticket.{ticket}"))
}

async fn greeted(mut browser: Browser) -> Browser {
    assert_eq!(browser.receive().await["method"], "OnConnected");
    browser.is_alive().await;
    browser
}

#[tokio::test]
async fn a_page_that_holds_a_bearer_or_a_cookie_opens_by_ticket() {
    let world = world().await;
    let token = world.token("ada");
    for knock in [
        ask(&world, "").bearer(&token),
        ask(&world, "{}").cookie(&token),
    ] {
        let answer = knock.refused().await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some(ORIGIN));
        let ticket = ticket_of(&world, &answer);
        let hello = by_url(&world, &ticket).upgraded().await;
        assert_eq!(hello.head.header("sec-websocket-protocol"), None);
        greeted(hello.browser).await;
        let again = by_url(&world, &ticket).closed().await;
        assert_eq!(again.0, 4006, "used twice");
    }
}

#[tokio::test]
async fn a_subprotocol_is_echoed_and_it_alone() {
    let world = world().await;
    let ticket = ticket(&world).await;
    let item = format!("qix-ticket.{ticket}");
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let knock = knock.with("sec-websocket-protocol", &format!("chat, {item}"));
    let hello = knock.upgraded().await;
    let echoed = hello.head.header("sec-websocket-protocol");
    assert_eq!(echoed, Some(item.as_str()));
    greeted(hello.browser).await;
    // A browser must get as far as the code.
    let again = by_protocol(&world, &ticket).upgraded().await;
    let echoed = again.head.header("sec-websocket-protocol");
    assert_eq!(echoed, Some(item.as_str()));
    let mut browser = again.browser;
    assert_eq!(browser.closed().await.0, 4006);
    let plain = world
        .visit("ada", SALES_APP)
        .with("sec-websocket-protocol", "chat");
    let hello = plain.upgraded().await;
    assert_eq!(hello.head.header("sec-websocket-protocol"), None);
}

#[tokio::test]
async fn nothing_of_a_ticket_goes_to_the_engine() {
    let world = world().await;
    let (one, two) = (ticket(&world).await, ticket(&world).await);
    greeted(by_url(&world, &one).upgraded().await.browser).await;
    greeted(by_protocol(&world, &two).upgraded().await.browser).await;
    let seen = world.tenant.requests();
    assert!(seen.len() >= 2);
    for seen in seen {
        let text = format!("{seen:?}");
        assert!(!text.contains(&one) && !text.contains(&two), "{text}");
        assert!(!text.contains("qix-ticket"), "{text}");
    }
}

#[tokio::test]
async fn of_two_sockets_with_one_ticket_one_opens() {
    let world = world().await;
    for _ in 0..10 {
        let ticket = ticket(&world).await;
        let go = async || {
            let mut browser = by_url(&world, &ticket).upgraded().await.browser;
            let first = browser.next().await;
            matches!(first, Some(Ok(message)) if message.is_text())
        };
        let (one, two) = tokio::join!(go(), go());
        assert!(one ^ two, "{one} {two}");
    }
}

#[tokio::test]
async fn a_ticket_is_for_its_origin_its_route_and_its_app() {
    let world = world().await;
    let elsewhere = by_url(&world, &ticket(&world).await).origin(OTHER);
    assert_eq!(elsewhere.closed().await.0, 4006);
    let foreign = by_url(&world, &ticket(&world).await).origin("https://evil.example");
    assert_eq!(foreign.refused().await.status, 403);
    let body = json!({ "app": FINANCE_APP }).to_string();
    let answer = ask(&world, &body)
        .bearer(&world.token("ada"))
        .refused()
        .await;
    let other_app = by_url(&world, &ticket_of(&world, &answer));
    assert_eq!(other_app.closed().await.0, 4203);
}

#[tokio::test]
async fn a_foreign_origin_does_not_even_spend_a_ticket() {
    let world = world().await;
    let ticket = ticket(&world).await;
    let foreign = by_url(&world, &ticket).origin("https://evil.example");
    assert_eq!(foreign.refused().await.status, 403);
    let nowhere = by_url(&world, &ticket).without("origin");
    assert_eq!(nowhere.refused().await.status, 403);
    greeted(by_url(&world, &ticket).upgraded().await.browser).await;
}

#[tokio::test]
async fn a_ticket_for_one_app_opens_no_other_by_any_call() {
    let recipe = Recipe::default().session(SESSIONS);
    let world = recipe
        .access("apps = \"any\"\nmethods = \"any\"")
        .start()
        .await;
    let body = json!({ "app": SALES_APP }).to_string();
    let answer = ask(&world, &body)
        .bearer(&world.token("ada"))
        .refused()
        .await;
    let socket = by_url(&world, &ticket_of(&world, &answer)).upgraded().await;
    let mut ada = greeted(socket.browser).await;
    let refused = ada.call(-1, "OpenDoc", json!([FINANCE_APP])).await;
    assert_eq!(refused["error"]["code"], 5, "{refused}");
    ada.open_doc(SALES_APP).await;
}

#[tokio::test]
async fn whoever_is_not_known_gets_no_ticket() {
    let world = world().await;
    let old = world.sign(json!({"sub": "ada", "exp": now() - 5}));
    let token = world.token("ada");
    let unapproved = ask(&world, "").origin("https://evil.example");
    let table: Vec<(Knock<'_>, u16)> = vec![
        (ask(&world, ""), 401),
        (ask(&world, "").bearer("nonsense"), 401),
        (ask(&world, "").bearer(&old), 401),
        (ask(&world, "").cookie(&old), 401),
        (unapproved.clone().bearer(&token), 403),
        (unapproved.cookie(&token), 403),
        (ask(&world, "").origin("null").bearer(&token), 403),
        (ask(&world, "").without("origin").bearer(&token), 403),
        (ask(&world, "").without("origin").cookie(&token), 403),
        (ask(&world, "[]").bearer(&token), 400),
        (ask(&world, r#"{"app":""}"#).bearer(&token), 400),
        (ask(&world, r#"{"app":"SessionApp_1"}"#).bearer(&token), 400),
        (ask(&world, r#"{"apps":["x"]}"#).bearer(&token), 400),
        (ask(&world, &"x".repeat(2000)).bearer(&token), 400),
        (world.http("GET", DOOR).origin(ORIGIN).bearer(&token), 405),
    ];
    for (knock, status) in table {
        let shown = format!("{knock:?}");
        let answer = knock.refused().await;
        assert_eq!(answer.status, status, "{shown}");
        let methods = (status == 405).then_some("POST, OPTIONS");
        assert_eq!(answer.header("allow"), methods, "{shown}");
    }
    assert!(world.upgrades().is_empty());
}

#[tokio::test]
async fn an_app_that_is_not_permitted_gets_no_ticket() {
    let recipe = Recipe::default().session(SESSIONS);
    let world = recipe
        .access(&format!("apps = [\"{SALES_APP}\"]"))
        .start()
        .await;
    let body = json!({ "app": FINANCE_APP }).to_string();
    let answer = ask(&world, &body)
        .bearer(&world.token("ada"))
        .refused()
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["error"], "not_permitted");
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_routes_pages() {
    let world = world().await;
    let answer = world.http("OPTIONS", DOOR).origin(ORIGIN).refused().await;
    assert_eq!(answer.status, 204);
    let methods = answer.header("access-control-allow-methods");
    assert_eq!(methods, Some("POST, OPTIONS"));
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization") && headers.contains("content-type"));
    let foreign = world.http("OPTIONS", DOOR).origin("https://evil.example");
    let foreign = foreign.refused().await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_route_without_tickets_has_no_door_for_them() {
    let world = World::start().await;
    let answer = ask(&world, "").cookie(&world.token("ada")).refused().await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn the_session_behind_a_ticket_ends_the_socket() {
    let world = world().await;
    let claims: Value = json!({"sub": "ada", "exp": now() + 2});
    let answer = ask(&world, "").bearer(&world.sign(claims)).refused().await;
    let ticket = ticket_of(&world, &answer);
    let mut ada = greeted(by_url(&world, &ticket).upgraded().await.browser).await;
    assert_eq!(ada.closed().await.0, 4006);
    until(|| world.tenant.state().sockets_open == 0).await;
}

#[tokio::test]
async fn a_logout_ends_what_came_by_ticket_and_every_ticket_not_yet_used() {
    let issuer = Issuer::start().await;
    let session = format!(
        "[[route.session]]\nkind = \"ticket\"\n{}",
        issuer.check("/keys")
    );
    let world = Recipe::default().session(&session).start().await;
    let token = world.keep(issuer.session(&json!({"sub": "ada", "sid": "s-1"})));
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let answer = ask(&world, "").bearer(&token).refused().await;
        tickets.push(ticket_of(&world, &answer));
    }
    let used = by_url(&world, &tickets[0]).upgraded().await;
    let mut ada = greeted(used.browser).await;

    let logout = issuer.logout(&json!({"sub": "ada", "sid": "s-1"}));
    assert_eq!(world.announce("/qlik", &logout).await.status, 200);

    assert_eq!(ada.closed().await.0, 4006);
    let unused = by_url(&world, &tickets[1]);
    assert_eq!(unused.closed().await.0, 4006);
    assert_eq!(ask(&world, "").bearer(&token).refused().await.status, 401);
    for method in ["GET", "POST"] {
        let knock = world.http(method, "/qlik/session").origin(ORIGIN);
        let answer = knock.bearer(&token).refused().await;
        assert_eq!(answer.status, 401, "{method}");
    }
}
