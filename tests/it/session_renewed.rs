//! A token that was issued anew may say something else of its person than the one before.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};

use crate::support::{Browser, ORIGIN, Recipe, World, now};

fn token(world: &World, sid: &str, apps: &Value) -> String {
    world.sign(json!({"sub": "ada", "sid": sid, "apps": apps, "exp": now() + 600}))
}

async fn open(world: &World, token: &str, app: &str) -> Browser {
    let knock = world.connect(&format!("/qlik/app/{app}"));
    knock.cookie(token).open().await
}

/// How many sockets go on with another token.
async fn renewed(world: &World, token: &str) -> Value {
    let page = world.http("POST", "/qlik/session").origin(ORIGIN);
    let answer = page.cookie(token).refused().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["renewed"].clone()
}

#[tokio::test]
async fn a_socket_that_it_would_not_open_does_not_go_on() {
    let access = "apps_claim = \"apps\"";
    let world = Recipe::default().access(access).start().await;
    let both = token(&world, "s1", &json!([SALES_APP, FINANCE_APP]));
    let elsewhere = token(&world, "s2", &json!([FINANCE_APP]));
    let mut finance = open(&world, &both, FINANCE_APP).await;
    let mut sales = open(&world, &both, SALES_APP).await;
    let mut other = open(&world, &elsewhere, FINANCE_APP).await;

    let fewer = world.sign(json!({
        "sub": "ada", "sid": "s1", "apps": [SALES_APP], "exp": now() + 1200,
    }));
    assert_eq!(renewed(&world, &fewer).await, 1);
    assert_eq!(finance.closed().await.0, 4203);
    sales.is_alive().await;
    other.is_alive().await;
}
