//! The ways to the public door, each to a websocket's bare bytes.

use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, join, split};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::eyes::Io;
use super::http2::{Ask, Visitor};
use super::{Answer, Authority, Files, World, soon};

/// A websocket without a library around it.
pub(crate) type Bytes = Box<dyn Io>;

/// How clients come to the public door.
pub(crate) enum Way {
    /// Over TCP.
    Plain,
    /// Over TLS.
    Tls(Authority),
    /// As streams of HTTP/2 connections.
    Http2(Authority),
}

impl Way {
    /// Each of them.
    pub(crate) fn all() -> [Self; 3] {
        [
            Self::Plain,
            Self::Tls(Authority::new()),
            Self::Http2(Authority::new()),
        ]
    }

    /// The keys of `[listen]` that it needs; what they name is in `files`.
    pub(crate) fn listen(&self, files: &Files) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Tls(authority) | Self::Http2(authority) => authority.door(files),
        }
    }

    /// A client's connection, where one carries many sockets.
    pub(crate) async fn visit(&self, world: &World) -> Option<Visitor> {
        match self {
            Self::Http2(authority) => Some(world.visit_http2(authority).await),
            _ => None,
        }
    }

    /// Opens a socket at the door of `world`, on the connection where it needs one.
    pub(crate) async fn open(
        &self,
        world: &World,
        visitor: Option<&Visitor>,
        [subject, app]: [&str; 2],
    ) -> Bytes {
        let Some(visitor) = visitor else {
            return self
                .open_at(world, world.proxy.public, [subject, app])
                .await;
        };
        let ask = Ask::websocket(&format!("/qlik/app/{app}")).cookie(&world.token(subject));
        Box::new(visitor.bytes(ask).await)
    }

    /// Opens a socket at this door, on a connection of its own.
    pub(crate) async fn open_at(
        &self,
        world: &World,
        at: SocketAddr,
        [subject, app]: [&str; 2],
    ) -> Bytes {
        let tcp = TcpStream::connect(at).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut io: Bytes = match self {
            Self::Plain => Box::new(tcp),
            Self::Tls(authority) | Self::Http2(authority) => {
                let tls = TlsConnector::from(Arc::new(authority.client(&["http/1.1"])));
                let name = "app.example.com".try_into().unwrap();
                Box::new(soon(tls.connect(name, tcp)).await.unwrap())
            }
        };
        let knock = world.visit(subject, app).bytes();
        io.write_all(&knock).await.unwrap();
        // TLS may have kept some of it.
        io.flush().await.unwrap();
        let mut early = Vec::new();
        let head = soon(Answer::head(&mut io, &mut early)).await;
        let head = head.unwrap_or_else(|| panic!("no answer\n{}", world.log_text()));
        assert_eq!(head.status, 101);
        // A ping may have come along with it.
        let (reader, writer) = split(io);
        Box::new(join(Cursor::new(early).chain(reader), writer))
    }
}
