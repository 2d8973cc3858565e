//! The token endpoint: every grant, every refusal, every fault.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use engine_sim::tenant::{Script, Tenant, TokenFault};

use crate::support::{
    SECRET, builder, credentials, exchange, fetch, http, impersonation, start, tenant, token,
    token_url,
};

async fn refusal(tenant: &Tenant, body: &Value) -> (u16, String) {
    let (status, body) = fetch(tenant, body).await;
    let error = &body["errors"][0];
    assert_eq!(error["status"], status.as_str());
    assert!(body["traceId"].is_string());
    (status.as_u16(), error["code"].as_str().unwrap().to_owned())
}

async fn faulty(fault: TokenFault) -> (Tenant, reqwest::Response) {
    let tenant = tenant().await;
    tenant.script(Script::Token(fault));
    let body = credentials("machine");
    let answer = http()
        .post(token_url(&tenant))
        .json(&body)
        .send()
        .await
        .unwrap();
    (tenant, answer)
}

#[tokio::test]
async fn client_credentials_are_granted_in_json_in_a_form_and_by_basic() {
    let tenant = tenant().await;
    let json = token(&tenant, &credentials("machine")).await;

    let form = [("client_id", "machine"), ("client_secret", SECRET)];
    let grant = [("grant_type", "client_credentials")];
    let post = || http().post(token_url(&tenant));
    let in_form = post()
        .form(&[form[0], form[1], grant[0]])
        .send()
        .await
        .unwrap();
    let by_basic = post()
        .basic_auth("machine", Some(SECRET))
        .form(&grant)
        .send()
        .await
        .unwrap();

    assert!(json.starts_with("canary-token-"));
    assert!(tenant.secrets().contains(&json));
    assert_eq!(in_form.status(), StatusCode::OK);
    assert_eq!(by_basic.status(), StatusCode::OK);
    assert_eq!(tenant.state().token_fetches, 3);
}

#[tokio::test]
async fn an_answer_has_the_documented_fields() {
    let tenant = tenant().await;
    let (_, body) = fetch(&tenant, &credentials("machine")).await;
    assert_eq!(body["expires_in"], 21600);
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["scope"], "user_default");
    assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
    assert!(body["auth_time"].as_str().unwrap() < body["expires_at"].as_str().unwrap());
}

#[tokio::test]
async fn users_are_found_by_subject_and_by_id_and_strangers_are_not() {
    let builder = builder()
        .user("ann", "id-ann")
        .disabled_user("bob", "id-bob");
    let tenant = start(builder).await;
    token(&tenant, &impersonation("subject", "ann")).await;
    token(&tenant, &impersonation("userId", "id-ann")).await;
    for body in [
        impersonation("subject", "id-ann"),
        impersonation("userId", "ann"),
        impersonation("subject", "Ann"),
        impersonation("subject", "bob"),
    ] {
        assert_eq!(refusal(&tenant, &body).await.0, 403, "{body}");
    }
    assert_eq!(
        refusal(&tenant, &impersonation("email", "ann")).await.0,
        400
    );
}

#[tokio::test]
async fn a_tenant_without_a_list_of_users_knows_everybody() {
    let tenant = tenant().await;
    token(&tenant, &impersonation("subject", "anybody")).await;
}

#[tokio::test]
async fn a_machine_tokens_exchange_is_oauth_5() {
    let tenant = tenant().await;
    let machine = token(&tenant, &credentials("machine")).await;
    let (status, body) = fetch(&tenant, &exchange("machine", &machine)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(body["errors"][0]["code"], "OAUTH-5");
    assert_eq!(body["errors"][0]["title"], "Unauthorized");
    let detail = "Cannot perform exchange with given Oauth configuration.";
    assert_eq!(body["errors"][0]["detail"], detail);
}

#[tokio::test]
async fn a_persons_token_is_exchanged_without_a_secret() {
    let tenant = tenant().await;
    let person = token(&tenant, &impersonation("subject", "ann")).await;
    let (status, body) = fetch(&tenant, &exchange("trusted", &person)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body["issued_token_type"].is_string());
}

#[tokio::test]
async fn wrong_clients_and_secrets_are_refused() {
    let tenant = tenant().await;
    let mut wrong_secret = credentials("machine");
    wrong_secret["client_secret"] = json!("wrong");
    let mut beyond = impersonation("subject", "ann");
    beyond["client_id"] = json!("machine");
    let mut no_grant = credentials("machine");
    no_grant["grant_type"] = json!("password");

    let oauth_14 = (400, "OAUTH-14".to_owned());
    assert_eq!(refusal(&tenant, &credentials("nobody")).await, oauth_14);
    assert_eq!(refusal(&tenant, &beyond).await, oauth_14);
    assert_eq!(refusal(&tenant, &exchange("nobody", "x")).await, oauth_14);
    assert_eq!(refusal(&tenant, &wrong_secret).await.0, 401);
    assert_eq!(refusal(&tenant, &exchange("machine", "x")).await.0, 401);
    assert_eq!(refusal(&tenant, &no_grant).await.0, 400);
    assert_eq!(refusal(&tenant, &json!([])).await.0, 400);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let (tenant, answer) = faulty(TokenFault::RateLimit { retry_after: 13 }).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "13");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "HTTP-429");
    token(&tenant, &credentials("machine")).await;
}

#[tokio::test]
async fn a_refusal_by_script_has_its_status_code_and_detail() {
    let code = Some("OAUTH-29".to_owned());
    let detail = Some("Invalid Origin Header".to_owned());
    let (_tenant, answer) = faulty(TokenFault::Refuse {
        status: 403,
        code,
        detail,
    })
    .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "OAUTH-29");
    assert_eq!(body["errors"][0]["detail"], "Invalid Origin Header");
}

#[tokio::test]
async fn a_page_and_half_a_text_are_no_token() {
    let (tenant, answer) = faulty(TokenFault::Html { status: 200 }).await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    let page = answer.text().await.unwrap();
    assert!(tenant.secrets().iter().any(|secret| page.contains(secret)));

    let (_tenant, answer) = faulty(TokenFault::Garbage).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(serde_json::from_str::<Value>(&answer.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn a_huge_answer_is_huge() {
    let (_tenant, answer) = faulty(TokenFault::Huge { bytes: 2_000_000 }).await;
    assert!(answer.content_length().unwrap() > 2_000_000);
}

#[tokio::test]
async fn a_redirect_points_elsewhere() {
    let location = "http://127.0.0.1:1/steal".to_owned();
    let (_tenant, answer) = faulty(TokenFault::Redirect { location }).await;
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(answer.headers()["location"], "http://127.0.0.1:1/steal");
}

#[tokio::test]
async fn a_life_can_be_told_in_four_ways() {
    let lives = [
        (TokenFault::ExpiresIn { seconds: 2 }, json!(2), true),
        (TokenFault::ExpiresAtOnly { seconds: 2 }, Value::Null, true),
        (TokenFault::NoExpiry, Value::Null, false),
        (TokenFault::Huge { bytes: 1 }, json!(21600), true),
    ];
    for (fault, expires_in, expires_at) in lives {
        let (_tenant, answer) = faulty(fault).await;
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["expires_in"], expires_in);
        assert_eq!(body["expires_at"].is_string(), expires_at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_life_is_truly_short() {
    let tenant = tenant().await;
    tenant.script(Script::Token(TokenFault::ExpiresIn { seconds: 2 }));
    let short = token(&tenant, &impersonation("subject", "ann")).await;
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(refusal(&tenant, &exchange("trusted", &short)).await.0, 401);
}

#[tokio::test]
async fn a_delay_is_waited_for() {
    let start = std::time::Instant::now();
    let (_tenant, answer) = faulty(TokenFault::Delay { ms: 50 }).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_drop_and_silence_give_no_answer() {
    let tenant = tenant().await;
    tenant.script(Script::Token(TokenFault::Drop));
    tenant.script(Script::Token(TokenFault::Silence));
    let post = || {
        http()
            .post(token_url(&tenant))
            .json(&credentials("machine"))
    };
    assert!(!post().send().await.unwrap_err().is_timeout());
    let silent = post().timeout(Duration::from_millis(100)).send().await;
    assert!(silent.unwrap_err().is_timeout());
}
