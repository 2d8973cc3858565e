//! Websockets as streams of one HTTP/2 connection (RFC 8441): the same rules, the same relay.

use engine_sim::engine::SALES_APP;
use http::Method;
use serde_json::json;

use crate::support::http2::Ask;
use crate::support::{Authority, End, Files, Recipe, World, soon, unique, until};

/// A world whose public door speaks TLS, and who certified it.
async fn secured(recipe: Recipe) -> (World, Authority, Files) {
    let (authority, files) = (Authority::new(), Files::new());
    let recipe = recipe.listen(&authority.door(&files));
    (recipe.start().await, authority, files)
}

/// Somebody opens an app.
fn visit(world: &World, subject: &str) -> Ask {
    Ask::websocket(&format!("/qlik/app/{SALES_APP}")).cookie(&world.token(subject))
}

#[tokio::test]
async fn one_connection_carries_many_websockets_and_requests() {
    let (world, authority, _files) = secured(Recipe::default()).await;
    let (ada, grace) = (unique("ada"), unique("grace"));
    let mut browser = world.visit_http2(&authority).await;
    let mut first = browser.open(visit(&world, &ada)).await;
    let mut second = browser.open(visit(&world, &grace)).await;
    assert!(first.open_doc(SALES_APP).await > 0);
    assert!(second.open_doc(SALES_APP).await > 0);
    let session = Ask::new(Method::GET, "/qlik/session").with("origin", crate::support::ORIGIN);
    let session = browser.ask(session.cookie(&world.token(&ada)), b"").await;
    assert_eq!(session.json()["subject"], ada);
    let end = first.close(1000).await;
    assert_eq!(end, End::Closed(1000, String::new()));
    second.is_alive().await;

    let opened = |who: &str| {
        let lines = world.log().into_iter();
        let mut lines = lines.filter(|line| line.message == "socket opened");
        lines.find(|line| line.field("subject") == who).unwrap()
    };
    assert_eq!(opened(&ada).field("http"), "HTTP/2.0");
    let mut old = world;
    old.trust(&authority);
}
