//! Engines without a proxy service: port 4747 by certificate, and Qlik Core by token.

use std::net::SocketAddr;

use engine_sim::core::Core;
use engine_sim::engine::SALES_APP;
use serde_json::json;

use super::estate::{Kind, Plan};
use crate::support::Recipe;

pub(super) const CERTIFICATE: &str = r#"
    kind = "engine-certificate"
    user = "{sub}"
    user_directory = "CORP"
    certificate = "@/client.pem"
    key = "@/client_key.pem""#;

fn by_certificate() -> Plan {
    Plan::of(Kind::Header)
        .credential(CERTIFICATE)
        .engine("url = \"@engine\"")
}

#[tokio::test]
async fn a_certificate_opens_the_engine_and_a_header_says_who_it_is() {
    let estate = by_certificate().start().await;
    for (name, header) in [
        ("ada", "UserDirectory=CORP; UserId=ada"),
        (
            "Ada Löwe@x",
            "UserDirectory=CORP; UserId=Ada%20L%C3%B6we%40x",
        ),
    ] {
        let mut browser = estate.world.visit(name, SALES_APP).open().await;
        let user = browser.call(-1, "GetAuthenticatedUser", json!([])).await;
        let user = user["result"]["qReturn"].as_str().unwrap().to_owned();
        assert_eq!(user, format!("UserDirectory=CORP; UserId={name}"));
        let upgrades = estate.upgrades();
        let seen = upgrades.last().unwrap();
        assert_eq!(seen.header("x-qlik-user"), Some(header));
        assert_eq!(seen.header("origin"), None);
    }
}

#[tokio::test]
async fn nothing_is_compressed_on_the_way_to_the_engines_port() {
    let estate = by_certificate()
        .recipe(|recipe: Recipe| recipe.access("apps = \"any\"\nmethods = \"any\""))
        .start()
        .await;
    let visit = estate.world.visit("ada", SALES_APP);
    let offer = "permessage-deflate; client_max_window_bits";
    let visit = visit.with("sec-websocket-extensions", offer);
    let mut browser = visit.open().await;
    browser.call(-1, "EngineVersion", json!([])).await;
    let upgrades = estate.upgrades();
    assert_eq!(upgrades[0].header("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn a_server_of_another_name_is_believed_by_setting_alone() {
    let plan = || by_certificate().named(&["qlik.internal"]);
    let estate = plan().start().await;
    let (code, _) = estate.world.visit("ada", SALES_APP).closed().await;
    assert_eq!(code, 4240);
    let named = "url = \"@engine\"\nserver_name = \"qlik.internal\"";
    let estate = plan().engine(named).start().await;
    estate.world.visit("ada", SALES_APP).open().await;
}

#[tokio::test]
async fn a_token_opens_a_bare_engine() {
    let secret = "canary-engine-secret-0123456789abcdef";
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let core = Core::builder().validate_by_secret(secret.as_bytes());
    let core = core.start(address).await.unwrap();
    let credential = r#"
        kind = "bearer-jwt"
        subject = "core|{sub}"
        claims = { name = "{name}" }
        signing_secret = { file = "@" }"#;
    let files = crate::support::Files::new();
    let file = files.write("secret", secret);
    let world = Recipe::default()
        .credential(&credential.replace('@', &file))
        .engine(&format!("url = \"{}\"", core.url()))
        .start()
        .await;
    let token = world.sign(json!({"sub": "ada", "name": "Ada"}));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut browser = knock.cookie(&token).open().await;
    let user = browser.call(-1, "GetAuthenticatedUser", json!([])).await;
    assert_eq!(user["result"]["qReturn"], "core|ada");
    // Another of theirs gets the same token.
    world.visit("ada", SALES_APP).closed().await;
    for secret in core.secrets() {
        world.keep(secret);
    }
    world.keep(secret.to_owned());
}

#[tokio::test]
async fn a_key_that_changes_in_its_file_signs_the_next_token() {
    let (old, new) = (
        "canary-old-secret-0123456789abcdefgh",
        "canary-new-secret-0123456789abcdefgh",
    );
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let core = Core::builder().validate_by_secret(new.as_bytes());
    let core = core.start(address).await.unwrap();
    let files = crate::support::Files::new();
    let file = files.write("secret", old);
    let credential = format!(
        "kind = \"bearer-jwt\"\nsubject = \"{{sub}}\"\nsigning_secret = {{ file = \"{file}\" }}"
    );
    let world = Recipe::default()
        .credential(&credential)
        .engine(&format!("url = \"{}\"", core.url()))
        .start()
        .await;
    world.visit("ada", SALES_APP).closed().await;
    files.write("secret", &format!("{new} \n"));
    world.visit("bob", SALES_APP).open().await;
}

#[tokio::test]
async fn a_token_that_the_engine_does_not_take_is_made_anew_once() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let core = Core::builder().validate_by_secret(b"another secret of the engine itself");
    let core = core.start(address).await.unwrap();
    let credential = r#"
        kind = "bearer-jwt"
        subject = "{sub}"
        signing_secret = { env = "SESSION_SECRET" }"#;
    let world = Recipe::default()
        .credential(credential)
        .engine(&format!("url = \"{}\"", core.url()))
        .start()
        .await;
    let (told, _) = world.visit("ada", SALES_APP).closed().await;
    assert_eq!(told, 4211);
    assert_eq!(core.requests().len(), 2);
}

#[tokio::test]
async fn the_apps_own_token_is_passed_on_by_choice() {
    let mut recipe = Recipe::default().credential("kind = \"passed-bearer\"");
    let secret = recipe.session_secret().to_owned();
    let core = Core::builder().validate_by_secret(secret.as_bytes());
    let core = core.start(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let core = core.unwrap();
    recipe = recipe.engine(&format!("url = \"{}\"", core.url()));
    let world = recipe.start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let user = ada.call(-1, "GetAuthenticatedUser", json!([])).await;
    assert_eq!(user["result"]["qReturn"], "ada");
    let requests = core.requests();
    let bearer = requests[0].header("authorization").unwrap();
    assert!(bearer.starts_with("Bearer ey"));
    assert_eq!(requests[0].header("cookie"), None);
}
