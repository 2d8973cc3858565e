//! `cloud-jwt`: a session of Qlik Cloud per person, and its cookies on the upgrade.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Builder, Script};
use jsonwebtoken::dangerous::insecure_decode;
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::Keys;
use crate::support::{Recipe, World};

const ISSUER: &str = "https://app.example.com";

async fn world(keys: &Keys, more: &str) -> World {
    let toml = format!(
        r#"
        kind = "cloud-jwt"
        issuer = "{ISSUER}"
        signing_key = {{ file = "{}" }}
        key_id = "key-1"
        subject = "app|{{sub}}"
        name = "{{name}}"
        email = "{{email}}"
        groups_claim = "groups"
        {more}"#,
        keys.private
    );
    let public = keys.public.clone();
    let provided = move |tenant: Builder| {
        let provided = tenant.identity_provider(ISSUER, "key-1", &public);
        provided.unwrap()
    };
    let world = Recipe::default().credential(&toml).tenant(provided);
    let world = world.start().await;
    world.keep(keys.secret());
    world
}

fn claims(subject: &str) -> Value {
    json!({
        "sub": subject, "name": "Ada Lovelace", "groups": ["sales", "board"],
        "email": format!("{subject}@example.com"), "email_verified": true,
    })
}

/// The claims of the JWT in a request.
fn said(seen: &engine_sim::tenant::Seen) -> Value {
    let bearer = seen.header("authorization").unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    insecure_decode::<Value>(token).unwrap().claims
}

#[tokio::test]
async fn a_person_gets_a_session_that_is_theirs_for_every_socket() {
    let keys = Keys::new(&PKCS_RSA_SHA256);
    let world = world(&keys, "web_integration_id = \"wi-1\"").await;
    let token = world.sign(claims("ada"));
    for _ in 0..3 {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&token).open().await;
    }
    assert_eq!(world.tenant.state().token_fetches, 1);
    let login = world.tenant.requests().remove(0);
    assert_eq!(login.target, "/login/jwt-session");
    assert_eq!(login.header("qlik-web-integration-id"), Some("wi-1"));
    assert_eq!(login.header("origin"), None);
    let said = said(&login);
    assert_eq!(said["sub"], "app|ada");
    assert_eq!(said["name"], "Ada Lovelace");
    assert_eq!(said["email"], "ada@example.com");
    assert_eq!(said["groups"], json!(["sales", "board"]));
    let second = |name: &str| said[name].as_u64().unwrap();
    assert_eq!(second("nbf"), second("iat"));
    // Good for five minutes, and for a tenant whose clock is ten seconds behind.
    assert_eq!(second("exp") - second("nbf"), 310);
    let upgrade = world.upgrades().remove(0);
    assert_eq!(upgrade.header("authorization"), None);
    let cookies = upgrade.header("cookie").unwrap();
    assert!(cookies.starts_with("eas.sid=canary-") && !cookies.contains("other="));
    assert!(upgrade.target.contains("?qlik-csrf-token=canary-csrf-"));
    assert!(upgrade.target.ends_with("&qlik-web-integration-id=wi-1"));
}

#[tokio::test]
async fn an_address_that_nobody_verified_logs_nobody_in() {
    let world = world(&Keys::new(&PKCS_RSA_SHA256), "").await;
    let mut unverified = claims("ada");
    unverified["email_verified"] = json!(false);
    let mut listless = claims("ada");
    listless["groups"] = json!(["sales", 7]);
    for claims in [unverified, listless] {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let (code, _) = knock.cookie(&world.sign(claims)).closed().await;
        assert_eq!(code, 4203);
    }
    assert!(world.tenant.requests().is_empty());
}

#[tokio::test]
async fn another_group_is_another_session() {
    let world = world(&Keys::new(&PKCS_RSA_SHA256), "").await;
    let mut promoted = claims("ada");
    promoted["groups"] = json!(["sales", "board", "owners"]);
    for claims in [claims("ada"), promoted] {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&world.sign(claims)).open().await;
    }
    assert_eq!(world.tenant.state().token_fetches, 2);
}

#[tokio::test]
async fn a_session_that_the_tenant_has_ended_is_opened_anew() {
    let keys = Keys::new(&PKCS_ECDSA_P384_SHA384);
    let world = world(&keys, "algorithm = \"ES384\"").await;
    let token = world.sign(claims("ada"));
    let visit = || {
        world
            .connect(&format!("/qlik/app/{SALES_APP}"))
            .cookie(&token)
    };
    visit().open().await;
    world.tenant.script(Script::ExpireTokens);
    visit().open().await;
    assert_eq!(world.tenant.state().token_fetches, 2);
    world.tenant.script(Script::ExpireTokens);
    let (code, _) = visit().closed().await;
    assert_eq!(code, 4211, "at most one forced login a minute");
    assert_eq!(world.tenant.state().token_fetches, 2);
}
