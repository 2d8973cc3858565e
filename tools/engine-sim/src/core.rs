//! A bare engine (Qlik Core): one port with the engine websocket, and bearers that it checks itself.
//!
//! Enters: upgrades, with a JWT when `ValidateJsonWebTokens` is on. Leaves: frames, or 401.

use std::{fmt, io, net::SocketAddr, ops::Deref, sync::Arc, time::Duration};

use http::{Request, StatusCode};
use hyper::body::Incoming;
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    engine::{Engine, SessionKey},
    jwt::{verifier, verify},
    tenant::{
        StandIn,
        manner::Manner,
        place::Place,
        refusal::{Answer, typed},
        server::{self, Door},
        shared::{Settings, Shared},
        upgrade::{self, Arriving, Visit, bearer, shake_hands},
        vault::Vault,
        wire::Cork,
    },
};

/// A bare engine that listens. Dropping it stops it.
pub struct Core {
    address: SocketAddr,
    scheme: &'static str,
    stand_in: StandIn,
}

/// A bare engine that does not listen yet.
#[derive(Default)]
pub struct Builder {
    bearers: Bearers,
    tls: Option<Arc<ServerConfig>>,
    engine: Option<Arc<Engine>>,
}

/// What `ValidateJsonWebTokens` says.
#[derive(Clone, Default)]
enum Bearers {
    #[default]
    Ignored,
    Checked(DecodingKey, Vec<Algorithm>),
}

impl Core {
    /// An engine that asks for no bearer.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:PORT`, or `https` when it has a certificate.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Stops listening, closes every socket with 1001 and waits until all is over.
    pub async fn stop(self) {
        self.stand_in.halt().await;
    }
}

impl Deref for Core {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Demands a bearer that this shared secret signed (HS256, HS384, HS512).
    #[must_use]
    pub fn validate_by_secret(mut self, secret: &[u8]) -> Self {
        let algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        self.bearers = Bearers::Checked(DecodingKey::from_secret(secret), algorithms);
        self
    }

    /// Demands a bearer signed by the other half of this public key or certificate, PEM.
    ///
    /// # Errors
    /// When it is neither.
    pub fn validate_by_key(mut self, pem: &str) -> io::Result<Self> {
        let (key, algorithms) = verifier(pem)?;
        self.bearers = Bearers::Checked(key, algorithms);
        Ok(self)
    }

    /// Listens with TLS.
    #[must_use]
    pub fn tls(mut self, config: impl Into<Arc<ServerConfig>>) -> Self {
        self.tls = Some(config.into());
        self
    }

    /// Puts this engine behind the websocket; a default one when not said.
    #[must_use]
    pub fn engine(mut self, engine: Arc<Engine>) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Listens at `address` (port 0 takes a free one).
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(self, address: SocketAddr) -> io::Result<Core> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let vault = Vault::new(Vec::new(), Duration::default());
        let engine = self.engine.unwrap_or_default();
        let shared = Arc::new(Shared::new(Settings::default(), vault, engine));
        let door = CoreDoor {
            shared: Arc::clone(&shared),
            bearers: self.bearers,
        };
        let acceptor = self.tls.map(TlsAcceptor::from);
        let listening = server::listen(listener, acceptor, Arc::new(door));
        shared.tasks.spawn(listening);
        Ok(Core {
            address,
            scheme,
            stand_in: StandIn::new(shared),
        })
    }
}

struct CoreDoor {
    shared: Arc<Shared>,
    bearers: Bearers,
}

impl Door for CoreDoor {
    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    async fn answer(&self, cork: Cork, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let (head, body) = request.into_parts();
        let entry = self.shared.ledger.enter(&head);
        let arriving = Arriving {
            entry,
            cork,
            request: Request::from_parts(head, body),
        };
        let answer =
            upgrade::respond(&self.shared, arriving, |request| self.admit(request)).await?;
        Ok(answer.unwrap_or_else(|status| typed(status, "text/plain", "")))
    }
}

impl CoreDoor {
    fn admit(&self, request: &Request<Incoming>) -> Result<Visit, StatusCode> {
        let place = Place::parse(request.uri().path());
        let place = place.ok_or(StatusCode::NOT_FOUND)?;
        let answer = shake_hands(request).map_err(|_| StatusCode::UPGRADE_REQUIRED)?;
        let user = self.user(request);
        let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
        let session = request.headers().get("x-qlik-session");
        let chosen = session
            .and_then(|id| id.to_str().ok())
            .map(ToOwned::to_owned);
        Ok(Visit {
            key: SessionKey {
                user,
                app: place.app,
                identity: chosen.or(place.identity),
            },
            ttl: place.ttl,
            answer,
            manner: Manner::default(),
        })
    }

    /// The subject of the bearer, where one is demanded.
    fn user(&self, request: &Request<Incoming>) -> Option<String> {
        let bearer = bearer(request.headers());
        if let Some(bearer) = bearer {
            self.shared.vault.keep(bearer);
        }
        match &self.bearers {
            Bearers::Ignored => Some("anonymous".to_owned()),
            Bearers::Checked(key, algorithms) => {
                let claims = verify(bearer?, key, algorithms)?;
                let subject = claims.get("sub").and_then(Value::as_str);
                Some(subject.unwrap_or("anonymous").to_owned())
            }
        }
    }
}
