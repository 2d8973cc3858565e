//! What a tenant of Qlik Cloud refuses, besides tokens for secrets.

use std::time::{SystemTime, UNIX_EPOCH};

use engine_sim::tenant::{ClientKind, Tenant};
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};

use crate::support::{SECRET, builder, credentials, fetch, http, impersonation, start, token};

const ISSUER: &str = "https://app.example.com";

/// A tenant that knows a key, as a client's and as an identity provider's.
async fn tenant() -> (Tenant, EncodingKey) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let public = pair.public_key_pem();
    let tenant = builder()
        .client("admin", SECRET, ClientKind::Admin)
        .client_with_key("signing", &public, ClientKind::Trusted)
        .unwrap()
        .identity_provider(ISSUER, "key-1", &public)
        .unwrap()
        .anonymous("embed", "canary-code")
        .account("bob", &[]);
    (
        start(tenant).await,
        EncodingKey::from_ec_der(pair.serialized_der()),
    )
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Claims, with some of them changed.
fn claims(mut all: Value, changed: &Value) -> Value {
    let changed = changed.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(changed);
    all
}

fn sign(key: &EncodingKey, claims: &Value) -> String {
    let header = Header {
        kid: Some("key-1".to_owned()),
        ..Header::new(Algorithm::ES384)
    };
    encode(&header, claims, key).unwrap()
}

async fn assert_by(tenant: &Tenant, assertion: &str) -> u16 {
    let body = json!({
        "client_id": "signing", "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    });
    fetch(tenant, &body).await.0.as_u16()
}

#[tokio::test]
async fn an_assertion_is_short_for_this_client_and_used_once() {
    let (tenant, key) = tenant().await;
    let said = |jti: &str, changed: Value| {
        let whole = json!({
            "iss": "signing", "sub": "signing", "aud": "https://t/oauth/token",
            "jti": format!("0123456789abcdef-{jti}"), "iat": now(), "exp": now() + 60,
        });
        sign(&key, &claims(whole, &changed))
    };
    let good = said("1", json!({}));
    assert_eq!(assert_by(&tenant, &good).await, 200);
    assert_eq!(assert_by(&tenant, &good).await, 401, "used once");
    for changed in [
        json!({"iss": "trusted"}),
        json!({"sub": "trusted"}),
        json!({"aud": "https://t/elsewhere"}),
        json!({"exp": now() + 3600}),
        json!({"exp": now() - 60}),
        json!({"jti": "short"}),
    ] {
        let bad = said("2", changed.clone());
        assert_eq!(assert_by(&tenant, &bad).await, 401, "{changed}");
    }
    assert_eq!(assert_by(&tenant, "").await, 401);
    // A client with a key has no secret, not even an empty one.
    let mut secretless = credentials("signing");
    secretless["client_secret"] = json!("");
    assert_eq!(
        fetch(&tenant, &secretless).await.0,
        StatusCode::UNAUTHORIZED
    );
}

async fn log_in(tenant: &Tenant, jwt: &str) -> reqwest::Response {
    let url = format!("{}/login/jwt-session", tenant.url());
    http().post(url).bearer_auth(jwt).send().await.unwrap()
}

#[tokio::test]
async fn a_login_takes_what_the_identity_provider_says_for_an_hour_at_the_most() {
    let (tenant, key) = tenant().await;
    let said = |jti: &str, changed: Value| {
        let whole = json!({
            "iss": ISSUER, "aud": "qlik.api/login/jwt-session", "sub": "ada", "subType": "user",
            "name": "Ada", "email": "ada@example.com", "email_verified": true,
            "jti": format!("0123456789abcdef-{jti}"), "nbf": now(), "exp": now() + 300,
        });
        sign(&key, &claims(whole, &changed))
    };
    let good = said("1", json!({}));
    let session = log_in(&tenant, &good).await;
    assert_eq!(session.status(), 200);
    assert_eq!(session.headers().get_all("set-cookie").iter().count(), 5);
    assert_eq!(log_in(&tenant, &good).await.status(), 401, "used once");
    for (changed, status) in [
        (json!({"iss": "https://evil.example"}), 401),
        (json!({"aud": "other"}), 401),
        (json!({"subType": "device"}), 401),
        (json!({"email_verified": false}), 401),
        (json!({"exp": now() + 4000}), 401),
        (json!({"email": ""}), 400),
        (json!({"name": null}), 400),
    ] {
        let bad = said("2", changed.clone());
        assert_eq!(log_in(&tenant, &bad).await.status(), status, "{changed}");
    }
}

async fn users(tenant: &Tenant, token: &str, filter: &str) -> (u16, Value) {
    let mut url = url::Url::parse(&format!("{}/api/v1/users", tenant.url())).unwrap();
    url.query_pairs_mut().append_pair("filter", filter);
    let answer = http().get(url).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn users_are_shown_to_an_admin_client_alone() {
    let (tenant, _) = tenant().await;
    let admin = token(&tenant, &credentials("admin")).await;
    let (status, page) = users(&tenant, &admin, "subject eq \"BOB\"").await;
    assert_eq!(status, 200);
    assert_eq!(page["data"][0]["subject"], "bob", "case is not looked at");
    let machine = token(&tenant, &credentials("machine")).await;
    assert_eq!(users(&tenant, &machine, "subject eq \"bob\"").await.0, 403);
    assert_eq!(users(&tenant, "none", "subject eq \"bob\"").await.0, 401);
    for filter in [
        "subject eq \"x\" or subject eq \"bob\"",
        "subject eq bob",
        "",
    ] {
        assert_eq!(users(&tenant, &admin, filter).await.0, 400, "{filter}");
    }
    // Who is no user is not impersonated once users are known.
    let (status, _) = fetch(&tenant, &impersonation("subject", "ada")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    token(&tenant, &impersonation("subject", "bob")).await;
}

#[tokio::test]
async fn anonymous_tokens_want_the_code_and_a_tracking_code() {
    let (tenant, _) = tenant().await;
    let url = format!("{}/oauth/token/anonymous-embed", tenant.url());
    let whole = json!({
        "eac": "canary-code", "client_id": "embed", "tracking_code": "a".repeat(40),
        "grant_type": "urn:qlik:oauth:anonymous-embed",
    });
    for (changed, status) in [
        (json!({}), 200),
        (json!({"eac": "other"}), 401),
        (json!({"client_id": "other"}), 401),
        (json!({"tracking_code": "short"}), 401),
        (json!({"grant_type": "client_credentials"}), 401),
    ] {
        let body = claims(whole.clone(), &changed);
        let answer = http().post(&url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{changed}");
    }
}
