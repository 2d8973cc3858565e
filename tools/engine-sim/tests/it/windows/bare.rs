//! The engine's own port, and an engine on its own.

use engine_sim::{
    certificates::Certificates,
    core::Core,
    windows::{VirtualProxy, Windows},
};
use futures_util::SinkExt;
use http::StatusCode;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, Message, handshake::client::Request},
};

use super::support::{Signer, call, dial_as, methods, receive, start, talk, upgrade};
use crate::support::loopback;

#[tokio::test]
async fn the_engines_port_takes_the_exports_client_and_a_named_user() {
    let windows = start(Windows::builder()).await;
    let url = format!("{}/app/engineData", windows.engine_url());
    let request = || {
        upgrade(
            &url,
            &[("x-qlik-user", "UserDirectory=CORP; UserId=ann%20b")],
        )
    };
    let own = windows.certificates().clone();

    let (mut client, _) = dial_as(&windows, Some(&own), request()).await.unwrap();
    assert_eq!(receive(&mut client).await["method"], "OnConnected");
    client.send(Message::Ping("".into())).await.unwrap();
    call(&mut client, 1, "GetAuthenticatedUser").await;
    assert!(
        futures_util::StreamExt::next(&mut client)
            .await
            .unwrap()
            .unwrap()
            .is_pong()
    );
    let answer = receive(&mut client).await;
    assert_eq!(
        answer["result"]["qReturn"],
        "UserDirectory=CORP; UserId=ann b"
    );

    let stranger = Certificates::made_for(&["127.0.0.1"]).unwrap();
    for client in [None, Some(&stranger)] {
        let dialled = dial_as(&windows, client, request()).await;
        assert!(
            !matches!(dialled, Ok(_) | Err(Error::Http(_))),
            "{dialled:?}"
        );
    }
    match dial_as(&windows, Some(&own), upgrade(&url, &[])).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), StatusCode::FORBIDDEN),
        other => panic!("{other:?}"),
    }
    assert!(windows.sessions().is_empty());
}

#[tokio::test]
async fn a_server_certificate_may_name_another_host() {
    let other = Certificates::made_for(&["qlik.corp.example"]).unwrap();
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    let builder = Windows::builder().virtual_proxy("", proxy);
    let windows = start(builder.certificates(other)).await;
    let url = format!("{}/app/engineData", windows.engine_url());
    let own = windows.certificates().clone();
    let dialled = dial_as(&windows, Some(&own), upgrade(&url, &[])).await;
    assert!(matches!(dialled, Err(Error::Io(_))), "{dialled:?}");
}

async fn knock(
    core: &Core,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Vec<String>, StatusCode> {
    let mut request: Request = upgrade(&format!("{}{path}", core.url()), headers);
    let url = request.uri().to_string().replacen("http", "ws", 1);
    *request.uri_mut() = url.parse().unwrap();
    let host = request.uri().authority().unwrap().as_str().to_owned();
    let stream = TcpStream::connect(host).await.unwrap();
    match client_async(request, stream).await {
        Ok((mut client, _)) => {
            let mut heard = Vec::new();
            for _ in 0..1 {
                let message = futures_util::StreamExt::next(&mut client)
                    .await
                    .unwrap()
                    .unwrap();
                heard.push(message.into_text().unwrap().to_string());
            }
            Ok(heard)
        }
        Err(Error::Http(answer)) => Err(answer.status()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn core_checks_bearers_when_it_is_told_to() {
    let signer = Signer::new();
    let secret = b"canary-secret-of-core";
    let shared = EncodingKey::from_secret(secret);
    let by_secret = encode(&Header::default(), &json!({ "sub": "ann" }), &shared).unwrap();
    let by_key = signer.sign(&json!({ "sub": "ann" }));
    for (builder, good, bad) in [
        (
            Core::builder().validate_by_secret(secret),
            &by_secret,
            &by_key,
        ),
        (
            Core::builder().validate_by_key(&signer.public).unwrap(),
            &by_key,
            &by_secret,
        ),
    ] {
        let core = builder.start(loopback()).await.unwrap();
        let good = format!("Bearer {good}");
        let bad = format!("Bearer {bad}");
        let heard = knock(&core, "/app/a", &[("authorization", &good)])
            .await
            .unwrap();
        assert!(heard[0].contains("SESSION_CREATED"), "{heard:?}");
        for headers in [vec![], vec![("authorization", bad.as_str())]] {
            let refused = knock(&core, "/app/a", &headers).await;
            assert_eq!(refused, Err(StatusCode::UNAUTHORIZED));
        }
        core.stop().await;
    }
    let open = Core::builder().start(loopback()).await.unwrap();
    knock(&open, "/app/a", &[]).await.unwrap();
}

#[tokio::test]
async fn core_joins_the_session_that_a_header_names() {
    let core = Core::builder().start(loopback()).await.unwrap();
    let state = async |session: &str| {
        let headers = [("x-qlik-session", session)];
        knock(&core, "/app/a/ttl/60", &headers)
            .await
            .unwrap()
            .remove(0)
    };
    assert!(state("one").await.contains("SESSION_CREATED"));
    assert!(state("two").await.contains("SESSION_CREATED"));
    assert!(state("one").await.contains("SESSION_ATTACHED"));
}

#[tokio::test]
async fn a_proxy_and_the_engines_port_are_one_engine() {
    let proxy = VirtualProxy::header("x-person").directory("CORP");
    let windows = start(Windows::builder().virtual_proxy("", proxy)).await;
    let url = format!("{}/app/a/ttl/60", windows.engine_url());
    let own = windows.certificates().clone();
    let user = [("x-qlik-user", "UserDirectory=CORP; UserId=ann")];
    dial_as(&windows, Some(&own), upgrade(&url, &user))
        .await
        .unwrap();
    windows
        .until(|state| state.sockets_opened == 1 && state.sockets_open == 0)
        .await;

    let url = format!("{}/app/a/ttl/60", windows.url());
    let request = upgrade(&url, &[("x-person", "ann")]);
    let (mut client, _) = dial_as(&windows, None, request).await.unwrap();
    let heard = talk(&mut client).await;
    assert_eq!(methods(&heard)[1], "OnConnected");
    assert_eq!(heard[1]["params"]["qSessionState"], "SESSION_ATTACHED");
}
