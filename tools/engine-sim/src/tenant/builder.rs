//! How a tenant is set up before it listens.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{StandIn, Tenant, server, shared::Settings, shared::Shared, vault::User, vault::Vault};
use crate::engine::Engine;

const TOKEN_LIFE: Duration = Duration::from_hours(6);

/// The name of an OAuth client.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClientId(pub(super) String);

impl From<&str> for ClientId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for ClientId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

/// What an OAuth client may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientKind {
    /// `client_credentials`, for the users' API alone.
    Admin,
    /// `client_credentials` alone.
    Machine,
    /// `client_credentials`, and impersonation of users.
    Trusted,
}

/// A tenant that does not listen yet.
#[derive(Default)]
pub struct Builder {
    settings: Settings,
    secrets: Vec<String>,
    engine: Option<Arc<Engine>>,
    token_life: Option<Duration>,
    tls: Option<Arc<ServerConfig>>,
}

impl Builder {
    /// Adds an OAuth client.
    #[must_use]
    pub fn client(
        mut self,
        id: impl Into<ClientId>,
        secret: impl Into<String>,
        kind: ClientKind,
    ) -> Self {
        let secret = secret.into();
        self.secrets.push(secret.clone());
        self.settings.clients.insert(id.into(), (secret, kind));
        self
    }

    /// Adds an API key.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.secrets.push(key.to_owned());
        self.settings.api_keys.push(key.to_owned());
        self
    }

    /// Adds a user. When none is added, any user can be impersonated.
    #[must_use]
    pub fn user(mut self, subject: &str, user_id: &str) -> Self {
        self.settings.users.push(User::active(subject, user_id));
        self
    }

    /// Adds a user who is disabled: a token for them is refused with 403.
    #[must_use]
    pub fn disabled_user(mut self, subject: &str, user_id: &str) -> Self {
        self.settings.users.push(User::disabled(subject, user_id));
        self
    }

    /// Adds an OAuth client that proves who it is by JWTs: `pem` is its public key.
    ///
    /// # Errors
    /// When `pem` is none.
    pub fn client_with_key(
        mut self,
        id: impl Into<ClientId>,
        pem: &str,
        kind: ClientKind,
    ) -> io::Result<Self> {
        let (id, key) = (id.into(), crate::jwt::verifier(pem)?);
        self.settings.cloud.keys.insert(id.clone(), key);
        self.settings.clients.insert(id, (String::new(), kind));
        Ok(self)
    }

    /// Lets an identity provider vouch for people by JWTs: `pem` is its public key.
    ///
    /// # Errors
    /// When `pem` is none.
    pub fn identity_provider(mut self, issuer: &str, key_id: &str, pem: &str) -> io::Result<Self> {
        self.settings.cloud.provide(issuer, key_id, pem)?;
        Ok(self)
    }

    /// Exchanges the tokens that an app signs with this secret (HS256).
    #[must_use]
    pub fn exchanging_for(mut self, app_secret: &str) -> Self {
        let key = jsonwebtoken::DecodingKey::from_secret(app_secret.as_bytes());
        self.settings.cloud.app = Some((key, vec![jsonwebtoken::Algorithm::HS256]));
        self
    }

    /// Exchanges the tokens that the other half of this public key or certificate, PEM, signed.
    ///
    /// # Errors
    /// When it is neither.
    pub fn exchanging_by_key(mut self, pem: &str) -> io::Result<Self> {
        self.settings.cloud.app = Some(crate::jwt::verifier(pem)?);
        Ok(self)
    }

    /// Lets whoever brings this access code in anonymously.
    #[must_use]
    pub fn anonymous(mut self, client_id: &str, access_code: &str) -> Self {
        self.secrets.push(access_code.to_owned());
        self.settings.cloud.anonymous = Some((client_id.to_owned(), access_code.to_owned()));
        self
    }

    /// Knows its users: only those who are among them can be impersonated.
    #[must_use]
    pub fn knowing_users(self) -> Self {
        self.settings.cloud.directory.open();
        self
    }

    /// Adds a user with roles, and knows its users.
    #[must_use]
    pub fn account(self, subject: &str, roles: &[&str]) -> Self {
        self.settings.cloud.directory.add(subject, roles);
        self
    }

    /// How long a token lives; six hours when not said.
    #[must_use]
    pub const fn token_life(mut self, life: Duration) -> Self {
        self.token_life = Some(life);
        self
    }

    /// Listens with TLS.
    #[must_use]
    pub fn tls(mut self, config: impl Into<Arc<ServerConfig>>) -> Self {
        self.tls = Some(config.into());
        self
    }

    /// Demands no bearer on the websocket, as a bare Core engine does.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.settings.open = true;
        self
    }

    /// Keeps no messages and no calls, so that a long run under load stays small.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.settings.quiet = true;
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
    pub async fn start(self, address: SocketAddr) -> io::Result<Tenant> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let acceptor = self.tls.map(TlsAcceptor::from);
        let life = self.token_life.unwrap_or(TOKEN_LIFE);
        let vault = Vault::new(self.secrets, life);
        let engine = self.engine.unwrap_or_default();
        let shared = Arc::new(Shared::new(self.settings, vault, engine));
        let door = Arc::new(server::TenantDoor(Arc::clone(&shared)));
        let listening = server::listen(listener, acceptor, door);
        shared.tasks.spawn(listening);
        Ok(Tenant {
            address,
            scheme,
            stand_in: StandIn::new(Arc::clone(&shared)),
            shared,
        })
    }
}
