//! Whoever has a session of the app, as an anonymous user of the tenant.

use engine_sim::engine::SALES_APP;
use serde_json::Value;

use crate::support::Recipe;

#[tokio::test]
async fn each_person_is_an_anonymous_user_of_their_own() {
    let recipe = Recipe::default().credential(
        r#"
        kind = "anonymous-embed"
        client_id = "embed"
        access_code = { env = "QLIK_ACCESS_CODE" }"#,
    );
    let code = recipe.secrets.api_key.clone();
    let world = recipe
        .tenant(move |tenant| tenant.anonymous("embed", &code))
        .start()
        .await;
    for who in ["ada", "bob", "ada"] {
        world.visit(who, SALES_APP).open().await;
    }
    let mut codes: Vec<String> = world
        .tenant
        .requests()
        .iter()
        .filter_map(tracking_code)
        .collect();
    assert_eq!(codes.len(), 2, "one token a person");
    codes.dedup();
    assert_eq!(codes.len(), 2, "and each is somebody else");
}

fn tracking_code(seen: &engine_sim::tenant::Seen) -> Option<String> {
    let body: Value = serde_json::from_str(&seen.body).ok()?;
    Some(body["tracking_code"].as_str()?.to_owned())
}
