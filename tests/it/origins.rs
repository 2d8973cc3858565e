//! Who may open a websocket at all: the `Origin` decides before anything else is looked at.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::{ORIGIN, Portal, Recipe, Reply, World};

const FOREIGN: [&str; 18] = [
    "https://evil.example",
    "null",
    "",
    "*",
    "https://APP.example.com",
    "HTTPS://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/page",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://other.example.com",
    "http://app.example.com",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://user@app.example.com",
    "app.example.com",
    "https://app.example.com https://evil.example",
    "https://app.example.com, https://app.example.com",
];

/// A world whose app would say yes to the cookie, if it were asked.
async fn with_portal() -> (World, Portal) {
    let portal = Portal::start().await;
    portal.log_in("ada-1", Reply::json(&json!({"user": "ada"})));
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{}\"\ncookies = [\"session\"]\n\
         subject = \"user\"\n",
        portal.url("/me")
    );
    (Recipe::default().session(&session).start().await, portal)
}

#[tokio::test]
async fn a_foreign_origin_is_a_plain_403_and_nobody_is_asked() {
    let (world, portal) = with_portal().await;
    let sales = format!("/qlik/app/{SALES_APP}");
    let knock = || world.connect(&sales).cookie("ada-1");
    for origin in FOREIGN {
        let answer = knock().origin(origin).refused().await;
        assert_eq!(answer.status, 403, "{origin:?}");
        assert_eq!(answer.json()["error"], "foreign_origin");
    }
    let twice = knock().with("origin", ORIGIN).refused().await;
    assert_eq!(twice.status, 403, "the right one, twice");
    let two = knock()
        .with("origin", "https://evil.example")
        .refused()
        .await;
    assert_eq!(two.status, 403, "the right one and another");
    let missing = knock().without("origin").refused().await;
    assert_eq!(missing.status, 403, "none");
    assert!(portal.asked().is_empty(), "the app was asked");
    assert!(world.tenant.requests().is_empty(), "the engine was asked");

    knock().open().await.is_alive().await;
    assert_eq!(portal.asked().len(), 1);
}

#[tokio::test]
async fn every_origin_of_the_route_opens() {
    let world = World::start().await;
    for origin in [ORIGIN, "https://other.example.com:8443"] {
        let knock = world.visit("ada", SALES_APP).origin(origin);
        knock.open().await.is_alive().await;
    }
}

#[tokio::test]
async fn a_refusal_by_origin_is_the_same_for_a_good_and_a_bad_session() {
    let world = World::start().await;
    let refused = |session: &str| {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock
            .cookie(session)
            .origin("https://evil.example")
            .refused()
    };
    let (mut good, mut bad) = (refused(&world.token("ada")).await, refused("bad").await);
    for answer in [&mut good, &mut bad] {
        answer.headers.retain(|(name, _)| name != "date");
    }
    assert_eq!(format!("{good:?}"), format!("{bad:?}"));
    let names = good.header_names();
    assert!(!names.iter().any(|name| name.starts_with("access-control")));
}

#[tokio::test]
async fn a_program_comes_by_bearer_where_it_may_and_never_by_cookie() {
    let route = "clients_without_origin = \"bearer\"";
    let world = Recipe::default().route(route).start().await;
    let token = world.token("ada");
    let knock = || world.connect(&format!("/qlik/app/{SALES_APP}"));

    let program = || knock().without("origin");
    program().bearer(&token).open().await.is_alive().await;
    assert_eq!(program().cookie(&token).refused().await.status, 401);
    assert_eq!(program().refused().await.status, 401);
    // A browser's page can set no header; what it carries there does not count.
    assert_eq!(knock().bearer(&token).closed().await.0, 4006);
    for foreign in ["null", "https://evil.example"] {
        let page = knock().origin(foreign).bearer(&token).refused().await;
        assert_eq!(page.status, 403, "a foreign page stays one: {foreign}");
    }
}

#[tokio::test]
async fn forward_auth_never_takes_a_programs_cookie() {
    let portal = Portal::start().await;
    portal.log_in("ada-1", Reply::json(&json!({"user": "ada"})));
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{}\"\ncookies = [\"session\"]\n\
         subject = \"user\"\n[[route.session]]\nkind = \"jwt\"\nsecret = {{ env = \
         \"SESSION_SECRET\" }}\n",
        portal.url("/me")
    );
    let recipe = Recipe::default().session(&session);
    let world = recipe
        .route("clients_without_origin = \"bearer\"")
        .start()
        .await;
    let program = || {
        world
            .connect(&format!("/qlik/app/{SALES_APP}"))
            .without("origin")
    };
    assert_eq!(program().cookie("ada-1").refused().await.status, 401);
    assert!(portal.asked().is_empty());
    let token = world.token("ada");
    program().bearer(&token).open().await.is_alive().await;
}
