//! How an installation is set up before it listens.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    Windows,
    engine_port::EnginePort,
    estate::{Estate, Named},
    front::Front,
    qps::Qps,
    virtual_proxy::VirtualProxy,
};
use crate::{
    certificates::Certificates,
    engine::Engine,
    tenant::{
        StandIn,
        server::{self, Door},
        shared::{Settings, Shared},
        vault::Vault,
    },
};

const SESSIONS: usize = 5;
const HOME: &str = "127.0.0.1";

/// What the front door speaks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// TLS with the server's certificate.
    #[default]
    Https,
    /// Plain HTTP, with `-HTTP` at the end of every session cookie's name.
    Http,
}

/// The ports of an installation; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ports {
    /// The front door, 443 on a real one.
    pub front: u16,
    /// The proxy service's API, 4243 on a real one.
    pub qps: u16,
    /// The engine, 4747 on a real one.
    pub engine: u16,
}

/// An installation that does not listen yet.
#[derive(Default)]
pub struct Builder {
    proxies: Vec<(String, VirtualProxy)>,
    certificates: Option<Certificates>,
    transport: Transport,
    ports: Ports,
    limit: Option<usize>,
    engine: Option<Arc<Engine>>,
    settings: Settings,
}

impl Builder {
    /// Adds a virtual proxy; the one with the prefix `""` is the default one.
    #[must_use]
    pub fn virtual_proxy(mut self, prefix: &str, proxy: VirtualProxy) -> Self {
        self.proxies.push((prefix.to_owned(), proxy));
        self
    }

    /// The certificates of all three ports; made for 127.0.0.1 and localhost when not said.
    #[must_use]
    pub fn certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// What the front door speaks.
    #[must_use]
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Where to listen, on the loopback.
    #[must_use]
    pub const fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// How many sessions a person may have; five when not said.
    #[must_use]
    pub const fn sessions_a_person(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Puts this engine behind the websockets; a default one when not said.
    #[must_use]
    pub fn engine(mut self, engine: Arc<Engine>) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Keeps no messages and no calls, so that a long run under load stays small.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.settings.quiet = true;
        self
    }

    /// Listens on the loopback.
    ///
    /// # Errors
    /// When a port cannot be bound or a certificate cannot be made.
    pub async fn start(self) -> io::Result<Windows> {
        let certificates = match self.certificates {
            Some(certificates) => certificates,
            None => Certificates::made_for(&[HOME, "localhost"])?,
        };
        let vault = Vault::new(
            vec![certificates.client().1.to_owned()],
            Duration::default(),
        );
        let engine = self.engine.unwrap_or_default();
        let shared = Arc::new(Shared::new(self.settings, vault, engine));
        let transport = self.transport;
        let proxies = self
            .proxies
            .into_iter()
            .map(|(prefix, proxy)| Named::new(prefix, proxy, transport, &certificates));
        let limit = self.limit.unwrap_or(SESSIONS);
        let estate = Arc::new(Estate::new(shared, proxies.collect(), limit));
        let front_tls = match transport {
            Transport::Https => Some(certificates.serving()?),
            Transport::Http => None,
        };
        let qps_tls = Some(certificates.demanding()?);
        let engine_tls = qps_tls.clone();
        Ok(Windows {
            front: open(self.ports.front, front_tls, Front(Arc::clone(&estate))).await?,
            qps: open(self.ports.qps, qps_tls, Qps(Arc::clone(&estate))).await?,
            engine: open(
                self.ports.engine,
                engine_tls,
                EnginePort(Arc::clone(&estate)),
            )
            .await?,
            transport,
            certificates,
            stand_in: StandIn::new(Arc::clone(&estate.shared)),
            estate,
        })
    }
}

impl Named {
    fn new(
        prefix: String,
        proxy: VirtualProxy,
        transport: Transport,
        certificates: &Certificates,
    ) -> Self {
        let cookie = proxy
            .cookie
            .clone()
            .unwrap_or_else(|| match prefix.as_str() {
                "" => "X-Qlik-Session".to_owned(),
                prefix => format!("X-Qlik-Session-{prefix}"),
            });
        let suffix = match transport {
            Transport::Https => "",
            Transport::Http => "-HTTP",
        };
        let hosts = proxy.hosts.clone();
        Self {
            cookie: cookie + suffix,
            hosts: hosts.unwrap_or_else(|| certificates.names().to_vec()),
            proxy,
            prefix,
        }
    }
}

async fn open<D: Door>(port: u16, tls: Option<ServerConfig>, door: D) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((HOME, port)).await?;
    let address = listener.local_addr()?;
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let shared = Arc::clone(door.shared());
    shared
        .tasks
        .spawn(server::listen(listener, acceptor, Arc::new(door)));
    Ok(address)
}
