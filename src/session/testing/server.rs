//! A small HTTP server on a free port: it answers what it is told, remembers what it was asked,
//! and holds its answers back while a test wants it to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// A server that ends with this value.
pub(in crate::session) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    hold: watch::Sender<bool>,
    // Aborts all its tasks when it is dropped.
    _tasks: JoinSet<()>,
}

struct Shared {
    reply: Mutex<Reply>,
    asked: watch::Sender<Vec<Parts>>,
    held: watch::Receiver<bool>,
}

/// What the server answers.
#[derive(Clone, Debug)]
pub(in crate::session) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
}

impl Reply {
    /// A bare status.
    pub(in crate::session) fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// 200 with a JSON text.
    pub(in crate::session) fn json(body: impl Into<String>) -> Self {
        Self::status(200)
            .with("content-type", "application/json; charset=utf-8")
            .saying(body)
    }

    /// The same with one more header.
    pub(in crate::session) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// The same with a body.
    pub(in crate::session) fn saying(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}

impl Server {
    /// Starts a server.
    pub(in crate::session) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hold, held_back) = watch::channel(false);
        let shared = Arc::new(Shared {
            reply: Mutex::new(reply),
            asked: watch::channel(Vec::new()).0,
            held: held_back,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            hold,
            _tasks: tasks,
        }
    }

    /// Where something stands on it.
    pub(in crate::session) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// Answers so from now on.
    pub(in crate::session) fn answer(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    /// Lets every request wait until it is released; they are counted all the same.
    pub(in crate::session) fn hold(&self) {
        self.hold.send_replace(true);
    }

    /// Ends the waiting.
    pub(in crate::session) fn release(&self) {
        self.hold.send_replace(false);
    }

    /// How often it was asked.
    pub(in crate::session) fn count(&self) -> usize {
        self.shared.asked.borrow().len()
    }

    /// The heads of the requests; the bodies are among their extensions, as `Bytes`.
    pub(in crate::session) fn asked(&self) -> Vec<Parts> {
        self.shared.asked.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub(in crate::session) async fn until_asked(&self, times: usize) {
        super::until(|| self.count() >= times).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| respond(request, Arc::clone(&shared)));
    // A client that leaves is no failure of a test.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut parts, body) = request.into_parts();
    if let Ok(body) = body.collect().await {
        parts.extensions.insert(body.to_bytes());
    }
    shared.asked.send_modify(|asked| asked.push(parts));
    let mut held = shared.held.clone();
    held.wait_for(|held| !held).await.unwrap();
    let reply = shared.reply.lock().unwrap().clone();
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    Ok(response)
}
