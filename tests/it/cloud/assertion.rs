//! `private_key_jwt`: the client proves who it is by a JWT, and no secret is anywhere.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{ClientKind, Script};
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use serde_json::Value;

use super::Keys;
use crate::support::{Recipe, World};

async fn world(keys: &Keys, algorithm: &str) -> World {
    let toml = format!(
        r#"
        kind = "oauth-impersonation"
        client_id = "signing"
        signing_key = {{ file = "{}" }}
        algorithm = "{algorithm}"
        key_id = "key-1"
        user = {{ field = "subject", claim = "sub" }}"#,
        keys.private
    );
    let public = keys.public.clone();
    let with_key = move |tenant: engine_sim::tenant::Builder| {
        let added = tenant.client_with_key("signing", &public, ClientKind::Trusted);
        added.unwrap()
    };
    let world = Recipe::default().credential(&toml).tenant(with_key);
    let world = world.start().await;
    world.keep(keys.secret());
    world
}

#[tokio::test]
async fn a_client_proves_who_it_is_by_its_key() {
    for (keys, algorithm) in [
        (Keys::new(&PKCS_RSA_SHA256), "RS256"),
        (Keys::new(&PKCS_ECDSA_P384_SHA384), "ES384"),
    ] {
        let world = world(&keys, algorithm).await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        assert!(ada.open_doc(SALES_APP).await > 0);
        let seen = world.tenant.requests().remove(0);
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        assert!(body.get("client_secret").is_none());
        let head = body["client_assertion"].as_str().unwrap();
        let head = jsonwebtoken::decode_header(head).unwrap();
        assert_eq!(format!("{:?}", head.alg), algorithm);
        assert_eq!(head.kid.as_deref(), Some("key-1"));
        // An assertion is good once: the tenant refuses a second use of its jti.
        world.tenant.script(Script::ExpireTokens);
        world.visit("ada", SALES_APP).open().await;
        assert_eq!(world.tenant.state().token_fetches, 2);
    }
}

#[tokio::test]
async fn a_key_that_the_tenant_does_not_know_is_refused() {
    let (keys, other) = (Keys::new(&PKCS_RSA_SHA256), Keys::new(&PKCS_RSA_SHA256));
    let mixed = Keys {
        public: other.public,
        ..keys
    };
    let world = world(&mixed, "RS256").await;
    let (code, _) = world.visit("ada", SALES_APP).closed().await;
    assert_eq!(code, 4211);
}
