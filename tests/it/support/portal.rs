//! The app's own server: its session endpoint and its key set. It remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A server that ends with this value.
pub(crate) struct Portal {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    held: watch::Sender<Option<String>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    sessions: Vec<(String, Reply)>,
    otherwise: Option<Reply>,
    keys: Vec<Value>,
    asked: Vec<Asked>,
}

/// What the endpoint was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path.
    pub(crate) path: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
}

/// What the endpoint says.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Reply {
    /// 200 and this.
    pub(crate) fn json(body: &Value) -> Self {
        Self {
            status: 200,
            kind: "application/json",
            body: body.to_string(),
        }
    }

    /// A status with a web page.
    pub(crate) fn page(status: u16) -> Self {
        Self {
            status,
            kind: "text/html",
            body: "<!doctype html>".to_owned(),
        }
    }
}

impl Portal {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::default();
        let held = watch::Sender::new(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared), held.subscribe()));
        Self {
            address,
            shared,
            held,
            _tasks: tasks,
        }
    }

    /// Where something stands on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Says this to whoever brings that cookie value.
    pub(crate) fn log_in(&self, cookie: &str, reply: Reply) {
        let mut shared = self.shared.lock().unwrap();
        shared.sessions.push((cookie.to_owned(), reply));
    }

    /// Knows that cookie value no more.
    pub(crate) fn log_out(&self, cookie: &str) {
        let mut shared = self.shared.lock().unwrap();
        shared.sessions.retain(|(other, _)| other != cookie);
    }

    /// Says this to everybody, or goes back to its sessions.
    pub(crate) fn say(&self, reply: Option<Reply>) {
        self.shared.lock().unwrap().otherwise = reply;
    }

    /// Keeps its answers at this path to itself, as they are when they are asked for.
    pub(crate) fn hold(&self, path: &str) {
        self.held.send_replace(Some(path.to_owned()));
    }

    /// Gives the answers that it kept.
    pub(crate) fn release(&self) {
        self.held.send_replace(None);
    }

    /// How often it was asked at a path.
    pub(crate) fn asked_at(&self, path: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared.asked.iter().filter(|it| it.path == path).count()
    }

    /// Publishes these keys.
    pub(crate) fn publish(&self, keys: Vec<Value>) {
        self.shared.lock().unwrap().keys = keys;
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.lock().unwrap().asked.clone()
    }
}

type Held = watch::Receiver<Option<String>>;

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>, held: Held) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, Arc::clone(&shared), held.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Mutex<Shared>>, held: Held) {
    let service = service_fn(|request: Request<Incoming>| {
        let reply = shared.lock().unwrap().answer(&request);
        let (path, mut held) = (request.uri().path().to_owned(), held.clone());
        async move {
            // Where nobody can hold it any more, nobody is there to hear it either.
            let _ = held.wait_for(|held| held.as_ref() != Some(&path)).await;
            Ok::<_, Infallible>(respond(reply))
        }
    });
    // A client that leaves is no failure of a test.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    let kind = http::HeaderValue::from_static(reply.kind);
    response.headers_mut().insert("content-type", kind);
    response
}

impl Shared {
    fn answer(&mut self, request: &Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let headers = request.headers().clone();
        let cookies = headers.get("cookie").map_or("", |it| it.to_str().unwrap());
        let known = |(value, _): &&(String, Reply)| cookies.contains(&format!("={value}"));
        let session = self.sessions.iter().find(known).map(|(_, it)| it.clone());
        let keys = Reply::json(&serde_json::json!({ "keys": self.keys }));
        self.asked.push(Asked {
            path: path.clone(),
            headers: headers.clone(),
        });
        match (path.as_str(), &self.otherwise) {
            ("/keys" | "/spare", _) => keys,
            (_, Some(otherwise)) => otherwise.clone(),
            _ => session.unwrap_or(Reply::page(401)),
        }
    }
}
