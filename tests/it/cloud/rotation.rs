//! Secrets that change in their files while the proxy runs.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{ClientKind, Script};

use crate::support::{Files, Recipe};

#[tokio::test]
async fn a_client_secret_is_read_anew_when_its_file_changes() {
    let files = Files::new();
    let file = files.write("secret", "an-old-secret-0123456789");
    let toml = format!(
        r#"
        kind = "oauth-client"
        shared = true
        client_id = "rotating"
        client_secret = {{ file = "{file}" }}"#
    );
    let rotating = |tenant: engine_sim::tenant::Builder| {
        tenant.client("rotating", "a-new-secret-0123456789", ClientKind::Machine)
    };
    let world = Recipe::default().credential(&toml).tenant(rotating);
    let world = world.start().await;
    files.write("secret", "a-new-secret-0123456789\n");
    world.visit("ada", SALES_APP).open().await;
    assert_eq!(world.tenant.state().token_fetches, 1);
}

#[tokio::test]
async fn an_api_key_is_read_anew_when_the_engine_refuses_the_old_one() {
    let files = Files::new();
    let file = files.write("key", "an-old-key-0123456789");
    let toml = format!("kind = \"api-key\"\nshared = true\nkey = {{ file = \"{file}\" }}");
    let recipe = Recipe::default().credential(&toml);
    let key = recipe.secrets.api_key.clone();
    let world = recipe.start().await;
    let (code, _) = world.visit("ada", SALES_APP).closed().await;
    assert_eq!(code, 4211, "the tenant does not know the old key");
    files.write("key", &key);
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    tokio::time::resume();
    world.visit("ada", SALES_APP).open().await;
    world.tenant.script(Script::ExpireTokens);
    world.visit("ada", SALES_APP).open().await;
}
