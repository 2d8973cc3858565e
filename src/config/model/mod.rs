//! The finished config: types the rest of the house can trust.

mod credential;
mod customer;
mod outbound;
mod session;
mod windows;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretSlice;
use url::Url;

use super::print::Print;
use super::values::{Origin, RoutePath};
use crate::id::{AppId, RouteName};
use crate::peer::Believed;
use crate::person::ClaimPath;

pub use self::credential::{
    Admins, AnonymousEmbed, ApiKey, ClientAuth, ClientProof, CloudJwt, Credential, KeyFile,
    LookupField, OAuth, OAuthClient, OAuthImpersonation, Pace, Provision, Secret, Shown,
    TokenExchange,
};
pub use self::customer::{Customer, Customers, Home, Qlik};
pub(super) use self::outbound::is_loopback;
pub use self::outbound::{DirectHost, EgressLogin, EgressProxy, Outbound};
pub use self::session::{
    Algorithm, Carrier, Express, ForwardAuth, Introspection, Jwks, Jwt, JwtKeys, JwtLogout, Place,
    Redis, RedisFormat, RedisServer, RedisTls, SessionCheck, Spring, TicketRules, TrustedHeader,
};
pub use self::windows::{
    Attributes, BearerJwt, ClientCertificate, EngineCertificate, ProxyService, ProxySession,
    QseowHeader, QseowJwt, QseowService, SignedToken, SigningKey, WindowsUser, Wording,
};

/// The whole config.
#[derive(Debug)]
pub struct Config {
    /// Keys the engine-session identities; `None` means a random one for this process.
    pub identity_key: Option<SecretSlice<u8>>,
    /// The public door.
    pub listen: Listen,
    /// The operators' door.
    pub admin: Admin,
    /// How the proxy logs.
    pub log: Log,
    /// Caps of the whole process.
    pub limits: Limits,
    /// What every outgoing connection shares.
    pub outbound: Outbound,
    /// What that comes down to.
    pub outbound_print: Print,
    /// The Redis that several proxies share; never without an `identity_key`.
    pub replicas: Option<Replicas>,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// What counts from the start to the end of a process.
    pub fixed: Fixed,
}

/// What counts from the start to the end of a process, as names of tables and keys, each with its
/// print. A secret counts by where it is, not by what it is, but for the `identity_key`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fixed(pub(in crate::config) Vec<(&'static str, Print)>);

impl Fixed {
    /// What another config says otherwise.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let pairs = self.0.iter().zip(&other.0);
        pairs.filter_map(|(one, other)| (one.1 != other.1).then_some(one.0))
    }
}

/// The public door.
#[derive(Debug)]
pub struct Listen {
    /// Where to listen.
    pub address: ListenAddress,
    /// TLS, when the door has it.
    pub tls: Option<ListenTls>,
    /// HTTP/2, which only TLS can lead to; `None`: it is not offered.
    pub http2: Option<Http2>,
    /// The peers that are believed when they say whose request it is; none is everybody.
    pub trusted_proxies: Vec<Believed>,
    /// The largest request head, in bytes (default 16 KiB).
    pub head_bytes: usize,
    /// How long a client may take to send its request head (default 10 s).
    pub head_timeout: Duration,
    /// How many TCP connections may be open at once (default 12,000).
    pub connections: usize,
    /// How long sockets get to end after SIGTERM (default 25 s).
    pub drain: Duration,
}

/// HTTP/2 at the public door.
#[derive(Clone, Copy, Debug)]
pub struct Http2 {
    /// How many requests and websockets one connection may carry at once (default 100).
    pub streams: u32,
    /// How long a connection without any stays open (default 1 min).
    pub idle: Duration,
}

/// Where the public door listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListenAddress {
    /// At an address.
    Tcp(SocketAddr),
    /// At a socket file.
    Unix(SocketFile),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

/// A socket file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SocketFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its mode (default 0660): who may write to it may connect.
    pub mode: u32,
}

/// The certificate chain and key of a door, PEM files.
#[derive(Debug)]
pub struct ListenTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// The CAs of clients' certificates; without it none is asked for.
    pub client_ca: Option<PathBuf>,
    /// What these CAs come down to.
    pub client_ca_print: Print,
}

/// The operators' door.
#[derive(Debug)]
pub struct Admin {
    /// Where to listen (default 127.0.0.1:9090).
    pub address: SocketAddr,
    /// TLS, when the door has it; always there with a token on an address that is not loopback.
    pub tls: Option<ListenTls>,
    /// What opens `/sockets`; `None`: nobody.
    pub token: Option<SecretSlice<u8>>,
    /// The names that `/sockets` answers to besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// How the proxy logs.
#[derive(Debug)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A `tracing` filter directive, `info` by default.
    pub level: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text.
    Text,
}

/// Caps of the whole process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets open at once (default 10,000).
    pub sockets: usize,
    /// Sockets open at once for one subject (default 50).
    pub sockets_per_subject: usize,
    /// Engine-session identities in use at once by one subject (default 20).
    pub identities_per_subject: usize,
    /// Sockets opened in a minute by one subject (default 120).
    pub opens_per_minute: usize,
    /// Session checks that fail in a minute from one address (default 60).
    pub failures_per_minute: usize,
}

/// The Redis that several proxies share.
#[derive(Debug)]
pub struct Replicas {
    /// Where it is.
    pub server: RedisServer,
    /// What every key begins with, never empty (default `qix-proxy:`).
    pub prefix: String,
    /// What shared credentials are sealed under: the first seals, all open. None: not shared.
    pub credential_keys: Vec<SecretSlice<u8>>,
}

/// One route: the four questions.
#[derive(Debug)]
pub struct Route {
    /// Its name in logs and metrics; the path when the file gives none.
    pub name: RouteName,
    /// The path prefix.
    pub path: RoutePath,
    /// The host names it answers to, lower case, without port; empty for all.
    pub hosts: Vec<String>,
    /// Who may open a websocket here.
    pub origins: Vec<Origin>,
    /// What to do with a client that sends no `Origin`.
    pub clients_without_origin: ClientsWithoutOrigin,
    /// How a browser of an allowed origin is refused.
    pub refusal: RefusalStyle,
    /// The app's login page, where `…/login` leads.
    pub login: Option<Url>,
    /// 1: who is this? The first kind that finds a credential of its sort decides.
    pub sessions: Vec<SessionCheck>,
    /// What the session checks come down to.
    pub sessions_print: Print,
    /// 2: what may they open and do?
    pub access: Access,
    /// 3 and 4: as whom does which Qlik see them?
    pub qlik: Qlik,
    /// Limits of a relayed socket.
    pub limits: Arc<RelayLimits>,
}

/// What to do with a client that sends no `Origin`: it is no browser.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientsWithoutOrigin {
    /// Admit it by `Authorization: Bearer`, never by cookie.
    Bearer,
    /// Refuse it.
    Refuse,
}

/// How a browser of an allowed origin is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalStyle {
    /// Accept the websocket and close it at once, so that the page can read code and reason.
    AcceptThenClose,
    /// Answer with the HTTP status.
    Status,
}

/// What a person may open and do.
#[derive(Clone, Debug)]
pub struct Access {
    /// The apps.
    pub apps: Apps,
    /// The calls.
    pub methods: Methods,
    /// Whether session apps may be made.
    pub session_apps: bool,
}

/// The apps a person may open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Apps {
    /// Any app that Qlik lets the credential open.
    Any,
    /// The apps that a claim lists (an array of strings, or one string).
    Claimed(ClaimPath),
    /// These apps.
    Listed(Vec<AppId>),
}

/// The calls a person may make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Methods {
    /// Every call.
    Any,
    /// Look and select: no script, reload, connection, save, publish, administration or export.
    Consumer,
}

/// Which Qlik.
#[derive(Debug)]
pub struct Engine {
    /// `https://host[:port][/prefix]` (or http); a `wss`/`ws` scheme in the file becomes this.
    pub url: Url,
    /// PEM file of the CAs to trust, alone, for this engine and its token endpoint.
    pub ca: Option<PathBuf>,
    /// The name the engine's certificate must carry, when it is not the URL's host.
    pub server_name: Option<String>,
    /// How often the engine is pinged; `None` for never, as it is on Windows by default.
    pub ping: Option<Duration>,
    /// How long Qlik keeps an engine session for a reconnect (default 60 s).
    pub session_ttl: Duration,
    /// How long a dial may take (default 10 s; 30 s on Windows, where a cold start takes 20 s).
    pub dial_timeout: Duration,
    /// Who speaks on the engine's side.
    pub flavour: Flavour,
}

/// Who speaks on the engine's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// The engine alone.
    Engine,
    /// The engine of Qlik Sense Enterprise on Windows at its own port, past the proxy service: it is
    /// not known to inflate anything.
    EnginePort,
    /// Qlik Sense Enterprise on Windows: its proxy service speaks between the engine's messages.
    Windows,
}

/// Limits of a relayed socket.
#[derive(Clone, Copy, Debug)]
pub struct RelayLimits {
    /// The largest client message, in bytes (default 1 MiB).
    pub client_message: usize,
    /// Without a message either way for this long, the socket ends (default 30 min).
    pub idle: Duration,
    /// How often the browser is pinged (default 20 s).
    pub client_ping: Duration,
    /// How long a closing handshake or a half-sent frame gets (default 5 s).
    pub close_grace: Duration,
    /// How long a reader may take next to nothing: less than some 128 KiB (default 60 s).
    pub write_stall: Duration,
}
