//! The control paths over HTTP.

use http::StatusCode;
use serde_json::{Value, json};

use engine_sim::tenant::Tenant;

use crate::support::{KEY, SECRET, call, closed, credentials, http, open, tenant, token};

async fn read(tenant: &Tenant, path: &str) -> Value {
    let url = format!("{}/__sim/{path}", tenant.url());
    http().get(url).send().await.unwrap().json().await.unwrap()
}

async fn post(tenant: &Tenant, path: &str, body: &Value) -> StatusCode {
    let url = format!("{}/__sim/{path}", tenant.url());
    http().post(url).json(body).send().await.unwrap().status()
}

#[tokio::test]
async fn requests_show_headers_and_messages_only_when_asked() {
    let tenant = tenant().await;
    token(&tenant, &credentials("machine")).await;
    let mut client = open(&tenant, "/app/a?x=1").await;
    call(&mut client, 1, "Whatever").await;
    client.close(None).await.unwrap();
    tenant.until(|state| state.sockets_open == 0).await;

    let requests = read(&tenant, "requests").await;
    let with_messages = read(&tenant, "requests?messages=1").await;

    assert_eq!(
        requests.as_array().unwrap().len(),
        2,
        "control requests are not seen"
    );
    assert_eq!(requests[0]["target"], "/oauth/token");
    assert!(
        requests[0]["body"]
            .as_str()
            .unwrap()
            .contains("client_credentials")
    );
    assert_eq!(requests[1]["target"], "/app/a?x=1");
    assert_eq!(requests[1]["messages"], Value::Null);
    assert_eq!(with_messages[1]["messages"].as_array().unwrap().len(), 1);
    let seen = &tenant.requests()[1];
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(seen.path(), "/app/a");
}

#[tokio::test]
async fn secrets_are_all_that_was_configured_and_minted() {
    let tenant = tenant().await;
    let token = token(&tenant, &credentials("machine")).await;
    let secrets = read(&tenant, "secrets").await;
    for secret in [KEY, SECRET, &token] {
        assert!(secrets.as_array().unwrap().contains(&json!(secret)));
    }
}

#[tokio::test]
async fn scripts_are_taken_one_by_one_and_in_lists() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    let faults = json!([
        { "token": "garbage" },
        { "token": { "rate_limit": { "retry_after": 3 } } },
        { "upgrade": { "refuse": { "status": 403 } } },
        { "upgrade": "early_greeting" },
        { "next": { "huge": { "bytes": 10 } } },
        { "call": "die_mid_frame" },
        "expire_tokens",
    ]);
    assert_eq!(post(&tenant, "script", &faults).await, StatusCode::OK);
    let close = json!({ "live": { "close": { "code": 4204, "reason": "gone" } } });
    assert_eq!(post(&tenant, "script", &close).await, StatusCode::OK);
    assert_eq!(closed(&mut client).await, Some((4204, "gone".to_owned())));
}

#[tokio::test]
async fn a_script_that_means_nothing_is_refused_whole() {
    let tenant = tenant().await;
    let upgrade = json!({ "upgrade": "drop" });
    for body in [
        json!([upgrade, { "token": "explode" }]),
        json!({ "live": { "close": { "kode": 1 } } }),
        json!(7),
    ] {
        assert_eq!(
            post(&tenant, "script", &body).await,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    open(&tenant, "/app/a").await;
}

#[tokio::test]
async fn a_reset_forgets_requests_counts_and_faults_and_keeps_sockets() {
    let tenant = tenant().await;
    let mut client = open(&tenant, "/app/a").await;
    post(&tenant, "script", &json!({ "upgrade": "drop" })).await;
    assert_eq!(post(&tenant, "reset", &json!({})).await, StatusCode::OK);

    assert_eq!(read(&tenant, "requests").await, json!([]));
    let state = read(&tenant, "state").await;
    assert_eq!(state["sockets_open"], 1);
    assert_eq!(state["sockets_opened"], 0);
    open(&tenant, "/app/a").await;
    client.close(None).await.unwrap();
}

#[tokio::test]
async fn other_paths_are_404() {
    let tenant = tenant().await;
    assert_eq!(
        post(&tenant, "else", &json!({})).await,
        StatusCode::NOT_FOUND
    );
    let other = http()
        .get(format!("{}/api/v1/users/me", tenant.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
}
