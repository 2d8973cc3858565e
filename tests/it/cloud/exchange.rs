//! The app's own token, exchanged for one that the engine takes.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::rehearsal::{check, rehearse};
use crate::support::{Recipe, World};

async fn world(more: &str) -> World {
    let toml = format!(
        r#"
        kind = "token-exchange"
        client_id = "trusted"
        client_secret = {{ env = "QLIK_CLIENT_SECRET" }}
        {more}"#
    );
    let recipe = Recipe::default().credential(&toml);
    let app = recipe.secrets.session.clone();
    recipe
        .tenant(move |tenant| tenant.exchanging_for(&app))
        .start()
        .await
}

#[tokio::test]
async fn each_session_gets_a_token_for_its_own() {
    let world = world("").await;
    let first = world.token("ada");
    for _ in 0..2 {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&first).open().await;
    }
    assert_eq!(world.tenant.state().token_fetches, 1, "it is kept");
    // The same person with a token issued anew, and another person.
    let renewed = world.sign(json!({"sub": "ada", "exp": 4_000_000_000_u64}));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.cookie(&renewed).open().await;
    world.visit("bob", SALES_APP).open().await;
    assert_eq!(world.tenant.state().token_fetches, 3);
    let form = world.tenant.requests().remove(0).body;
    assert!(form.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"));
    assert!(!form.contains("purpose"), "{form}");
}

#[tokio::test]
async fn a_tenant_that_wants_it_in_the_query_gets_a_websocket_token() {
    let world = world("shown = \"query\"").await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
    let fetch = world.tenant.requests().remove(0);
    assert!(fetch.body.contains("purpose=websocket"));
    let upgrade = world.upgrades().remove(0);
    assert!(upgrade.target.contains("?accessToken=canary-token-"));
    assert_eq!(upgrade.header("authorization"), None);
}

#[tokio::test]
async fn a_token_that_the_tenant_does_not_take_opens_nothing() {
    let toml = r#"
        kind = "token-exchange"
        client_id = "trusted"
        client_secret = { env = "QLIK_CLIENT_SECRET" }"#;
    let world = Recipe::default().credential(toml).start().await;
    let (code, _) = world.visit("ada", SALES_APP).closed().await;
    assert_eq!(code, 4211);
    assert!(world.upgrades().is_empty());
}

#[tokio::test]
async fn a_ticket_takes_the_token_of_its_session_along() {
    let recipe = Recipe::default()
        .session(
            "[[route.session]]\nkind = \"ticket\"\n[[route.session]]\nkind = \"jwt\"\n\
             cookie = \"session\"\nsecret = { env = \"SESSION_SECRET\" }\n",
        )
        .credential(
            r#"
            kind = "token-exchange"
            client_id = "trusted"
            client_secret = { env = "QLIK_CLIENT_SECRET" }"#,
        );
    let app = recipe.secrets.session.clone();
    let world = recipe
        .tenant(move |tenant| tenant.exchanging_for(&app))
        .start()
        .await;
    let asked = world
        .http("POST", "/qlik/ticket")
        .origin(crate::support::ORIGIN);
    let answer = asked
        .with("content-length", "0")
        .cookie(&world.token("ada"))
        .refused()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let ticket: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let ticket = world.keep_from_log(ticket["ticket"].as_str().unwrap().to_owned());
    let target = format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}");
    let mut ada = world.connect(&target).open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
}

#[tokio::test]
async fn a_check_may_bring_the_token_of_a_session() {
    let world = world("").await;
    let toml = world.config.read();
    let tried = rehearse(&world, &toml, &["--subject", "ada"]).await;
    let (step, _, words) = tried.failure();
    assert_eq!((step, tried.code), ("credential", 77), "{words}");
    assert!(words.contains("--bearer-env"), "{words}");
    let arguments = ["--subject", "ada", "--bearer-env", "APP_TOKEN"];
    let tried = rehearse(&world, &toml, &arguments).await;
    assert_eq!(tried.code, 0, "{:#}", tried.json);
    let nothing = ["--live", "--bearer-env", "NOT_THERE"];
    let (code, said) = check(&world, &toml, &nothing).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("NOT_THERE is not set"), "{said}");
}
