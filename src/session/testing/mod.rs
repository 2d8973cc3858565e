//! What the tests of this room share: keys and tokens made on the spot, a server, a clock.

mod clock;
mod server;
mod tokens;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};

pub(super) use self::clock::{HeldClock, until};
pub(super) use self::server::{Reply, Server};
pub(super) use self::tokens::{Mint, claims, hour_ahead, with};
use super::{Client, Knock, Lent, Pseudonyms, Session, SessionError, Sessions, TicketStore};
use crate::config::{CookieName, SessionCheck};
use crate::id::RouteName;
pub(super) use crate::line::testing::RealRedis;
use crate::peer::Peer;

/// A cookie's name.
pub(super) fn cookie_name(name: &str) -> CookieName {
    CookieName::parse(name).unwrap()
}

/// A client as the house lends it.
pub(super) fn http() -> reqwest::Client {
    // A second installation is refused, which is what is wanted.
    let _ = crate::tls::provider().install_default();
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// The checks of a route.
pub(super) fn sessions(checks: Vec<SessionCheck>) -> Sessions {
    try_sessions(checks).unwrap()
}

/// The checks of a route, or why they cannot be.
pub(super) fn try_sessions(checks: Vec<SessionCheck>) -> Result<Sessions, SessionError> {
    sessions_of("test", checks)
}

/// The same for a route of this name.
pub(super) fn sessions_of(
    route: &str,
    checks: Vec<SessionCheck>,
) -> Result<Sessions, SessionError> {
    replica_of(route, checks, None)
}

/// The same, with tickets that lie where replicas share them.
pub(super) fn replica_of(
    route: &str,
    checks: Vec<SessionCheck>,
    tickets: Option<&TicketStore>,
) -> Result<Sessions, SessionError> {
    let http = http();
    let tls = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let lent = Lent {
        http: &http,
        tls: &Arc::new(tls),
        pseudonyms: &Pseudonyms::new(&b"0123456789abcdef".to_vec().into()),
        tickets,
        minded: &Arc::default(),
    };
    Sessions::new(&RouteName::new(route), checks, lent)
}

/// Knocks as a browser with one `Cookie` header.
pub(super) async fn browse(sessions: &Sessions, cookies: &str) -> Result<Session, SessionError> {
    let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookies).unwrap())]);
    knock(sessions, Client::Browser, &headers).await
}

/// Knocks as a program with one `Authorization` header.
pub(super) async fn call(sessions: &Sessions, value: &str) -> Result<Session, SessionError> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
    knock(sessions, Client::Program, &headers).await
}

/// Knocks.
pub(super) async fn knock(
    sessions: &Sessions,
    client: Client,
    headers: &HeaderMap,
) -> Result<Session, SessionError> {
    knock_from(Ipv4Addr::LOCALHOST.into(), sessions, client, headers).await
}

/// Knocks from an address.
pub(super) async fn knock_from(
    peer: IpAddr,
    sessions: &Sessions,
    client: Client,
    headers: &HeaderMap,
) -> Result<Session, SessionError> {
    let knock = Knock {
        headers,
        client,
        peer: Peer::Tcp(peer),
        upgrade: None,
    };
    sessions.identify(knock).await
}
