//! Tenants and clients for the tests.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::{Request, Response},
    },
};

use engine_sim::tenant::{Builder, ClientKind, Tenant};

pub(crate) const KEY: &str = "canary-key-of-the-tests";
pub(crate) const SECRET: &str = "canary-secret-of-the-tests";
pub(crate) type Client = WebSocketStream<TcpStream>;

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn builder() -> Builder {
    Tenant::builder()
        .api_key(KEY)
        .client("trusted", SECRET, ClientKind::Trusted)
        .client("machine", SECRET, ClientKind::Machine)
}

pub(crate) async fn start(builder: Builder) -> Tenant {
    builder.start(loopback()).await.unwrap()
}

pub(crate) async fn tenant() -> Tenant {
    start(builder()).await
}

pub(crate) fn request(tenant: &Tenant, path: &str, bearer: Option<&str>) -> Request {
    let url = format!("ws://{}{path}", tenant.address());
    let mut request = url.into_client_request().unwrap();
    if let Some(bearer) = bearer {
        let value = format!("Bearer {bearer}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    request
}

pub(crate) async fn dial(request: Request) -> Result<(Client, Response), Error> {
    let host = request.uri().authority().unwrap().as_str().to_owned();
    let stream = TcpStream::connect(host).await.unwrap();
    client_async(request, stream).await
}

/// A socket with the API key, its greeting read.
pub(crate) async fn open(tenant: &Tenant, path: &str) -> Client {
    let (mut client, _) = dial(request(tenant, path, Some(KEY))).await.unwrap();
    assert_eq!(receive(&mut client).await["method"], "OnConnected");
    client
}

/// The status and body of an upgrade that is refused.
pub(crate) async fn refused(request: Request) -> (StatusCode, String) {
    match dial(request).await {
        Err(Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            (answer.status(), String::from_utf8(body).unwrap())
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

pub(crate) async fn next(client: &mut Client) -> Message {
    client.next().await.unwrap().unwrap()
}

pub(crate) async fn receive(client: &mut Client) -> Value {
    match next(client).await {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("expected text, got {other:?}"),
    }
}

/// The code and reason of the Close that comes next.
pub(crate) async fn closed(client: &mut Client) -> Option<(u16, String)> {
    match next(client).await {
        Message::Close(frame) => frame.map(|frame| (frame.code.into(), frame.reason.to_string())),
        other => panic!("expected a Close, got {other:?}"),
    }
}

pub(crate) async fn call(client: &mut Client, id: u64, method: &str) {
    let call = json!({ "jsonrpc": "2.0", "id": id, "handle": -1, "method": method, "params": [] });
    client.send(Message::text(call.to_string())).await.unwrap();
}

/// A token request in JSON: status and body.
pub(crate) async fn fetch(tenant: &Tenant, body: &Value) -> (StatusCode, Value) {
    let answer = http()
        .post(token_url(tenant))
        .json(body)
        .send()
        .await
        .unwrap();
    (answer.status(), answer.json().await.unwrap())
}

pub(crate) fn token_url(tenant: &Tenant) -> String {
    format!("{}/oauth/token", tenant.url())
}

/// An HTTP client that follows nothing, as a careful one does.
pub(crate) fn http() -> reqwest::Client {
    // Installed once a process; a second try says so and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.no_proxy().build().unwrap()
}

pub(crate) fn credentials(client: &str) -> Value {
    json!({
        "client_id": client, "client_secret": SECRET, "scope": "user_default",
        "grant_type": "client_credentials",
    })
}

pub(crate) fn impersonation(field: &str, value: &str) -> Value {
    let mut body = credentials("trusted");
    body["grant_type"] = json!("urn:qlik:oauth:user-impersonation");
    body["user_lookup"] = json!({ "field": field, "value": value });
    body
}

pub(crate) fn exchange(client: &str, token: &str) -> Value {
    json!({
        "client_id": client, "subject_token": token, "purpose": "websocket",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    })
}

/// The token of a request that is granted.
pub(crate) async fn token(tenant: &Tenant, body: &Value) -> String {
    let (status, body) = fetch(tenant, body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}
