//! Who may open a websocket, and upgrades that go wrong.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use http::StatusCode;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;

use engine_sim::tenant::{Script, Tenant, UpgradeFault};

use crate::support::{
    KEY, builder, credentials, dial, exchange, impersonation, open, receive, refused, request,
    start, tenant, token,
};

#[tokio::test]
async fn an_api_key_opens_a_socket_that_is_greeted() {
    let tenant = tenant().await;
    let (mut client, _) = dial(request(&tenant, "/app/a", Some(KEY))).await.unwrap();

    let greeting = receive(&mut client).await;

    assert_eq!(greeting["params"]["qSessionState"], "SESSION_CREATED");
    assert_eq!(tenant.sockets_open(), 1);
    drop(client);
    assert_eq!(
        tenant.until(|state| state.sockets_open == 0).await.aborts,
        1
    );
}

#[tokio::test]
async fn tokens_of_both_grants_open_a_socket() {
    let tenant = tenant().await;
    for body in [
        credentials("machine"),
        credentials("trusted"),
        impersonation("subject", "ann"),
    ] {
        let token = token(&tenant, &body).await;
        assert!(dial(request(&tenant, "/app/a", Some(&token))).await.is_ok());
    }
}

#[tokio::test]
async fn no_bearer_a_wrong_one_and_one_in_the_query_are_refused() {
    let tenant = tenant().await;
    let token = token(&tenant, &impersonation("subject", "ann")).await;
    let in_query = format!("/app/a?accessToken={token}");
    for request in [
        request(&tenant, "/app/a", None),
        request(&tenant, "/app/a", Some("wrong")),
        request(&tenant, &in_query, None),
    ] {
        let (status, body) = refused(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(
            body.contains("\"errors\"") && body.contains("traceId"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_exchanged_token_goes_in_the_query_and_nowhere_else() {
    let tenant = tenant().await;
    let person = token(&tenant, &impersonation("subject", "ann")).await;
    let exchanged = token(&tenant, &exchange("trusted", &person)).await;

    let in_query = format!("/app/a?reloadUri=x&accessToken={exchanged}");
    assert!(dial(request(&tenant, &in_query, None)).await.is_ok());
    let (status, _) = refused(request(&tenant, "/app/a", Some(&exchanged))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn expired_tokens_are_refused_and_keys_are_not() {
    let tenant = tenant().await;
    let token = token(&tenant, &credentials("machine")).await;
    assert!(dial(request(&tenant, "/app/a", Some(&token))).await.is_ok());

    tenant.script(Script::ExpireTokens);

    let (status, _) = refused(request(&tenant, "/app/a", Some(&token))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    open(&tenant, "/app/a").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refused_after_its_life() {
    let life = Duration::from_mins(1);
    let tenant = start(builder().token_life(life)).await;
    let token = token(&tenant, &credentials("machine")).await;

    tokio::time::advance(life.checked_sub(Duration::from_secs(1)).unwrap()).await;
    assert!(dial(request(&tenant, "/app/a", Some(&token))).await.is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    let (status, _) = refused(request(&tenant, "/app/a", Some(&token))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_open_tenant_demands_nothing() {
    let tenant = start(Tenant::builder().open()).await;
    assert!(dial(request(&tenant, "/app/a", None)).await.is_ok());
}

#[tokio::test]
async fn every_form_of_the_url_opens_and_a_wrong_one_is_404() {
    let tenant = tenant().await;
    for path in [
        "/app/engineData",
        "/app/SessionApp_17",
        "/app/%3Ftransient%3D/identity/17",
        "/app/a/identity/x%20y/ttl/60?reloadUri=x&",
    ] {
        open(&tenant, path).await;
    }
    let (status, _) = refused(request(&tenant, "/app/a/else", Some(KEY))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_is_told_so() {
    let tenant = tenant().await;
    let url = format!("{}/app/a", tenant.url());
    let answer = crate::support::http()
        .get(url)
        .bearer_auth(KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn scripted_refusals_carry_their_status_and_a_canary() {
    let tenant = tenant().await;
    for status in [401, 403, 404, 500] {
        tenant.script(Script::Upgrade(UpgradeFault::Refuse { status, body: None }));
        let (seen, body) = refused(request(&tenant, "/app/a", Some(KEY))).await;
        assert_eq!(seen.as_u16(), status);
        assert!(
            body.starts_with("canary-") && tenant.secrets().contains(&body),
            "{body}"
        );
    }
    open(&tenant, "/app/a").await;
}

#[tokio::test]
async fn a_200_and_a_redirect_are_no_upgrade() {
    let tenant = tenant().await;
    let location = "https://else.example/login".to_owned();
    tenant.script(Script::Upgrade(UpgradeFault::NoUpgrade));
    tenant.script(Script::Upgrade(UpgradeFault::Redirect { location }));
    assert_eq!(
        refused(request(&tenant, "/app/a", Some(KEY))).await.0,
        StatusCode::OK
    );
    assert_eq!(
        refused(request(&tenant, "/app/a", Some(KEY))).await.0,
        StatusCode::FOUND
    );
}

#[tokio::test]
async fn a_101_can_lie_in_three_ways() {
    let tenant = tenant().await;
    tenant.script(Script::Upgrade(UpgradeFault::WrongAccept));
    tenant.script(Script::Upgrade(UpgradeFault::UnofferedProtocol));
    tenant.script(Script::Upgrade(UpgradeFault::UnofferedExtension));

    let accept = raw_upgrade(&tenant).await;
    let protocol = raw_upgrade(&tenant).await;
    let extension = raw_upgrade(&tenant).await;

    // The accept key of RFC 6455's example, which `raw_upgrade` sends.
    let right = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for head in [&accept, &protocol, &extension] {
        assert!(head.starts_with("http/1.1 101"), "{head}");
    }
    assert!(!accept.contains(&right.to_lowercase()), "{accept}");
    assert!(
        protocol.contains("sec-websocket-protocol: unoffered"),
        "{protocol}"
    );
    assert!(
        extension.contains("sec-websocket-extensions: x-unoffered"),
        "{extension}"
    );
    assert!(extension.contains(&right.to_lowercase()), "{extension}");
}

/// Many rounds, with the client on a thread of its own: two packets would be seen apart in some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_greeting_comes_in_the_packet_of_the_101() {
    let tenant = tenant().await;
    for _ in 0..50 {
        tenant.script(Script::Upgrade(UpgradeFault::EarlyGreeting));
        let packet = raw_upgrade(&tenant).await;
        let (_, frame) = packet.split_once("\r\n\r\n").unwrap();
        assert!(frame.contains("onconnected"), "{packet}");
    }
}

#[tokio::test]
async fn every_answer_to_an_upgrade_carries_canaries_in_its_headers() {
    let tenant = tenant().await;
    let (_client, answer) = dial(request(&tenant, "/app/a", Some(KEY))).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        tenant
            .secrets()
            .iter()
            .any(|secret| cookie.contains(secret)),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_drop_gives_no_answer() {
    let tenant = tenant().await;
    tenant.script(Script::Upgrade(UpgradeFault::Drop));
    let outcome = dial(request(&tenant, "/app/a", Some(KEY))).await;
    assert!(
        !matches!(outcome, Ok(_) | Err(Error::Http(_))),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_ends_and_silence_does_not() {
    let tenant = tenant().await;
    tenant.script(Script::Upgrade(UpgradeFault::Delay { ms: 5000 }));
    let start = tokio::time::Instant::now();
    open(&tenant, "/app/a").await;
    assert!(start.elapsed() >= Duration::from_secs(5));

    tenant.script(Script::Upgrade(UpgradeFault::Silence));
    let dialled = dial(request(&tenant, "/app/a", Some(KEY)));
    assert!(timeout(Duration::from_hours(1), dialled).await.is_err());
}

#[tokio::test]
async fn a_greeting_can_be_missing() {
    let tenant = tenant().await;
    tenant.script(Script::Upgrade(UpgradeFault::NoGreeting));
    let (mut client, _) = dial(request(&tenant, "/app/a", Some(KEY))).await.unwrap();
    tenant.until(|state| state.sockets_open == 1).await;
    tenant.script(Script::Live(engine_sim::tenant::LiveFault::Say {
        text: "7".to_owned(),
    }));
    assert_eq!(receive(&mut client).await, 7);
}

/// The first packet that answers an upgrade, in lower case.
async fn raw_upgrade(tenant: &Tenant) -> String {
    let address = tenant.address();
    let packet = tokio::task::spawn_blocking(move || first_packet(address));
    String::from_utf8_lossy(&packet.await.unwrap()).to_lowercase()
}

fn first_packet(address: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /app/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut packet = vec![0; 4096];
    let read = stream.read(&mut packet).unwrap();
    packet.truncate(read);
    packet
}
