//! `{path}/session`: who am I, and until when.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::{Answer, Knock, ORIGIN, Recipe, World, now};

const DOOR: &str = "/qlik/session";
const COOKIE: &str = r#"
[[route.session]]
kind = "jwt"
cookie = "session"
secret = { env = "SESSION_SECRET" }
"#;
const PROGRAMS: &str = "clients_without_origin = \"bearer\"";

fn page<'a>(world: &'a World, method: &str) -> Knock<'a> {
    world.http(method, DOOR).origin(ORIGIN)
}

fn assert_for(origin: &str, answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(answer.header("vary"), Some("origin"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_page_learns_who_it_is_and_until_when() {
    let world = World::start().await;
    let end = now() + 600;
    let token = world.sign(json!({"sub": "ada", "sid": "s1", "apps": ["x"], "exp": end}));
    let by_cookie = page(&world, "GET").cookie(&token).refused().await;
    let by_bearer = page(&world, "GET").bearer(&token).refused().await;
    for answer in [by_cookie, by_bearer] {
        assert_eq!(answer.status, 200);
        let told = answer.json();
        let ends = told["expires_at"].as_u64().unwrap();
        assert!((end - 1..=end).contains(&ends), "{ends} {end}");
        assert_eq!(
            told,
            json!({"session": true, "subject": "ada", "expires_at": ends})
        );
        assert_for(ORIGIN, &answer);
    }
}

#[tokio::test]
async fn whoever_has_no_session_is_told_so() {
    let world = World::start().await;
    let old = world.sign(json!({"sub": "ada", "exp": now() - 5}));
    for knock in [
        page(&world, "GET"),
        page(&world, "GET").cookie("nonsense"),
        page(&world, "GET").cookie(&old),
        page(&world, "GET").bearer(&old),
    ] {
        let answer = knock.refused().await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["error"], "not_signed_in");
        assert_for(ORIGIN, &answer);
    }
}

#[tokio::test]
async fn a_foreign_page_learns_nothing() {
    let world = World::start().await;
    let token = world.token("ada");
    for origin in ["https://evil.example", "null", "https://app.example.com."] {
        let answer = page(&world, "GET")
            .origin(origin)
            .with("sec-fetch-site", "same-origin")
            .cookie(&token)
            .bearer(&token)
            .refused()
            .await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    for site in ["cross-site", "same-site", "none", "Same-Origin"] {
        let knock = world.http("GET", DOOR).with("sec-fetch-site", site);
        assert_eq!(knock.cookie(&token).refused().await.status, 403, "{site}");
    }
    let twice = page(&world, "GET").with("origin", ORIGIN).cookie(&token);
    assert_eq!(twice.refused().await.status, 403);
}

#[tokio::test]
async fn a_page_of_the_proxys_own_origin_sends_none_and_is_answered() {
    let world = World::start().await;
    let knock = world
        .http("GET", DOOR)
        .with("sec-fetch-site", "same-origin");
    let answer = knock.cookie(&world.token("ada")).refused().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_program_is_known_by_bearer_alone() {
    let world = Recipe::default().route(PROGRAMS).start().await;
    let token = world.token("ada");
    let ask = || world.http("GET", DOOR);
    assert_eq!(ask().bearer(&token).refused().await.status, 200);
    assert_eq!(ask().cookie(&token).refused().await.status, 401);
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_routes_pages() {
    let world = World::start().await;
    let asks = |origin: &str| page(&world, "OPTIONS").origin(origin);
    let answer = asks(ORIGIN).refused().await;
    assert_eq!(answer.status, 204);
    assert_for(ORIGIN, &answer);
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST"), "{methods}");
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization"), "{headers}");
    let foreign = asks("https://evil.example").refused().await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
}

/// A session of `sid` that ends in so many seconds.
fn lasting(world: &World, sid: &str, seconds: u64) -> String {
    let claims = json!({"sub": "ada", "sid": sid, "exp": now() + seconds});
    world.sign(claims)
}

#[tokio::test]
async fn a_token_issued_anew_lets_its_sockets_go_on() {
    let world = World::start().await;
    let open = async |sid: &str| {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&lasting(&world, sid, 3)).open().await
    };
    let (mut one, mut two, mut other) = (open("s1").await, open("s1").await, open("s2").await);
    let renewed = page(&world, "POST").cookie(&lasting(&world, "s1", 7));
    let answer = renewed.refused().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["renewed"], 2);
    assert_for(ORIGIN, &answer);
    assert_eq!(other.closed().await.0, 4006);
    one.is_alive().await;
    let older = page(&world, "POST").bearer(&lasting(&world, "s1", 2));
    assert_eq!(older.refused().await.json()["renewed"], 0);
    two.is_alive().await;
    assert_eq!(one.closed().await.0, 4006);
    assert_eq!(two.closed().await.0, 4006);
}

#[tokio::test]
async fn a_socket_that_came_by_ticket_goes_on_too() {
    let tickets = "[[route.session]]\nkind = \"ticket\"\n";
    let session = format!("{tickets}{COOKIE}");
    let world = Recipe::default().session(&session).start().await;
    let token = lasting(&world, "s1", 60);
    let asks = world.http("POST", "/qlik/ticket").origin(ORIGIN);
    let answer = asks.bearer(&token).refused().await.json();
    let ticket = world.keep_from_log(answer["ticket"].as_str().unwrap().to_owned());
    let target = format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}");
    let mut socket = world.connect(&target).open().await;
    let renewed = page(&world, "POST").bearer(&lasting(&world, "s1", 600));
    assert_eq!(renewed.refused().await.json()["renewed"], 1);
    socket.is_alive().await;
}

#[tokio::test]
async fn whoever_is_not_known_renews_nothing() {
    let world = World::start().await;
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut socket = knock.cookie(&lasting(&world, "s1", 2)).open().await;
    let better = lasting(&world, "s1", 600);
    let table = [
        (page(&world, "POST"), 401),
        (page(&world, "POST").bearer("nonsense"), 401),
        (page(&world, "POST").cookie(&lasting(&world, "s1", 0)), 401),
        (page(&world, "POST").origin("null").cookie(&better), 403),
        (page(&world, "POST").without("origin").cookie(&better), 403),
        (
            page(&world, "POST")
                .without("origin")
                .with("sec-fetch-site", "same-origin")
                .cookie(&better),
            403,
        ),
        (page(&world, "PUT").cookie(&better), 405),
    ];
    for (knock, status) in table {
        let answer = knock.refused().await;
        assert_eq!(answer.status, status);
        let methods = (status == 405).then_some("GET, POST, OPTIONS");
        assert_eq!(answer.header("allow"), methods);
    }
    assert_eq!(socket.closed().await.0, 4006);
}
