//! The fourth question: which Qlik? Dials the engine's websocket in a person's name.
//!
//! A permit and what to inject enter; an open socket leaves, or why not. The request is built from
//! nothing. Only a true 101 is an upgrade; whatever else comes back is dropped unread, and no
//! connection is ever used twice.

mod reach;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
    USER_AGENT,
};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::either::Either;
use tokio_util::task::AbortOnDropHandle;

pub use self::reach::EgressError;
use self::reach::Reach;
use crate::config::{self, EgressProxy};
use crate::fault::{Fault, Faulty};
use crate::id::EngineIdentity;
use crate::injection::Injection;
use crate::policy::Permit;
use crate::random;
use crate::tls::{ClientStream, Connector};
use crate::ws::{NotUpgraded, upgraded};

/// Who an engine is told that it is dialled by.
const OURSELVES: &str = concat!("qix-proxy/", env!("CARGO_PKG_VERSION"));

/// A connection to the engine, plain or TLS.
pub type EngineIo = Either<TcpStream, ClientStream<TcpStream>>;

/// One Qlik, ready to be dialled.
pub struct Engine {
    reach: Reach,
    authority: HeaderValue,
    prefix: String,
    tls: Option<(Connector, ServerName<'static>)>,
    session_ttl: Duration,
    dial_timeout: Duration,
    flavour: config::Flavour,
}

/// What one dial asks for besides its permit.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// The engine session to open or join.
    pub identity: &'a EngineIdentity,
    /// What opens the door.
    pub injection: &'a Injection,
    /// The permessage-deflate offers to carry; none on a reading route.
    pub offers: Option<&'a str>,
}

/// An open websocket to the engine.
#[derive(Debug)]
pub struct EngineSocket {
    io: EngineIo,
    early: Bytes,
    extension: Option<String>,
}

impl EngineSocket {
    /// The extension the engine chose among the offers.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    /// The connection, and the bytes that came with the 101.
    #[must_use]
    pub fn into_parts(self) -> (EngineIo, Bytes) {
        (self.io, self.early)
    }
}

impl Engine {
    /// Prepares an engine. `tls` is lent by the house.
    pub fn new(
        config: &config::Engine,
        tls: &Arc<ClientConfig>,
        egress: Option<&EgressProxy>,
    ) -> Result<Self, EngineError> {
        let url = &config.url;
        let host = url.host_str().ok_or(EngineError::NoHost)?.to_owned();
        let authority = url
            .port()
            .map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let address = host.trim_matches(['[', ']']).to_owned();
        let tls = match url.scheme() {
            "https" => {
                let name = config
                    .server_name
                    .clone()
                    .unwrap_or_else(|| address.clone());
                let name = ServerName::try_from(name).map_err(|_| EngineError::BadName)?;
                Some((Connector::new(Arc::clone(tls)), name))
            }
            _ => None,
        };
        Ok(Self {
            reach: Reach::new(url, egress).ok_or(EngineError::NoHost)?,
            authority: header(&authority)?,
            prefix: url.path().trim_end_matches('/').to_owned(),
            tls,
            session_ttl: config.session_ttl,
            dial_timeout: config.dial_timeout,
            flavour: config.flavour,
        })
    }

    /// Opens a websocket for what `permit` permits.
    pub async fn dial(&self, permit: &Permit, dial: Dial<'_>) -> Result<EngineSocket, EngineError> {
        timeout(self.dial_timeout, self.open(permit, dial))
            .await
            .map_err(|_| EngineError::Timeout(self.dial_timeout))?
    }

    /// Whether the engine refused the credential, so that a fresh one may help. On Windows a session
    /// that has ended is a 403.
    #[must_use]
    pub fn wants_another(&self, error: &EngineError) -> bool {
        let windows = self.flavour == config::Flavour::Windows;
        match error {
            EngineError::Refused(StatusCode::UNAUTHORIZED) => true,
            EngineError::Refused(StatusCode::FORBIDDEN) => windows,
            _ => false,
        }
    }

    async fn open(&self, permit: &Permit, dial: Dial<'_>) -> Result<EngineSocket, EngineError> {
        let io = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(io).await?;
        // Aborted with this future, so that a client that leaves leaves no half-open dial behind.
        let connection = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
        let key = nonce();
        let response = sender
            .send_request(self.request(permit, dial, &key)?)
            .await?;
        let extension = upgraded(&response, &key, dial.offers)?;
        let upgraded = hyper::upgrade::on(response).await?;
        drop(connection);
        let parts = upgraded
            .downcast::<TokioIo<EngineIo>>()
            .map_err(|_| EngineError::NotWebsocket("the connection was not handed over"))?;
        Ok(EngineSocket {
            io: parts.io.into_inner(),
            early: parts.read_buf,
            extension,
        })
    }

    async fn connect(&self) -> Result<EngineIo, EngineError> {
        let tcp = self.reach.connect().await?;
        match &self.tls {
            None => Ok(Either::Left(tcp)),
            Some((connector, name)) => connector
                .connect(name.clone(), tcp)
                .await
                .map(Either::Right)
                .map_err(EngineError::Tls),
        }
    }

    fn request(
        &self,
        permit: &Permit,
        dial: Dial<'_>,
        key: &str,
    ) -> Result<Request<Empty<Bytes>>, EngineError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri(permit, &dial)?;
        let own = [
            (HOST, self.authority.clone()),
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            (SEC_WEBSOCKET_KEY, header(key)?),
            (USER_AGENT, HeaderValue::from_static(OURSELVES)),
        ];
        let offers = dial.offers.map(header).transpose()?;
        let offers = offers.map(|offers| (SEC_WEBSOCKET_EXTENSIONS, offers));
        let injected = dial.injection.headers();
        let injected = injected.map(|(name, value)| (name.clone(), value.clone()));
        for (name, value) in own.into_iter().chain(offers).chain(injected) {
            let added = request.headers_mut().try_append(name, value);
            added.map_err(|_| EngineError::BadRequest)?;
        }
        Ok(request)
    }

    fn uri(&self, permit: &Permit, dial: &Dial<'_>) -> Result<Uri, EngineError> {
        let path = permit
            .target()
            .upstream_path(dial.identity.as_str(), self.session_ttl);
        let (prefix, query) = (&self.prefix, dial.injection.query());
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = Uri::try_from(format!("{prefix}{path}{mark}{query}"));
        uri.map_err(|_| EngineError::BadRequest)
    }
}

fn header(text: &str) -> Result<HeaderValue, EngineError> {
    HeaderValue::from_str(text).map_err(|_| EngineError::BadRequest)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    // A nonce that is all zeros would still be answered by a right accept key.
    let _ = random::fill(&mut bytes);
    BASE64.encode(bytes)
}

/// Why the engine was not opened. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The server name cannot be one.
    #[error("the engine's server name is not a valid host name")]
    BadName,
    /// The request could not be put together.
    #[error("the upgrade request could not be put together")]
    BadRequest,
    /// No connection.
    #[error("the engine cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// The egress proxy did not open the way.
    #[error("the egress proxy does not lead to the engine: {0}")]
    Egress(#[from] EgressError),
    /// The connection broke, or what came was no HTTP.
    #[error("the engine broke off the handshake: {0}")]
    Http(#[from] hyper::Error),
    /// The URL names no host.
    #[error("the engine's URL names no host")]
    NoHost,
    /// The 101 is none.
    #[error("the engine's 101 is not a websocket upgrade: {0}")]
    NotWebsocket(&'static str),
    /// Anything but a 101.
    #[error("the engine answered the upgrade with {0}")]
    Refused(StatusCode),
    /// No TLS.
    #[error("the engine's TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// Too slow.
    #[error("the engine did not answer within {0:?}")]
    Timeout(Duration),
}

impl From<NotUpgraded> for EngineError {
    fn from(answer: NotUpgraded) -> Self {
        match answer {
            NotUpgraded::Flaw(flaw) => Self::NotWebsocket(flaw),
            NotUpgraded::Status(status) => Self::Refused(status),
        }
    }
}

impl Faulty for EngineError {
    fn fault(&self) -> Fault {
        match self {
            Self::Refused(StatusCode::UNAUTHORIZED) => Fault::CredentialRefused,
            Self::Refused(StatusCode::FORBIDDEN) => Fault::EngineRefused,
            Self::Refused(StatusCode::NOT_FOUND) => Fault::NoSuchApp,
            Self::Refused(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                Fault::EngineBusy
            }
            Self::Timeout(_) => Fault::EngineTimeout,
            Self::BadName
            | Self::BadRequest
            | Self::Connect(_)
            | Self::Egress(_)
            | Self::Http(_)
            | Self::NoHost
            | Self::NotWebsocket(_)
            | Self::Refused(_)
            | Self::Tls(_) => Fault::EngineDown,
        }
    }
}
