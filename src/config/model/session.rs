//! `[[route.session]]`, finished: the kinds of session that the house knows.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;
use secrecy::{SecretSlice, SecretString};
use url::Url;

use super::ClientAuth;
use crate::config::values::CookieName;
use crate::id::Issuer;
use crate::peer::Believed;
use crate::person::ClaimPath;

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
    /// A ticket that the proxy itself gave, to somebody whom another check knew.
    Ticket(TicketRules),
    /// An authenticating ingress says who it is.
    TrustedHeader(TrustedHeader),
}

/// `kind = "ticket"`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TicketRules {
    /// How long a ticket is good, 1 s to 30 s (default 30 s).
    pub life: Duration,
    /// Where a websocket request may carry it, never empty (default both).
    pub carriers: Vec<Carrier>,
}

/// Where a websocket request carries a ticket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// `?qix-ticket=…`.
    Query,
    /// The subprotocol `qix-ticket.…`.
    Subprotocol,
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
    /// How far ahead the issuer's clock may be (default 30 s).
    pub leeway: Duration,
    /// Whether, and whose, back-channel logouts are taken.
    pub logout: Option<JwtLogout>,
}

/// Back-channel logouts of a token's issuer.
#[derive(Clone, Debug)]
pub struct JwtLogout {
    /// The `aud` that a logout token must carry, any of these; never empty.
    pub audience: Vec<String>,
    /// How long a logout is remembered, and the longest that a token may live (default 24 h).
    pub memory: Duration,
}

impl Jwt {
    /// How long its logouts are remembered: until each token that began before is over, by whichever
    /// clock.
    #[must_use]
    pub fn remembers(&self) -> Option<Duration> {
        let memory = self.logout.as_ref()?.memory;
        Some(memory.saturating_add(self.leeway))
    }
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
    /// How old it may grow where it cannot be fetched again (default 24 h).
    pub grace: Duration,
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
    /// The URL that is asked, beside `url`, while somebody is at work; `None`: none.
    pub touch: Option<Url>,
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
    /// How far the end of a session is moved ahead while somebody is at work; `None`: not at all.
    pub touch: Option<Duration>,
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
    /// The peers that are believed, never empty and never everybody.
    pub peers: Vec<Believed>,
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
