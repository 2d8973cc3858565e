//! What the credentials of Qlik Sense Enterprise on Windows and of a bare engine are set up from.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use super::credential::{Pace, Secret};
use super::session::Algorithm;
use crate::config::values::{CookieName, Origin};
use crate::person::ClaimPath;
use crate::template::Template;

/// A text that is everybody's, or made of a person's claims.
#[derive(Clone, Debug)]
pub enum Wording {
    /// Everybody's.
    Fixed(String),
    /// A person's.
    Filled(Template),
}

/// Whom Qlik on Windows shall see.
#[derive(Clone, Debug)]
pub struct WindowsUser {
    /// The user directory.
    pub directory: Wording,
    /// The user's id in it.
    pub id: Template,
}

/// What Qlik is told of a person besides who they are.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Texts, each with its name.
    pub texts: Vec<(String, Wording)>,
    /// Lists of texts: the name of each, and the claim that is the list.
    pub lists: Vec<(String, ClaimPath)>,
}

/// A session of Qlik's proxy service: one cookie a person.
#[derive(Clone, Debug)]
pub struct ProxySession {
    /// The virtual proxy, without a slash at its end.
    pub url: Url,
    /// The cookie's name; any that begins with `X-Qlik-Session` when it is not said.
    pub cookie: Option<CookieName>,
    /// The `Origin` of the upgrade, which the virtual proxy's Host allow list must name; the
    /// engine's own by default.
    pub origin: Option<Origin>,
    /// How long it is used before it is looked after (default 25 min; Qlik forgets one that is idle
    /// for 30).
    pub life: Duration,
    /// How long each request for it may take (default 30 s).
    pub timeout: Duration,
    /// How long it is kept after the person's last socket, before it is ended (default 5 min where
    /// it can be ended alone); `None`: it is left to Qlik's time-out.
    pub linger: Option<Duration>,
    /// How often sessions are opened.
    pub pace: Pace,
}

/// A token that the proxy signs.
#[derive(Debug)]
pub struct SignedToken {
    /// A private key in PEM, or a shared secret.
    pub key: SigningKey,
    /// `alg`; the one that fits the key when it is not said.
    pub algorithm: Option<Algorithm>,
    /// `kid`.
    pub key_id: Option<String>,
    /// What the token says besides.
    pub claims: Attributes,
    /// How long it is good.
    pub life: Duration,
}

/// What signs a token.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// A private key in PEM.
    Pem(Secret),
    /// A shared secret.
    Shared(Secret),
}

/// `kind = "qseow-jwt"`.
#[derive(Debug)]
pub struct QseowJwt {
    /// The session that the token opens.
    pub session: ProxySession,
    /// Who it names.
    pub user: WindowsUser,
    /// The attribute that holds the user's id (default `userId`).
    pub user_attribute: String,
    /// The attribute that holds the user directory (default `userDirectory`).
    pub directory_attribute: String,
    /// The token.
    pub token: SignedToken,
    /// Whether the upgrade carries the token as well, as releases before November 2024 want it.
    pub bearer_on_upgrade: bool,
}

/// `kind = "qseow-header"`.
#[derive(Debug)]
pub struct QseowHeader {
    /// The session that the header opens.
    pub session: ProxySession,
    /// The header that the virtual proxy reads.
    pub header: HeaderName,
    /// The user directory before the id, `DIRECTORY\id`; none where the virtual proxy fixes it.
    pub directory: Option<Wording>,
    /// The user's id.
    pub id: Template,
}

/// Qlik's proxy service API.
#[derive(Debug)]
pub struct ProxyService {
    /// Its origin, `https://host:4243`.
    pub url: Url,
    /// What opens it.
    pub certificate: ClientCertificate,
}

/// The certificate and key that the QMC exports; they open everything.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// `client.pem`.
    pub certificate: PathBuf,
    /// `client_key.pem`.
    pub key: PathBuf,
}

/// `kind = "qseow-ticket"` and `kind = "qseow-session"`.
#[derive(Debug)]
pub struct QseowService {
    /// The session that is opened.
    pub session: ProxySession,
    /// Whose it is.
    pub user: WindowsUser,
    /// What Qlik is told of them besides.
    pub attributes: Attributes,
    /// Who opens it.
    pub service: ProxyService,
}

/// `kind = "engine-certificate"`.
#[derive(Debug)]
pub struct EngineCertificate {
    /// Whom the engine sees.
    pub user: WindowsUser,
    /// What opens it.
    pub certificate: ClientCertificate,
}

/// `kind = "bearer-jwt"`.
#[derive(Debug)]
pub struct BearerJwt {
    /// The subject, `sub`.
    pub subject: Template,
    /// The token.
    pub token: SignedToken,
}
