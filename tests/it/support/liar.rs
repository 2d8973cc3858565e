//! An engine that answers anything with the same bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A server that ends with this value.
pub(crate) struct Liar {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

impl Liar {
    /// Answers a request head with this; `ACCEPT` in it becomes the right accept key.
    pub(crate) async fn start(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, answer.into(), Arc::clone(&heard)));
        Self {
            address,
            heard,
            _tasks: tasks,
        }
    }

    /// Its line in `[route.engine]`.
    pub(crate) fn engine(&self) -> String {
        format!("url = \"http://{}\"\n", self.address)
    }

    /// All that it was told.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

async fn accept(listener: TcpListener, answer: String, heard: Arc<Mutex<Vec<u8>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, answer.clone(), Arc::clone(&heard)));
    }
}

async fn serve(mut stream: TcpStream, answer: String, heard: Arc<Mutex<Vec<u8>>>) {
    let mut request = Vec::new();
    while memchr::memmem::find(&request, b"\r\n\r\n").is_none() {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    heard.lock().unwrap().extend_from_slice(&request);
    let text = String::from_utf8_lossy(&request).into_owned();
    let answer = answer.replace("ACCEPT", &accept_key(&text));
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    let mut more = Vec::new();
    while matches!(stream.read_buf(&mut more).await, Ok(1..)) {
        heard.lock().unwrap().append(&mut more);
    }
}

pub(super) fn accept_key(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "));
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes())
}
