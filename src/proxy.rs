//! The whole proxy: a config enters, two doors open, and a stop ends it in order.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::Admin;
use crate::config::{Config, Credential, ListenTls, Route};
use crate::credential::{CredentialError, Credentials};
use crate::engine::{Engine, EngineError};
use crate::gate::{Books, Gate, IdentityKey, Lane};
use crate::live::Live;
use crate::quota::Quotas;
use crate::record::Meters;
use crate::revoked::Revoked;
use crate::route::Routes;
use crate::server::{House, Peers, Server};
use crate::session::{Lent, Pseudonyms, SessionError, Sessions};
use crate::telemetry::Metrics;
use crate::tls::{self, Acceptor, TlsError};

/// A proxy whose doors are bound.
pub struct Proxy {
    server: Server,
    admin: Admin,
    addresses: Addresses,
    live: Arc<Live>,
    drain: Duration,
    stop: CancellationToken,
}

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The public door.
    pub public: SocketAddr,
    /// The operators' door.
    pub admin: SocketAddr,
}

impl Proxy {
    /// Builds every room and binds both doors.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let mut registry = Registry::with_prefix("qix_proxy");
        let live = Live::new(config.limits);
        let identities = match &config.identity_key {
            Some(key) => IdentityKey::new(key),
            None => IdentityKey::random().ok_or(StartError::NoRandomness)?,
        };
        let pseudonyms = match &config.identity_key {
            Some(key) => Pseudonyms::new(key),
            None => Pseudonyms::random().ok_or(StartError::NoRandomness)?,
        };
        let outgoing = Outgoing::new(config.outbound.ca.as_deref())?;
        let routes = config.routes.into_iter();
        let lanes = routes.map(|route| outgoing.lane(route, &pseudonyms));
        let lanes = lanes.collect::<Result<_, _>>()?;
        let books = Books {
            live: Arc::clone(&live),
            meters: Arc::new(Meters::new(&mut registry)),
            quotas: Arc::new(Quotas::new(&config.limits)),
            revoked: Arc::new(Revoked::new(Arc::clone(&live))),
        };
        let peers = Peers::new(config.listen.trusted_proxies.clone());
        let house = Arc::new(house(lanes, identities, books, peers));
        let public = bind(config.listen.address).await?;
        let operators = bind(config.admin.address).await?;
        let addresses = Addresses {
            public: public.local_addr()?,
            admin: operators.local_addr()?,
        };
        let metrics = Metrics::new(registry, Arc::clone(&house));
        let public_tls = acceptor(config.listen.tls.as_ref())?;
        let admin_tls = acceptor(config.admin.tls.as_ref())?;
        Ok(Self {
            server: Server::new(public, public_tls, house, &config.listen),
            admin: Admin::new(
                operators,
                admin_tls,
                config.admin,
                metrics,
                Arc::clone(&live),
            ),
            addresses,
            live,
            drain: config.listen.drain,
            stop: CancellationToken::new(),
        })
    }

    /// Where the doors are.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown`, then drains: no new sockets, a Close for those that are open.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        info!(door = "public", address = %self.addresses.public, "listening");
        info!(door = "admin", address = %self.addresses.admin, "listening");
        let doors = self.stop.child_token();
        let server = tokio::spawn(self.server.run(doors));
        let admin = tokio::spawn(self.admin.run(self.stop.clone()));
        shutdown.await;
        info!(open = self.live.open(), "draining");
        self.live.drain();
        if timeout(self.drain, self.live.emptied()).await.is_err() {
            warn!(
                open = self.live.open(),
                "the drain took too long; what is open is cut"
            );
        }
        self.stop.cancel();
        for door in [server, admin] {
            // A door that panicked has said so already.
            let _ = door.await;
        }
        info!("stopped");
    }
}

/// Puts the rooms together that every connection shares.
fn house(lanes: Vec<Lane>, identities: IdentityKey, books: Books, peers: Peers) -> House {
    let (live, meters) = (Arc::clone(&books.live), Arc::clone(&books.meters));
    House {
        routes: Routes::new(lanes.iter().map(|lane| Arc::clone(&lane.route)).collect()),
        gate: Gate::new(lanes, identities, books),
        peers,
        live,
        meters,
    }
}

fn acceptor(files: Option<&ListenTls>) -> Result<Option<Acceptor>, TlsError> {
    Ok(files
        .map(tls::server_config)
        .transpose()?
        .map(Acceptor::new))
}

/// What outgoing connections share, built once and lent to the hands.
struct Outgoing {
    tls: Arc<ClientConfig>,
    http: reqwest::Client,
}

impl Outgoing {
    fn new(extra: Option<&Path>) -> Result<Self, TlsError> {
        Self::trusting(tls::system_roots(extra)?)
    }

    /// The outgoing side of an engine with CAs of its own.
    fn of(ca: &Path) -> Result<Self, TlsError> {
        Self::trusting(tls::file_roots(ca)?)
    }

    fn trusting(roots: RootCertStore) -> Result<Self, TlsError> {
        let tls = tls::client_config(roots);
        Ok(Self {
            http: tls::http_client(&tls)?,
            tls: Arc::new(tls),
        })
    }

    /// Gives a route its hands.
    fn lane(&self, mut route: Route, pseudonyms: &Pseudonyms) -> Result<Lane, StartError> {
        let own = route.engine.ca.as_deref().map(Self::of).transpose()?;
        let qlik = own.as_ref().unwrap_or(self);
        let checks = std::mem::take(&mut route.sessions);
        let credential = std::mem::replace(&mut route.credential, Credential::None);
        let lent = Lent {
            http: &self.http,
            tls: &self.tls,
            pseudonyms,
        };
        Ok(Lane {
            sessions: Sessions::new(&route.name, checks, lent)?,
            credentials: Credentials::new(credential, &qlik.http)?,
            engine: Engine::new(&route.engine, &tls::engine_config(&qlik.tls))?,
            route: Arc::new(route),
        })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Bind(address, error))
}

/// Why the proxy did not start. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A door could not be opened.
    #[error("{0} cannot be listened on: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// A credential source could not be set up.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// An engine could not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A bound door does not know its address.
    #[error("a door cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// No random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// A session check could not be set up.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
