//! A request on its way: every part of it can be bent.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::Answer;
use super::browser::Browser;
use super::eyes::Watched;
use super::{ORIGIN, World, soon};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A websocket request of a page of the right origin, unless it is bent.
#[derive(Clone, Debug)]
pub(crate) struct Knock<'a> {
    world: &'a World,
    address: SocketAddr,
    line: String,
    headers: Vec<(String, String)>,
    tail: Vec<u8>,
}

/// A 101, and the connection behind it.
pub(crate) struct Hello {
    /// The head of the 101.
    pub(crate) head: Answer,
    /// The socket.
    pub(crate) browser: Browser,
}

impl<'a> Knock<'a> {
    pub(crate) fn websocket(world: &'a World, target: &str) -> Self {
        let knock = Self::http(world, "GET", target)
            .with("connection", "Upgrade")
            .with("upgrade", "websocket")
            .with("sec-websocket-version", "13")
            .with("sec-websocket-key", KEY);
        knock.origin(ORIGIN)
    }

    pub(crate) fn http(world: &'a World, method: &str, target: &str) -> Self {
        let knock = Self {
            world,
            address: world.proxy.public,
            line: format!("{method} {target} HTTP/1.1"),
            headers: Vec::new(),
            tail: Vec::new(),
        };
        knock.with("host", "app.example.com")
    }

    /// At the door of another proxy.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// With another request line.
    pub(crate) fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a header in the place of its namesakes.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn origin(self, origin: &str) -> Self {
        self.set("origin", origin)
    }

    /// With a session cookie.
    pub(crate) fn cookie(self, token: &str) -> Self {
        self.with("cookie", &format!("session={token}"))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// With a form as its body.
    pub(crate) fn form(self, body: &[u8]) -> Self {
        self.with("content-type", "application/x-www-form-urlencoded")
            .with("content-length", &body.len().to_string())
            .tail(body)
    }

    /// With bytes right behind the head, in the same packet.
    pub(crate) fn tail(mut self, bytes: &[u8]) -> Self {
        self.tail.extend_from_slice(bytes);
        self
    }

    /// The request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line);
        for (name, value) in &self.headers {
            write!(bytes, "{name}: {value}\r\n").unwrap();
        }
        bytes.push_str("\r\n");
        [bytes.as_bytes(), &self.tail].concat()
    }

    /// Sends it; an answer, its connection, and what was read beyond the answer's head.
    async fn send(&self) -> (Answer, Watched, Vec<u8>) {
        let mut io = self.world.dial_at(self.address).await;
        io.write_all(&self.bytes()).await.unwrap();
        let mut read = Vec::new();
        let head = soon(Answer::head(&mut io, &mut read)).await;
        (head.expect("the proxy closed without an answer"), io, read)
    }

    /// Sends it; the answer must be a lawful 101.
    pub(crate) async fn upgraded(self) -> Hello {
        let (head, mut io, mut read) = self.send().await;
        if head.status != 101 {
            let answer = head.with_body(&mut io, &mut read).await;
            panic!("no 101: {answer:?}\n{}", self.world.log_text());
        }
        let accept = derive_accept_key(KEY.as_bytes());
        assert_eq!(head.header("sec-websocket-accept"), Some(accept.as_str()));
        let browser = Browser::new(io, read).await;
        Hello { head, browser }
    }

    /// Sends it; the socket must open, and the engine greet.
    pub(crate) async fn open(self) -> Browser {
        let mut browser = self.upgraded().await.browser;
        let greeting = browser.receive().await;
        assert_eq!(greeting["method"], "OnConnected", "{greeting}");
        browser.greeting = greeting;
        browser
    }

    /// Sends it; the socket must open and be closed at once: the code and the reason.
    pub(crate) async fn closed(self) -> (u16, String) {
        self.upgraded().await.browser.closed().await
    }

    /// Sends it; the head of the answer, whatever it is.
    pub(crate) async fn answered(self) -> Answer {
        self.send().await.0
    }

    /// Sends it; the answer must be anything but a 101.
    pub(crate) async fn refused(self) -> Answer {
        let (head, mut io, mut read) = self.send().await;
        assert_ne!(head.status, 101, "it was let in");
        if self.line.starts_with("HEAD ") {
            return head;
        }
        soon(head.with_body(&mut io, &mut read)).await
    }
}
