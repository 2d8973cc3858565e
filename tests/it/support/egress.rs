//! A forward proxy that knows names which nobody else does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Opens tunnels for whoever knows the password; ends with this value.
pub(crate) struct Egress {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    login: &'static str,
    targets: Mutex<HashMap<String, SocketAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Egress {
    /// Starts one that demands this `Proxy-Authorization`.
    pub(crate) async fn start(login: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            login,
            targets: Mutex::default(),
            asked: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where tunnels to `host:port` lead from now on.
    pub(crate) fn lead(&self, target: &str, address: SocketAddr) {
        let mut targets = self.shared.targets.lock().unwrap();
        targets.insert(target.to_owned(), address);
    }

    /// The targets that tunnels were opened to.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(client.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap();
    let target = line.strip_prefix("CONNECT ").unwrap_or(line);
    let target = target.trim_end_matches(" HTTP/1.1").to_owned();
    let knows = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        name.eq_ignore_ascii_case("proxy-authorization") && value == shared.login
    };
    if !head.lines().any(knows) {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        let _ = client.write_all(refusal).await;
        return;
    }
    shared.asked.lock().unwrap().push(target.clone());
    let address = shared.targets.lock().unwrap()[&target];
    let mut engine = TcpStream::connect(address).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut engine).await;
}
