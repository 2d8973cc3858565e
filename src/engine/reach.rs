//! The way to an engine: straight, or through the egress proxy.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::EngineError;
use crate::config::{EgressLogin, EgressProxy};

/// How an engine is reached.
pub(super) struct Reach {
    target: Place,
    through: Option<Tunnel>,
}

impl Reach {
    /// The way to a URL; `None` if it names no host.
    pub(super) fn new(url: &Url, egress: Option<&EgressProxy>) -> Option<Self> {
        let egress = egress.filter(|egress| egress.leads_to(url));
        Some(Self {
            target: Place::of(url)?,
            through: match egress {
                Some(egress) => Some(Tunnel::new(egress)?),
                None => None,
            },
        })
    }

    /// A connection to the engine, on which nothing has been said.
    pub(super) async fn connect(&self) -> Result<TcpStream, EngineError> {
        let tcp = match &self.through {
            None => self.target.connect().await.map_err(EngineError::Connect)?,
            Some(tunnel) => tunnel.open(&self.target).await?,
        };
        tcp.set_nodelay(true).map_err(EngineError::Connect)?;
        Ok(tcp)
    }
}

/// A host and a port.
struct Place {
    /// As a URL has it: an IPv6 address stands in brackets.
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &Url) -> Option<Self> {
        Some(Self {
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host.trim_matches(['[', ']']), self.port)).await
    }
}

/// A forward proxy that is asked to CONNECT (RFC 9110 section 9.3.6).
struct Tunnel {
    proxy: Place,
    login: Option<HeaderValue>,
}

impl Tunnel {
    fn new(egress: &EgressProxy) -> Option<Self> {
        Some(Self {
            proxy: Place::of(&egress.url)?,
            login: match &egress.login {
                Some(login) => Some(basic(login)?),
                None => None,
            },
        })
    }

    async fn open(&self, target: &Place) -> Result<TcpStream, EgressError> {
        let tcp = self.proxy.connect().await.map_err(EgressError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
        let answer = sender.send_request(self.ask(target)?).await?;
        if !answer.status().is_success() {
            return Err(EgressError::Refused(answer.status()));
        }
        let upgraded = hyper::upgrade::on(answer).await?;
        drop(connection);
        let parts = upgraded
            .downcast::<TokioIo<TcpStream>>()
            .map_err(|_| EgressError::NoTunnel)?;
        // An engine says nothing before it is asked, so these bytes are not the engine's.
        if parts.read_buf.is_empty() {
            Ok(parts.io.into_inner())
        } else {
            Err(EgressError::NoTunnel)
        }
    }

    fn ask(&self, target: &Place) -> Result<Request<Empty<Bytes>>, EgressError> {
        let authority = format!("{}:{}", target.host, target.port);
        let mut request = Request::connect(&authority).header(HOST, &authority);
        if let Some(login) = &self.login {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        request
            .body(Empty::new())
            .map_err(|_| EgressError::NoTunnel)
    }
}

fn basic(login: &EgressLogin) -> Option<HeaderValue> {
    let pair = format!("{}:{}", login.user, login.password.expose_secret());
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Why the egress proxy did not open the way. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The proxy cannot be reached.
    #[error("it cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// What came was no HTTP.
    #[error("it broke off: {0}")]
    Http(#[from] hyper::Error),
    /// A 2xx that opened no tunnel.
    #[error("its answer opened no tunnel")]
    NoTunnel,
    /// Anything but a 2xx.
    #[error("it answered CONNECT with {0}")]
    Refused(StatusCode),
}
