//! The whole proxy: a config enters, two doors open, and a stop ends it in order.

mod files;
mod outgoing;
mod reload;
mod stock;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use secrecy::SecretSlice;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use self::outgoing::Outgoing;
pub use self::reload::{Source, Unread};
use self::reload::{Upkeep, keep_up};
use self::stock::Stock;
use crate::admin::{Admin, Inside};
use crate::config::{Config, Http2, Limits, Listen, ListenAddress, ListenTls};
use crate::credential::{CredentialError, Keepers};
use crate::engine::EngineError;
use crate::gate::{Books, IdentityKey, Lanes, Named};
use crate::line::LineError;
use crate::live::Live;
use crate::probe::Rehearsal;
use crate::quota::Quotas;
use crate::record;
use crate::replicas::{News, Replicas};
use crate::revoked::Revoked;
use crate::server::{Estate, Listener, Peers, Server};
use crate::session::{Pseudonyms, SessionError};
use crate::telemetry::Metrics;
use crate::tls::{self, Acceptor, Protocol, TlsError};

/// How long the public door waits for the logouts that were told before this start.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How long a stop waits for logouts that the other replicas are not told yet.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a stop waits for people's sessions at Qlik to be ended.
const PARTING: Duration = Duration::from_secs(3);
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
    keepers: Keepers,
    drain: Duration,
    upkeep: Upkeep,
    reload: Arc<Notify>,
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
    /// Builds every room and binds both doors. `source` is asked when the config is to be read anew.
    pub async fn bind(config: Config, source: Source) -> Result<Self, StartError> {
        files::look(&config);
        let mut registry = Registry::with_prefix("qix_proxy");
        let outgoing = Outgoing::new(config.outbound, config.outbound_print)?;
        let shared = config.replicas.as_ref().zip(config.identity_key.as_ref());
        let kin = shared.map(|shared| outgoing.kin(shared, &config.routes, &mut registry));
        let (replicas, stores) = kin.transpose()?.unzip();
        let (tickets, pool) = stores.unzip();
        let stock = Stock {
            identities: Arc::new(identities(config.identity_key.as_ref())?),
            pseudonyms: pseudonyms(config.identity_key.as_ref())?,
            keepers: Keepers::sharing(pool.flatten()),
            tickets,
            books: books(&config.limits, replicas, &mut registry),
            fixed: config.fixed,
        };
        let (books, keepers) = (stock.books.clone(), stock.keepers.clone());
        let lanes = stock.lanes(&outgoing, config.routes, &Lanes::default())?;
        books.law.enact(&lanes, &books.live);
        let estate = Estate::new(stock.house(lanes, peers(&config.listen)));
        let public = Listener::bind(&config.listen.address)
            .await
            .map_err(|error| StartError::Listen(config.listen.address.clone(), error))?;
        let operators = bind(config.admin.address).await?;
        let addresses = Addresses {
            public: public.address()?,
            admin: operators.local_addr()?,
        };
        let spoken = spoken(config.listen.http2);
        let upkeep = Upkeep {
            source,
            stock,
            estate: Arc::clone(&estate),
            public: acceptor(config.listen.tls.as_ref(), spoken)?,
            spoken,
            operators: acceptor(config.admin.tls.as_ref(), &[Protocol::Http1])?,
            meters: reload::Meters::new(&mut registry),
        };
        let reload = Arc::<Notify>::default();
        let inside = Inside {
            metrics: Metrics::new(registry, Arc::clone(&estate)),
            live: Arc::clone(&books.live),
            replicas: books.replicas.clone(),
            reload: Arc::clone(&reload),
        };
        Ok(Self {
            server: Server::new(public, upkeep.public.clone(), estate, &config.listen),
            admin: Admin::new(operators, upkeep.operators.clone(), config.admin, inside),
            place: place(addresses, &config.listen.address),
            addresses,
            live: books.live,
            revoked: books.revoked,
            replicas: books.replicas,
            keepers,
            drain: config.listen.drain,
            upkeep,
            reload,
            stop: CancellationToken::new(),
        })
    }

    /// Whoever tells it has the config read anew.
    #[must_use]
    pub fn reload(&self) -> Arc<Notify> {
        Arc::clone(&self.reload)
    }

    /// Every route's way to Qlik, and to the other replicas, for a rehearsal that opens no door.
    pub fn rehearse(config: Config) -> Result<Rehearsal, StartError> {
        let outgoing = Outgoing::new(config.outbound, config.outbound_print)?;
        let keepers = Keepers::fleeting();
        let commons = config.replicas.as_ref();
        let commons = commons.map(|replicas| outgoing.commons(replicas));
        let routes = config.routes.into_iter();
        let probes = routes.map(|route| outgoing.probe(route, &keepers));
        Ok(Rehearsal {
            probes: probes.collect::<Result<_, _>>()?,
            commons: commons.transpose()?,
            keepers,
        })
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
        let identities = &self.upkeep.stock.identities;
        let hearer = Hearer {
            live: Arc::clone(&self.live),
            revoked: self.revoked,
            identities: Arc::clone(identities),
        };
        let replicas = self.replicas.clone();
        let talk = replicas.map(|replicas| talk(replicas, hearer));
        let doors = self.stop.child_token();
        let server = tokio::spawn(open(self.server, self.replicas.clone(), doors));
        let admin = tokio::spawn(self.admin.run(self.stop.clone()));
        let upkeep = AbortOnDropHandle::new(tokio::spawn(keep_up(self.upkeep, self.reload)));
        shutdown.await;
        drop(upkeep);
        info!(open = self.live.open(), "draining");
        self.keepers.close();
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
        self.keepers.emptied(PARTING).await;
        if let Some(replicas) = self.replicas {
            replicas.finish(FAREWELL).await;
        }
        drop(talk);
        info!("stopped");
    }
}

/// Begins to tell and to hear what replicas tell each other; ends when it is dropped.
fn talk(replicas: Arc<Replicas>, hearer: Hearer) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        replicas.converse(|news| hearer.hear(news)).await;
    }))
}

/// Does what other replicas tell of.
struct Hearer {
    live: Arc<Live>,
    revoked: Arc<Revoked>,
    identities: Arc<IdentityKey>,
}

impl Hearer {
    fn hear(&self, news: &News) {
        match news {
            News::LoggedOut(revocation, remember) => {
                let sockets = self.revoked.revoke(revocation, *remember);
                if sockets > 0 {
                    let Named { session, subject } = self.identities.name_logout(revocation);
                    info!(
                        session.hash = session,
                        subject, sockets, "logged out by the issuer, as another replica says"
                    );
                }
            }
            News::Closed(pick, moment) => {
                let closed = self.live.close(pick, *moment);
                if closed > 0 {
                    info!(closed, "sockets closed by an operator of another replica");
                }
            }
        }
    }
}

/// Opens the public door, once the logouts of the other replicas are known.
async fn open(server: Server, replicas: Option<Arc<Replicas>>, doors: CancellationToken) {
    if let Some(replicas) = replicas {
        doors.run_until_cancelled(replicas.catch_up(CATCH_UP)).await;
    }
    server.run(doors).await;
}

fn identities(key: Option<&SecretSlice<u8>>) -> Result<IdentityKey, StartError> {
    let random = || IdentityKey::random().ok_or(StartError::NoRandomness);
    key.map_or_else(random, |key| Ok(IdentityKey::new(key)))
}

fn pseudonyms(key: Option<&SecretSlice<u8>>) -> Result<Pseudonyms, StartError> {
    let random = || Pseudonyms::random().ok_or(StartError::NoRandomness);
    key.map_or_else(random, |key| Ok(Pseudonyms::new(key)))
}

fn books(limits: &Limits, replicas: Option<Arc<Replicas>>, registry: &mut Registry) -> Books {
    let live = Live::new(*limits);
    Books {
        meters: Arc::new(record::Meters::new(registry)),
        quotas: Arc::new(Quotas::new(limits)),
        revoked: Arc::new(Revoked::new(Arc::clone(&live), registry)),
        law: Arc::default(),
        live,
        replicas,
    }
}

/// Who is believed on the other end of a connection.
fn peers(listen: &Listen) -> Peers {
    let tls = listen.tls.as_ref();
    let authorities = tls.map(|tls| tls.client_ca_print).unwrap_or_default();
    Peers::new(listen.trusted_proxies.clone(), authorities)
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
