//! An engine of which nothing is left but the websocket: whoever opened it holds its raw bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::liar::accept_key;

/// A listener that upgrades whoever comes.
pub(crate) struct Mill {
    address: SocketAddr,
    opened: mpsc::UnboundedReceiver<(String, TcpStream)>,
    _tasks: JoinSet<()>,
}

impl Mill {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, opened) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (io, _) = listener.accept().await.unwrap();
                tokio::spawn(upgrade(io, sender.clone()));
            }
        });
        Self {
            address,
            opened,
            _tasks: tasks,
        }
    }

    /// Its line in `[route.engine]`, and nobody is pinged while a test lasts.
    pub(crate) fn engine(&self) -> String {
        format!("url = \"http://{}\"\nping = \"1h\"\n", self.address)
    }

    /// The next socket that was opened: the app it is for, and its connection.
    pub(crate) async fn next(&mut self) -> (String, TcpStream) {
        self.opened.recv().await.unwrap()
    }
}

async fn upgrade(mut io: TcpStream, opened: mpsc::UnboundedSender<(String, TcpStream)>) {
    io.set_nodelay(true).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = io.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let app = head.split('/').nth(2).unwrap().to_owned();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {}\r\n\r\n",
        accept_key(&head)
    );
    io.write_all(answer.as_bytes()).await.unwrap();
    // The test may have ended.
    let _ = opened.send((app, io));
}
