//! The whole proxy: a config enters, two doors open, and a stop ends it in order.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rustls::{ClientConfig, RootCertStore};
use secrecy::SecretSlice;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::admin::Admin;
use crate::config::{
    self, Config, Credential, EgressProxy, Flavour, Http2, ListenAddress, ListenTls, Outbound,
    Route, SessionCheck,
};
use crate::credential::{self, CredentialError, Credentials, Keepers, Pool};
use crate::engine::{Engine, EngineError};
use crate::gate::{Books, Gate, IdentityKey, Lane};
use crate::line::{Line, LineError};
use crate::live::Live;
use crate::probe::Probe;
use crate::quota::Quotas;
use crate::record::Meters;
use crate::replicas::Replicas;
use crate::revocation::Revocation;
use crate::revoked::Revoked;
use crate::route::Routes;
use crate::server::{House, Listener, Peers, Server};
use crate::session::{Lent, Pseudonyms, SessionError, Sessions, TicketStore};
use crate::telemetry::Metrics;
use crate::tls::{self, Acceptor, Protocol, TlsError};

/// How long the public door waits for the logouts that were told before this start.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How long a stop waits for logouts that the other replicas are not told yet.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long the replicas' Redis may take for an answer.
const REPLICAS_LIMIT: Duration = Duration::from_secs(2);

/// A proxy whose doors are bound.
pub struct Proxy {
    server: Server,
    admin: Admin,
    addresses: Addresses,
    place: String,
    live: Arc<Live>,
    revoked: Arc<Revoked>,
    replicas: Option<Arc<Replicas>>,
    drain: Duration,
    stop: CancellationToken,
}

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The public door; `None` where it is a socket file.
    pub public: Option<SocketAddr>,
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
        let outgoing = Outgoing::new(config.outbound)?;
        let shared = config.replicas.as_ref().zip(config.identity_key.as_ref());
        let kin = shared.map(|shared| outgoing.kin(shared, &config.routes, &mut registry));
        let (replicas, stores) = kin.transpose()?.unzip();
        let (tickets, pool) = stores.unzip();
        let keepers = Keepers::sharing(pool.flatten());
        let routes = config.routes.into_iter();
        let lanes =
            routes.map(|route| outgoing.lane(route, &pseudonyms, &keepers, tickets.as_ref()));
        let lanes = lanes.collect::<Result<_, _>>()?;
        let revoked = Arc::new(Revoked::new(Arc::clone(&live)));
        let books = Books {
            live: Arc::clone(&live),
            meters: Arc::new(Meters::new(&mut registry)),
            quotas: Arc::new(Quotas::new(&config.limits)),
            revoked: Arc::clone(&revoked),
            replicas: replicas.clone(),
        };
        let peers = Peers::new(config.listen.trusted_proxies.clone());
        let house = Arc::new(house(lanes, identities, books, peers));
        let public = Listener::bind(&config.listen.address)
            .await
            .map_err(|error| StartError::Listen(config.listen.address.clone(), error))?;
        let operators = bind(config.admin.address).await?;
        let addresses = Addresses {
            public: public.address()?,
            admin: operators.local_addr()?,
        };
        let metrics = Metrics::new(registry, Arc::clone(&house));
        let public_tls = acceptor(config.listen.tls.as_ref(), spoken(config.listen.http2))?;
        let admin_tls = acceptor(config.admin.tls.as_ref(), &[Protocol::Http1])?;
        Ok(Self {
            server: Server::new(public, public_tls, house, &config.listen),
            admin: Admin::new(
                operators,
                admin_tls,
                config.admin,
                metrics,
                Arc::clone(&live),
            ),
            place: place(addresses, &config.listen.address),
            addresses,
            live,
            revoked,
            replicas,
            drain: config.listen.drain,
            stop: CancellationToken::new(),
        })
    }

    /// Every route's way to Qlik, for a rehearsal that opens no door.
    pub fn rehearse(config: Config) -> Result<Vec<Probe>, StartError> {
        let outgoing = Outgoing::new(config.outbound)?;
        let keepers = Keepers::default();
        let routes = config.routes.into_iter();
        let probes = routes.map(|route| outgoing.probe(route, &keepers));
        probes.collect()
    }

    /// Where the doors are.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown`, then drains: no new sockets, a Close for those that are open.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        info!(door = "public", address = %self.place, "listening");
        info!(door = "admin", address = %self.addresses.admin, "listening");
        let talk = self
            .replicas
            .clone()
            .map(|replicas| talk(replicas, self.revoked));
        let doors = self.stop.child_token();
        let server = tokio::spawn(open(self.server, self.replicas.clone(), doors));
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
        if let Some(replicas) = self.replicas {
            replicas.finish(FAREWELL).await;
        }
        drop(talk);
        info!("stopped");
    }
}

/// Begins to tell and to hear logouts; ends when it is dropped.
fn talk(replicas: Arc<Replicas>, revoked: Arc<Revoked>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let hear = |revocation: &Revocation, remember| {
            let sockets = revoked.revoke(revocation, remember);
            if sockets > 0 {
                info!(sockets, "logged out by the issuer, as another replica says");
            }
        };
        replicas.converse(hear).await;
    }))
}

/// Opens the public door, once the logouts of the other replicas are known.
async fn open(server: Server, replicas: Option<Arc<Replicas>>, doors: CancellationToken) {
    if let Some(replicas) = replicas {
        doors.run_until_cancelled(replicas.catch_up(CATCH_UP)).await;
    }
    server.run(doors).await;
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

/// What the public door speaks, the best first.
const fn spoken(http2: Option<Http2>) -> &'static [Protocol] {
    match http2 {
        Some(_) => &[Protocol::Http2, Protocol::Http1],
        None => &[Protocol::Http1],
    }
}

fn acceptor(
    files: Option<&ListenTls>,
    protocols: &[Protocol],
) -> Result<Option<Acceptor>, TlsError> {
    let config = files.map(|files| tls::server_config(files, protocols));
    Ok(config.transpose()?.map(Acceptor::new))
}

/// Where replicas keep tickets and, where they share them, credentials.
type Stores = (TicketStore, Option<Pool>);

/// What outgoing connections share, built once and lent to the hands.
struct Outgoing {
    roots: RootCertStore,
    tls: Arc<ClientConfig>,
    http: reqwest::Client,
    egress: Option<EgressProxy>,
}

impl Outgoing {
    fn new(outbound: Outbound) -> Result<Self, TlsError> {
        let roots = tls::system_roots(outbound.ca.as_deref())?;
        Self::trusting(roots, outbound.proxy)
    }

    /// The outgoing side of an engine with CAs of its own.
    fn of(&self, ca: &Path) -> Result<Self, TlsError> {
        Self::trusting(tls::file_roots(ca)?, self.egress.clone())
    }

    fn trusting(roots: RootCertStore, egress: Option<EgressProxy>) -> Result<Self, TlsError> {
        let tls = tls::client_config(roots.clone());
        Ok(Self {
            roots,
            http: tls::http_client(&tls, egress.as_ref())?,
            tls: Arc::new(tls),
            egress,
        })
    }

    /// What is shared with other replicas: what they tell each other, and where tickets and
    /// credentials lie.
    fn kin(
        &self,
        (replicas, key): (&config::Replicas, &SecretSlice<u8>),
        routes: &[Route],
        registry: &mut Registry,
    ) -> Result<(Arc<Replicas>, Stores), StartError> {
        let line = Arc::new(Line::new(&replicas.server, REPLICAS_LIMIT, &self.tls)?);
        let tickets = TicketStore::new(Arc::clone(&line), &replicas.prefix, key);
        let keys = Some(&replicas.credential_keys).filter(|keys| !keys.is_empty());
        let pool = keys.map(|keys| Pool::new(Arc::clone(&line), &replicas.prefix, key, keys));
        let memory = longest_memory(routes);
        let replicas = Replicas::new(replicas, key, line, memory, registry);
        Ok((Arc::new(replicas), (tickets, pool)))
    }

    /// The clients that a credential is fetched with: one for all, and one with its certificate.
    fn fetchers(&self, route: &Route) -> Result<Fetchers, TlsError> {
        let windows = route.engine.flavour == Flavour::Windows;
        let name = route.engine.server_name.as_deref().filter(|_| windows);
        let egress = self.egress.as_ref();
        let client = |config| tls::http_client(&tls::named(config, &self.roots, name)?, egress);
        let certified = route.credential.api_certificate();
        let certified = certified.map(|files| {
            let config = tls::certified_config(self.roots.clone(), files)?;
            client(config)
        });
        Ok(Fetchers {
            plain: match name {
                None => self.http.clone(),
                Some(_) => client(tls::client_config(self.roots.clone()))?,
            },
            certified: certified.transpose()?,
        })
    }

    /// What the engine is dialled with.
    fn dialler(&self, route: &Route) -> Result<Arc<ClientConfig>, TlsError> {
        Ok(match route.credential.engine_certificate() {
            None => tls::engine_config(&self.tls),
            Some(files) => {
                let config = tls::certified_config(self.roots.clone(), files)?;
                tls::engine_config(&config)
            }
        })
    }

    /// Gives a route its hands.
    fn lane(
        &self,
        mut route: Route,
        pseudonyms: &Pseudonyms,
        keepers: &Keepers,
        tickets: Option<&TicketStore>,
    ) -> Result<Lane, StartError> {
        let checks = std::mem::take(&mut route.sessions);
        let wants_token = route.credential.wants_session_token();
        let (credentials, engine) = self.qlik(&mut route, keepers)?;
        let lent = Lent {
            http: &self.http,
            tls: &self.tls,
            pseudonyms,
            tickets,
        };
        let mut sessions = Sessions::new(&route.name, checks, lent)?;
        if wants_token {
            sessions = sessions.keeping_tokens();
        }
        Ok(Lane {
            sessions,
            credentials,
            engine,
            route: Arc::new(route),
        })
    }

    /// A route's hands without its sessions.
    fn probe(&self, mut route: Route, keepers: &Keepers) -> Result<Probe, StartError> {
        let (credentials, engine) = self.qlik(&mut route, keepers)?;
        Ok(Probe {
            route,
            credentials,
            engine,
            identities: IdentityKey::random().ok_or(StartError::NoRandomness)?,
        })
    }

    /// The two hands that reach out to Qlik.
    fn qlik(
        &self,
        route: &mut Route,
        keepers: &Keepers,
    ) -> Result<(Credentials, Engine), StartError> {
        let own = route.engine.ca.as_deref();
        let own = own.map(|ca| self.of(ca)).transpose()?;
        let qlik = own.as_ref().unwrap_or(self);
        let (fetchers, dialler) = (qlik.fetchers(route)?, qlik.dialler(route)?);
        let wanted = std::mem::replace(&mut route.credential, Credential::None);
        let borrowed = credential::Lent {
            http: &fetchers.plain,
            trust: route.engine.ca.as_deref(),
            certified: fetchers.certified.as_ref(),
            keepers,
        };
        let credentials = Credentials::new(wanted, borrowed)?;
        let engine = Engine::new(&route.engine, &dialler, qlik.egress.as_ref())?;
        Ok((credentials, engine))
    }
}

/// How long the longest of all logouts counts.
fn longest_memory(routes: &[Route]) -> Duration {
    let checks = routes.iter().flat_map(|route| &route.sessions);
    let logouts = checks.filter_map(|check| match check {
        SessionCheck::Jwt(jwt) => jwt.logout.as_ref(),
        _ => None,
    });
    logouts
        .map(|logout| logout.memory)
        .max()
        .unwrap_or_default()
}

/// The clients that a credential is fetched with.
struct Fetchers {
    plain: reqwest::Client,
    certified: Option<reqwest::Client>,
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Bind(address, error))
}

/// Where the public door is, for the log.
fn place(addresses: Addresses, configured: &ListenAddress) -> String {
    match addresses.public {
        Some(address) => address.to_string(),
        None => configured.to_string(),
    }
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
    /// The public door could not be opened.
    #[error("{0} cannot be listened on: {1}")]
    Listen(ListenAddress, #[source] io::Error),
    /// A bound door does not know its address.
    #[error("a door cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// The line to the replicas' Redis could not be set up.
    #[error("[replicas]: {0}")]
    Line(#[from] LineError),
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
