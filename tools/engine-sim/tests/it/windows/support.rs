//! Installations, keys and clients for the tests.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, StatusCode, header::SET_COOKIE};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, RsaKeySize};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::{Request, Response},
    },
};

use engine_sim::{
    certificates::Certificates,
    windows::{Builder, Windows},
};

pub(super) type Client = WebSocketStream<TlsStream<TcpStream>>;
pub(super) const XRFKEY: &str = "abcdefghij012345";

/// Somebody who signs JWTs.
pub(super) struct Signer {
    pub(super) public: String,
    pub(super) certificate: String,
    key: EncodingKey,
}

impl Signer {
    pub(super) fn new() -> Self {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap();
        Self {
            public: pair.public_key_pem(),
            certificate: certificate.self_signed(&pair).unwrap().pem(),
            key: EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
        }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        encode(&Header::new(Algorithm::RS256), claims, &self.key).unwrap()
    }

    pub(super) fn jwt(&self, id: &str) -> String {
        self.sign(&json!({ "userId": id, "userDirectory": "CORP", "exp": 4_000_000_000_u64 }))
    }
}

pub(super) async fn start(builder: Builder) -> Windows {
    builder.start().await.unwrap()
}

/// An HTTP client with the certificates of `client`, that trusts the root of `windows`.
pub(super) fn http(windows: &Windows, client: Option<&Certificates>) -> reqwest::Client {
    let _ = aws_lc_rs::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(windows.certificates().root().as_bytes());
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([root.unwrap()])
        .no_proxy();
    if let Some(client) = client {
        let (certificate, key) = client.client();
        let pem = format!("{certificate}{key}");
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

/// A request to the proxy service, with everything it demands.
pub(super) async fn qps(
    windows: &Windows,
    method: reqwest::Method,
    path: &str,
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let url = format!("{}{path}?xrfkey={XRFKEY}", windows.qps_url());
    let http = http(windows, Some(windows.certificates()));
    let mut request = http.request(method, url).header("X-Qlik-Xrfkey", XRFKEY);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// A websocket request to a URL that starts with `https`.
pub(super) fn upgrade(url: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut request = url
        .replacen("https", "wss", 1)
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    request
}

/// Dials with the certificates of `client`.
pub(super) async fn dial_as(
    windows: &Windows,
    client: Option<&Certificates>,
    request: Request,
) -> Result<(Client, Response), Error> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(windows.certificates().root().as_bytes());
    roots.add(root.unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(client) => {
            let (certificate, key) = client.client();
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        }
    };
    let host = request.uri().authority().unwrap().as_str().to_owned();
    let stream = TcpStream::connect(host).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(Error::Io)?;
    client_async(request, stream).await
}

pub(super) async fn dial(windows: &Windows, request: Request) -> Result<(Client, Response), Error> {
    dial_as(windows, None, request).await
}

/// The status of an upgrade that is refused.
pub(super) async fn refused(windows: &Windows, request: Request) -> StatusCode {
    match dial(windows, request).await {
        Err(Error::Http(answer)) => answer.status(),
        other => panic!(
            "expected a refusal, got {:?}",
            other.map(|(_, answer)| answer)
        ),
    }
}

pub(super) async fn call(client: &mut Client, id: u64, method: &str) {
    let call = json!({ "jsonrpc": "2.0", "id": id, "handle": -1, "method": method, "params": [] });
    client.send(Message::text(call.to_string())).await.unwrap();
}

pub(super) async fn receive(client: &mut Client) -> Value {
    match client.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("expected text, got {other:?}"),
    }
}

/// Says the first words and reads until their answer: all that came.
pub(super) async fn talk(client: &mut Client) -> Vec<Value> {
    call(client, 1, "GetAuthenticatedUser").await;
    let mut heard = vec![receive(client).await];
    while heard.last().unwrap()["id"] != 1 {
        heard.push(receive(client).await);
    }
    heard
}

/// `name=value` of the session cookie that an answer sets.
pub(super) fn cookie(headers: &http::HeaderMap) -> Option<String> {
    let line = headers.get(SET_COOKIE)?.to_str().unwrap();
    line.split(';').next().map(ToOwned::to_owned)
}

/// The methods of notifications, in order; answers are `result`.
pub(super) fn methods(heard: &[Value]) -> Vec<&str> {
    heard
        .iter()
        .map(|one| one["method"].as_str().unwrap_or("result"))
        .collect()
}
