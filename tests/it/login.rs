//! `{path}/login`: on to the app's own login page.

use crate::support::{Answer, Recipe, World};

const LOGIN: &str = "login = \"https://app.example.com/login?lang=en\"";

async fn go(world: &World, query: &str) -> Answer {
    let target = format!("/qlik/login{query}");
    world.http("GET", &target).refused().await
}

#[tokio::test]
async fn it_leads_to_the_login_page_and_names_a_page_of_the_routes_origins() {
    let world = Recipe::default().route(LOGIN).start().await;
    let answer = go(
        &world,
        "?returnto=https%3A%2F%2Fapp.example.com%2Fx%3Fy%3D1",
    )
    .await;
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("location"),
        Some(
            "https://app.example.com/login?lang=en&returnto=https%3A%2F%2Fapp.example.com%2Fx%3Fy%3D1"
        )
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn it_names_no_other_page() {
    let world = Recipe::default().route(LOGIN).start().await;
    for query in [
        "",
        "?returnto=https%3A%2F%2Fevil.example%2F",
        "?returnto=%2F%2Fevil.example",
        "?returnto=javascript%3Aalert(1)",
        "?returnto=https%3A%2F%2Fapp.example.com%5C%40evil.example",
    ] {
        let answer = go(&world, query).await;
        let location = Some("https://app.example.com/login?lang=en");
        assert_eq!(answer.header("location"), location, "{query}");
    }
}

#[tokio::test]
async fn without_a_login_page_there_is_nothing() {
    let world = World::start().await;
    assert_eq!(go(&world, "").await.status, 404);
    let world = Recipe::default().route(LOGIN).start().await;
    let answer = world.http("POST", "/qlik/login").refused().await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, OPTIONS"));
}
