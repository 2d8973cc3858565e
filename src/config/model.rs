//! The finished config: types the rest of the house can trust.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use secrecy::{SecretSlice, SecretString};
use url::Url;

use super::values::{CookieName, Origin, RoutePath};
use crate::id::{AppId, Issuer, RouteName};
use crate::person::ClaimPath;

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
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
}

/// The public door.
#[derive(Debug)]
pub struct Listen {
    /// Where to listen.
    pub address: SocketAddr,
    /// TLS, when the door has it.
    pub tls: Option<ListenTls>,
    /// The largest request head, in bytes (default 16 KiB).
    pub head_bytes: usize,
    /// How long a client may take to send its request head (default 10 s).
    pub head_timeout: Duration,
    /// How many TCP connections may be open at once (default 12,000).
    pub connections: usize,
    /// How long sockets get to end after SIGTERM (default 25 s).
    pub drain: Duration,
}

/// The certificate chain and key of the public door, PEM files.
#[derive(Debug)]
pub struct ListenTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// The operators' door.
#[derive(Debug)]
pub struct Admin {
    /// Where to listen (default 127.0.0.1:9090).
    pub address: SocketAddr,
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
}

/// What every outgoing connection shares.
#[derive(Debug, Default)]
pub struct Outbound {
    /// PEM file of further CAs to trust besides the system's.
    pub ca: Option<PathBuf>,
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
    /// 1: who is this? The first kind that finds a credential of its sort decides.
    pub sessions: Vec<SessionCheck>,
    /// 2: what may they open and do?
    pub access: Access,
    /// 3: as whom does the engine see them?
    pub credential: Credential,
    /// 4: which Qlik?
    pub engine: Engine,
    /// Limits of a relayed socket.
    pub limits: RelayLimits,
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

/// One way to know a session.
#[derive(Debug)]
pub enum SessionCheck {
    /// The app's own endpoint is asked.
    ForwardAuth(ForwardAuth),
    /// The authorisation server is asked about a token.
    Introspection(Introspection),
    /// A signed token.
    Jwt(Jwt),
    /// The app's own session store.
    Redis(Redis),
    /// An authenticating ingress says who it is.
    TrustedHeader(TrustedHeader),
}

/// `kind = "jwt"`.
#[derive(Debug)]
pub struct Jwt {
    /// The cookie that carries the token; `None`: only `Authorization: Bearer`.
    pub cookie: Option<CookieName>,
    /// What verifies the signature.
    pub keys: JwtKeys,
    /// The algorithms allowed, never empty, all of the keys' family.
    pub algorithms: Vec<Algorithm>,
    /// The `iss` demanded; always there with JWKS.
    pub issuer: Option<Issuer>,
    /// The `aud` demanded, any of these; never empty with JWKS.
    pub audience: Vec<String>,
    /// Where the subject stands (default `sub`).
    pub subject: ClaimPath,
    /// Where the stable session id stands (default `sid`).
    pub session: ClaimPath,
    /// Clock leeway (default 30 s).
    pub leeway: Duration,
}

/// What verifies a token's signature.
#[derive(Debug)]
pub enum JwtKeys {
    /// A shared secret of 32 bytes or more.
    Hmac(SecretSlice<u8>),
    /// A key set behind a URL.
    Jwks(Jwks),
    /// One public key (or certificate), PEM.
    Pem(Vec<u8>),
}

/// A key set behind a URL.
#[derive(Debug)]
pub struct Jwks {
    /// Where it is; https, or http to loopback.
    pub url: Url,
    /// How long a fetched set is good (default 10 min).
    pub keep: Duration,
    /// For an unknown `kid`, fetch again at most this often (default 30 s).
    pub refetch: Duration,
    /// How long a fetch may take (default 5 s).
    pub timeout: Duration,
}

/// Signature algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Algorithm {
    EdDSA,
    ES256,
    ES384,
    HS256,
    HS384,
    HS512,
    PS256,
    PS384,
    PS512,
    RS256,
    RS384,
    RS512,
}

/// `kind = "forward-auth"`.
#[derive(Debug)]
pub struct ForwardAuth {
    /// The app's fixed URL.
    pub url: Url,
    /// The only cookies passed on; a client without any of them and without any of `headers` is
    /// not this kind's.
    pub cookies: Vec<CookieName>,
    /// The only headers passed on.
    pub headers: Vec<HeaderName>,
    /// Where the answer carries the subject.
    pub subject: Place,
    /// Where it carries a stable session id, if it does.
    pub session: Option<Place>,
    /// Where it carries the session's end (seconds since 1970, or RFC 3339), if it does.
    pub expires: Option<Place>,
    /// Claims to take from the answer, by the name they get.
    pub claims: BTreeMap<String, Place>,
    /// How long a yes is kept for further sockets (default 1 s).
    pub cache: Duration,
    /// How often the app is asked again while a socket is open (default 5 s).
    pub recheck: Duration,
    /// How long open sockets outlive a failing endpoint (default 30 s).
    pub grace: Duration,
    /// How long one asking may take (default 5 s).
    pub timeout: Duration,
}

/// A place in an HTTP answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A header of the answer.
    Header(HeaderName),
    /// A value in its JSON body.
    Json(ClaimPath),
}

/// `kind = "introspection"` (RFC 7662).
#[derive(Debug)]
pub struct Introspection {
    /// The authorisation server's endpoint; https, or http to loopback or by setting.
    pub url: Url,
    /// The cookie that carries the token; `None`: only `Authorization: Bearer`.
    pub cookie: Option<CookieName>,
    /// As whom the proxy asks.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Where that goes (default: `Authorization: Basic`).
    pub client_auth: ClientAuth,
    /// The `iss` demanded.
    pub issuer: Option<Issuer>,
    /// The `aud` demanded, any of these.
    pub audience: Vec<String>,
    /// Where the answer carries the subject (default `sub`).
    pub subject: ClaimPath,
    /// Where it carries the stable session id (default `sid`).
    pub session: ClaimPath,
    /// How long a yes is kept for further sockets, never beyond its `exp` (default 1 s).
    pub cache: Duration,
    /// How often it is asked again while a socket is open (default 5 s).
    pub recheck: Duration,
    /// How long open sockets outlive a server that is down (default 30 s).
    pub grace: Duration,
    /// How long one asking may take (default 5 s).
    pub timeout: Duration,
}

/// `kind = "redis"`.
#[derive(Debug)]
pub struct Redis {
    /// Where the store is.
    pub server: RedisServer,
    /// The cookie that names the session.
    pub cookie: CookieName,
    /// What a session's key begins with.
    pub prefix: String,
    /// How cookie and value are written.
    pub format: RedisFormat,
    /// How long a yes is kept for further sockets (default 1 s).
    pub cache: Duration,
    /// How often the store is asked again while a socket is open (default 5 s).
    pub recheck: Duration,
    /// How long open sockets outlive a store that is down (default 30 s).
    pub grace: Duration,
    /// How long one asking may take (default 5 s).
    pub timeout: Duration,
}

/// A Redis.
#[derive(Clone, Debug)]
pub struct RedisServer {
    /// Its host: a name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The number of the database.
    pub database: i64,
    /// The user of its access list, if not the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// Whether it speaks TLS, and whom that believes.
    pub tls: RedisTls,
}

/// The TLS of a Redis.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RedisTls {
    /// TLS; the PEM of the CAs to trust, alone, or `None` for those of all outgoing connections.
    On(Option<Vec<u8>>),
    /// Plain TCP.
    Plain,
}

/// How sessions stand in a Redis.
#[derive(Debug)]
pub enum RedisFormat {
    /// `express-session` with `connect-redis`: a signed cookie, a JSON value.
    Express(Express),
    /// Any store whose cookie is the session's id as it is: that its key is there is all that is
    /// known, and the value is never read.
    Plain,
    /// Spring Session: a base64 cookie, a hash.
    Spring(Spring),
}

/// `format = "spring"`.
#[derive(Debug)]
pub struct Spring {
    /// Where the session's hash carries the subject: a field, or a pointer into a field's JSON.
    pub subject: ClaimPath,
    /// Claims to take from it, by the name they get.
    pub claims: BTreeMap<String, ClaimPath>,
    /// Whether the app uses the indexed repository, whose hashes outlive their sessions.
    pub indexed: bool,
}

/// `format = "express"`.
#[derive(Debug)]
pub struct Express {
    /// The secrets that may have signed the cookie, never empty.
    pub secrets: Vec<SecretSlice<u8>>,
    /// Where the session carries the subject; without one there, nobody is logged in.
    pub subject: ClaimPath,
    /// Claims to take from the session, by the name they get.
    pub claims: BTreeMap<String, ClaimPath>,
}

/// `kind = "trusted-header"`.
#[derive(Debug)]
pub struct TrustedHeader {
    /// The TCP peers that are believed, never empty and never everybody.
    pub peers: Vec<IpNet>,
    /// The header that carries the subject.
    pub subject: HeaderName,
    /// The header that carries a stable session id, if one does.
    pub session: Option<HeaderName>,
    /// Claims that are one text, by the name they get.
    pub claims: BTreeMap<String, HeaderName>,
    /// Claims that are lists, with commas between.
    pub lists: BTreeMap<String, HeaderName>,
    /// How long a socket lives at the most: nothing else ends such a session (default 12 h).
    pub max_age: Duration,
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
    /// Look and select, nothing that changes or carries off an app.
    Consumer,
}

/// As whom the engine sees them.
#[derive(Debug)]
pub enum Credential {
    /// One API key.
    ApiKey(ApiKey),
    /// The engine asks for nothing.
    None,
    /// A machine client's own token (client credentials).
    OAuthClient(OAuth),
    /// A token per person (user impersonation).
    OAuthImpersonation(OAuthImpersonation),
}

/// `kind = "api-key"`.
#[derive(Debug)]
pub struct ApiKey {
    /// The key.
    pub key: SecretString,
}

/// What both OAuth kinds share.
#[derive(Debug)]
pub struct OAuth {
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Where the secret goes (default: the body, as Qlik documents).
    pub client_auth: ClientAuth,
    /// The token endpoint; by default `/oauth/token` at the engine's origin. https, or http to
    /// loopback or by setting.
    pub token_url: Url,
    /// The scope asked for (default `user_default`).
    pub scope: String,
    /// How long one fetch may take (default 10 s).
    pub timeout: Duration,
}

/// Where a client secret goes in a token request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// `Authorization: Basic`.
    Basic,
    /// The request body.
    Body,
}

/// `kind = "oauth-impersonation"`.
#[derive(Debug)]
pub struct OAuthImpersonation {
    /// The client.
    pub oauth: OAuth,
    /// How Qlik looks the person up.
    pub field: LookupField,
    /// The claim whose value is looked up.
    pub claim: ClaimPath,
}

/// The field of a Qlik user that a lookup compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookupField {
    /// The identity provider's subject.
    Subject,
    /// Qlik's own user id.
    UserId,
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
    /// How often the engine is pinged; `None` for never.
    pub ping: Option<Duration>,
    /// How long Qlik keeps an engine session for a reconnect (default 60 s).
    pub session_ttl: Duration,
    /// How long a dial may take (default 10 s).
    pub dial_timeout: Duration,
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
    /// How long a reader may take nothing (default 60 s).
    pub write_stall: Duration,
}
