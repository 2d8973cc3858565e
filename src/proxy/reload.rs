//! A config that is read anew: on success it takes the old one's place whole, on a mistake nothing
//! changes. Sockets that it would not let in, or would lead elsewhere, are ended; the others go on.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::outgoing::Outgoing;
use super::stock::Stock;
use super::{StartError, peers};
use crate::config::{Config, ListenTls, Mistakes, Warning};
use crate::server::Estate;
use crate::tls::{self, Acceptor, Protocol, TlsError};

/// Reads the config anew.
pub type Source = Box<dyn Fn() -> Result<(Config, Vec<Warning>), Unread> + Send + Sync>;

/// Why a config could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Its file could not.
    #[error("{0}")]
    File(String),
    /// It has mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
}

/// What a new config is put into.
pub(super) struct Upkeep {
    pub(super) source: Source,
    pub(super) stock: Stock,
    pub(super) estate: Arc<Estate>,
    pub(super) public: Option<Acceptor>,
    /// What the public door speaks, settled at the start.
    pub(super) spoken: &'static [Protocol],
    pub(super) operators: Option<Acceptor>,
    pub(super) meters: Meters,
}

/// How reloads went.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters {
    reloads: Counter,
    failures: Counter,
    loaded: Gauge,
}

impl Meters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let reloads = "Configs taken while running";
        registry.register("config_reloads", reloads, meters.reloads.clone());
        let failures = "Configs that were read anew and not taken";
        registry.register("config_reload_failures", failures, meters.failures.clone());
        let loaded = "When the config that counts was read, since 1970";
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "config_loaded_timestamp",
            loaded,
            seconds,
            meters.loaded.clone(),
        );
        meters.stamp();
        meters
    }

    fn stamp(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        self.loaded.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}

/// Reads the config anew whenever it is told to, for ever.
pub(super) async fn keep_up(upkeep: Upkeep, told: Arc<Notify>) {
    let upkeep = Arc::new(upkeep);
    loop {
        told.notified().await;
        let turn = Arc::clone(&upkeep);
        // Files and roots are read, which takes its time.
        let reloaded = spawn_blocking(move || turn.reload()).await;
        if reloaded.is_ok_and(|so| so) {
            upkeep.meters.reloads.inc();
        } else {
            upkeep.meters.failures.inc();
        }
    }
}

impl Upkeep {
    /// Whether the new config is taken.
    fn reload(&self) -> bool {
        let (config, warnings) = match (self.source)() {
            Ok(read) => read,
            Err(unread) => {
                unread.log();
                return false;
            }
        };
        for warning in &warnings {
            warn!(config = %warning, "the config says something to look at");
        }
        let taken = self.take(config);
        // Also where it was not: what had been prepared for it is nobody's.
        self.stock.keepers.tidy();
        match taken {
            Ok(ended) => {
                self.meters.stamp();
                info!(sockets.ended = ended, "the config is read anew and counts");
                true
            }
            Err(error) => {
                error!(%error, "the config cannot be used; the old one goes on");
                false
            }
        }
    }

    /// Makes everything before it changes anything.
    fn take(&self, config: Config) -> Result<usize, StartError> {
        let law = &self.stock.books.law;
        let outgoing = Outgoing::new(config.outbound, config.outbound_print)?;
        let lanes = self.stock.lanes(&outgoing, config.routes, &law.lanes())?;
        let public = certificates(config.listen.tls.as_ref(), self.spoken)?;
        let operators = certificates(config.admin.tls.as_ref(), &[Protocol::Http1])?;
        self.stock.warn_of(&config.fixed);
        show("[listen.tls]", self.public.as_ref(), public);
        show("[admin.tls]", self.operators.as_ref(), operators);
        let peers = peers(&config.listen);
        // First the law: whoever still comes by the old house is held to it.
        let ended = law.enact(&lanes, &self.stock.books.live);
        self.estate.rebuild(self.stock.house(lanes, peers));
        Ok(ended)
    }
}

type Shown = Arc<rustls::ServerConfig>;

fn certificates(
    files: Option<&ListenTls>,
    protocols: &[Protocol],
) -> Result<Option<Shown>, TlsError> {
    let config = files.map(|files| tls::server_config(files, protocols));
    config.transpose()
}

/// A door shows the certificate that its files hold now.
fn show(door: &'static str, acceptor: Option<&Acceptor>, shown: Option<Shown>) {
    match (acceptor, shown) {
        (Some(acceptor), Some(shown)) => acceptor.renew(shown),
        (None, None) => {}
        _ => warn!(
            table = door,
            "whether a door speaks TLS is settled at the start; restart the proxy"
        ),
    }
}

impl Unread {
    fn log(&self) {
        match self {
            Self::File(error) => error!(error, "the config cannot be read; the old one goes on"),
            Self::Mistakes(mistakes) => {
                for mistake in mistakes.list() {
                    let (file, line, column) = (mistake.file(), mistake.line(), mistake.column());
                    error!(
                        at = %format!("{}:{line}:{column}", file.display()),
                        instead = mistake.instead(),
                        "the config has a mistake; the old one goes on: {}", mistake.what()
                    );
                }
            }
        }
    }
}
