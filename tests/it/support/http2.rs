//! A client that speaks HTTP/2 to the public door.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{PingPong, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::browser::Browser;
use super::eyes::Eyes;
use super::{Answer, Authority, ORIGIN, World, soon};

/// A connection to the public door.
pub(crate) struct Visitor {
    eyes: Eyes,
    pub(crate) sender: SendRequest<Bytes>,
    /// Once one is answered, all that was sent before it has been seen.
    pub(crate) pings: PingPong,
    /// How the connection ends.
    pub(crate) over: JoinHandle<Result<(), h2::Error>>,
}

impl World {
    /// Goes to the public door with HTTP/2.
    pub(crate) async fn visit_http2(&self, authority: &Authority) -> Visitor {
        self.visit_http2_with(authority, &Builder::new()).await
    }

    /// The same, with settings of one's own.
    pub(crate) async fn visit_http2_with(
        &self,
        authority: &Authority,
        settings: &Builder,
    ) -> Visitor {
        let io = self.dial_http2(authority).await;
        self.greet_http2(io, settings).await
    }

    /// Begins to speak HTTP/2.
    pub(crate) async fn greet_http2(
        &self,
        io: TlsStream<TcpStream>,
        settings: &Builder,
    ) -> Visitor {
        let (sender, connection) = soon(settings.handshake(io)).await.unwrap();
        let mut connection = connection;
        let pings = connection.ping_pong().unwrap();
        let over = tokio::spawn(connection);
        let mut sender = soon(sender.ready()).await.unwrap();
        // The server's settings come with its first bytes.
        super::until(|| sender.is_extended_connect_protocol_enabled()).await;
        sender = soon(sender.ready()).await.unwrap();
        Visitor {
            eyes: self.eyes(),
            sender,
            pings,
            over,
        }
    }

    /// A TLS connection on which HTTP/2 was agreed upon, and nothing said.
    pub(crate) async fn dial_http2(&self, authority: &Authority) -> TlsStream<TcpStream> {
        self.secure_http2(authority.client(&["h2", "http/1.1"]))
            .await
    }

    /// The same with a TLS of one's own, which offers it.
    pub(crate) async fn secure_http2(&self, tls: ClientConfig) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.proxy.public).await.unwrap();
        let tls = TlsConnector::from(Arc::new(tls));
        let name = "app.example.com".try_into().unwrap();
        let io = soon(tls.connect(name, tcp)).await.unwrap();
        assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        io
    }
}

/// A request that can be bent.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    request: Request<()>,
}

impl Ask {
    pub(crate) fn new(method: Method, target: &str) -> Self {
        let uri = format!("https://app.example.com{target}");
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        Self { request }
    }

    /// A websocket of a page of the right origin.
    pub(crate) fn websocket(target: &str) -> Self {
        let ask = Self::new(Method::CONNECT, target).protocol("websocket");
        ask.with("sec-websocket-version", "13")
            .with("origin", ORIGIN)
    }

    pub(crate) fn protocol(mut self, name: &'static str) -> Self {
        let protocol = Protocol::from_static(name);
        self.request.extensions_mut().insert(protocol);
        self
    }

    /// At another address of the same connection.
    pub(crate) fn uri(mut self, uri: &str) -> Self {
        *self.request.uri_mut() = uri.parse().unwrap();
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        let name = HeaderName::from_static(name);
        self.request.headers_mut().append(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    pub(crate) fn set(self, name: &'static str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn into_request(self) -> Request<()> {
        self.request
    }

    pub(crate) fn cookie(self, token: &str) -> Self {
        self.with("cookie", &format!("session={token}"))
    }
}

impl Visitor {
    /// Sends a head; the body may follow.
    pub(crate) async fn begin(&mut self, ask: Ask) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = soon(self.sender.clone().ready()).await;
        self.sender = ready.unwrap();
        self.sender.send_request(ask.request, false).unwrap()
    }

    /// Sends a websocket request that must be let in.
    pub(crate) async fn streams(&mut self, ask: Ask) -> (RecvStream, SendStream<Bytes>) {
        admitted(self.sender.clone(), ask).await
    }

    /// A websocket that must be let in, greeting and all.
    pub(crate) async fn upgraded(&mut self, ask: Ask) -> Browser {
        let io = self.bytes(ask).await;
        Browser::new(self.eyes.watch(io), Vec::new()).await
    }

    /// The bytes of a websocket that must be let in.
    pub(crate) async fn bytes(&self, ask: Ask) -> DuplexStream {
        let (down, up) = admitted(self.sender.clone(), ask).await;
        let (near, far) = duplex(64 << 10);
        let (reader, writer) = split(far);
        tokio::spawn(send(reader, up));
        tokio::spawn(receive(down, writer));
        near
    }

    /// A websocket that must open, and be greeted by the engine.
    pub(crate) async fn open(&mut self, ask: Ask) -> Browser {
        let mut browser = self.upgraded(ask).await;
        let greeting = browser.receive().await;
        assert_eq!(greeting["method"], "OnConnected", "{greeting}");
        browser
    }

    /// Sends a request with this body; its answer.
    pub(crate) async fn ask(&mut self, ask: Ask, body: &[u8]) -> Answer {
        let (answer, mut up) = self.begin(ask).await;
        // Whoever is refused for its head may be refused before its body.
        let _ = up.send_data(Bytes::copy_from_slice(body), true);
        let answer = soon(answer).await.unwrap();
        let answer = soon(whole(answer)).await;
        self.eyes.note(format!("{answer:?}").as_bytes());
        answer
    }
}

async fn admitted(sender: SendRequest<Bytes>, ask: Ask) -> (RecvStream, SendStream<Bytes>) {
    let mut sender = soon(sender.ready()).await.unwrap();
    let (answer, up) = sender.send_request(ask.request, false).unwrap();
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let mut names: Vec<_> = answer.headers().keys().map(HeaderName::as_str).collect();
    names.retain(|name| *name != "sec-websocket-protocol");
    assert!(names.is_empty(), "{names:?}");
    (answer.into_body(), up)
}

async fn whole(answer: Response<RecvStream>) -> Answer {
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    Answer {
        status: head.status.as_u16(),
        headers: headers(&head.headers),
        body: String::from_utf8(bytes).unwrap(),
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

async fn send(mut from: ReadHalf<DuplexStream>, mut to: SendStream<Bytes>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let data = Bytes::copy_from_slice(&bytes[..length]);
        if to.send_data(data, false).is_err() {
            return;
        }
    }
    // The other side may be gone before.
    let _ = to.send_data(Bytes::new(), true);
}

async fn receive(mut from: RecvStream, mut to: WriteHalf<DuplexStream>) {
    while let Some(Ok(data)) = from.data().await {
        from.flow_control().release_capacity(data.len()).unwrap();
        if to.write_all(&data).await.is_err() {
            return;
        }
    }
    // Nobody may read it any more.
    let _ = to.shutdown().await;
}
