//! How a world is to be: the parts of the proxy's config, each with a default.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use engine_sim::tenant::{self, ClientKind, Tenant};
use qix_proxy::config::Config;

use super::World;
use super::world::Text;

/// The session of most tests: a cookie with a token under a shared secret.
const COOKIE: &str = r#"
[[route.session]]
kind = "jwt"
cookie = "session"
secret = { env = "SESSION_SECRET" }
"#;

/// How a world is to be.
pub(crate) struct Recipe {
    pub(super) tenant: Box<dyn FnOnce(tenant::Builder) -> tenant::Builder>,
    pub(crate) secrets: Secrets,
    process: String,
    admin: String,
    listen: String,
    route: String,
    session: String,
    access: String,
    credential: String,
    engine: String,
    limits: String,
    customers: Option<String>,
    pub(super) socket_file: Option<PathBuf>,
}

/// What is secret in a world, fresh in each.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Keys the identities.
    pub(crate) identity_key: String,
    /// Signs sessions.
    pub(crate) session: String,
    /// Of both OAuth clients.
    pub(crate) client: String,
    /// The API key.
    pub(crate) api_key: String,
    /// Opens the operators' list of sockets.
    pub(crate) admin: String,
}

impl Secrets {
    fn fresh() -> Self {
        let fresh = |what: &str| format!("canary-{what}-{}", hex(&random::<20>()));
        Self {
            identity_key: fresh("identity"),
            session: fresh("session"),
            client: fresh("client"),
            api_key: fresh("api-key"),
            admin: fresh("admin"),
        }
    }

    /// The environment of the proxy.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        match name {
            "QIX_IDENTITY_KEY" => Some(&self.identity_key),
            "SESSION_SECRET" => Some(&self.session),
            "QLIK_ADMIN_SECRET" | "QLIK_CLIENT_SECRET" => Some(&self.client),
            "QIX_ADMIN_TOKEN" => Some(&self.admin),
            "QLIK_ACCESS_CODE" | "QLIK_API_KEY" => Some(&self.api_key),
            _ => None,
        }
    }

    pub(super) fn all(&self) -> [String; 5] {
        let Self {
            identity_key,
            session,
            client,
            api_key,
            admin,
        } = self.clone();
        [identity_key, session, client, api_key, admin]
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            tenant: Box::new(|tenant| tenant),
            secrets: Secrets::fresh(),
            process: String::new(),
            admin: String::new(),
            listen: String::new(),
            route: String::new(),
            session: COOKIE.to_owned(),
            access: "apps = \"any\"".to_owned(),
            credential: "kind = \"api-key\"\nshared = true\nkey = { env = \"QLIK_API_KEY\" }"
                .to_owned(),
            engine: String::new(),
            limits: String::new(),
            customers: None,
            socket_file: None,
        }
    }
}

impl Recipe {
    /// Whole tables beside the routes.
    pub(crate) fn process(mut self, toml: &str) -> Self {
        self.process.push_str(toml);
        self
    }

    /// Keys of `[admin]`.
    pub(crate) fn admin(mut self, toml: &str) -> Self {
        self.admin.push_str(toml);
        self
    }

    /// At a socket file, where the public door listens.
    pub(crate) fn socket_file(mut self, path: &str) -> Self {
        self.socket_file = Some(path.into());
        self
    }

    /// Keys of `[listen]`.
    pub(crate) fn listen(mut self, toml: &str) -> Self {
        self.listen.push_str(toml);
        self
    }

    /// Keys of the route.
    pub(crate) fn route(mut self, toml: &str) -> Self {
        self.route.push_str(toml);
        self
    }

    /// Whole tables of sessions, in the place of the cookie.
    pub(crate) fn session(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.session);
        self
    }

    /// The keys of `[route.access]`.
    pub(crate) fn access(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.access);
        self
    }

    /// The keys of `[route.credential]`.
    pub(crate) fn credential(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.credential);
        self
    }

    /// A token per person.
    pub(crate) fn impersonating(self) -> Self {
        self.credential(
            r#"
            kind = "oauth-impersonation"
            client_id = "trusted"
            client_secret = { env = "QLIK_CLIENT_SECRET" }
            fetches_per_minute = 10000
            user = { field = "subject", claim = "sub" }"#,
        )
    }

    /// The machine client's own token.
    pub(crate) fn by_machine(self) -> Self {
        self.credential(
            r#"
            kind = "oauth-client"
            shared = true
            client_id = "machine"
            client_secret = { env = "QLIK_CLIENT_SECRET" }"#,
        )
    }

    /// Keys of `[route.engine]` beside the URL.
    pub(crate) fn engine(mut self, toml: &str) -> Self {
        self.engine.push_str(toml);
        self
    }

    /// Customers, in the place of the route's own credential and engine.
    pub(crate) fn customers(mut self, toml: &str) -> Self {
        self.customers = Some(toml.to_owned());
        self
    }

    /// Keys of `[route.limits]`.
    pub(crate) fn limits(mut self, toml: &str) -> Self {
        self.limits.push_str(toml);
        self
    }

    /// A tenant that is set up further.
    pub(crate) fn tenant(
        mut self,
        further: impl FnOnce(tenant::Builder) -> tenant::Builder + 'static,
    ) -> Self {
        self.tenant = Box::new(further);
        self
    }

    /// The config of a further proxy before the tenant of a world.
    pub(crate) fn config_for(&self, world: &World) -> Config {
        Text::new(self.toml(&world.tenant.url()), &world.secrets).good()
    }

    /// What signs the sessions of its world.
    pub(crate) fn session_secret(&self) -> &str {
        &self.secrets.session
    }

    /// Starts it.
    pub(crate) async fn start(self) -> World {
        World::cook(self).await
    }

    pub(super) fn tenant_builder(&self) -> tenant::Builder {
        Tenant::builder()
            .api_key(&self.secrets.api_key)
            .client("trusted", &self.secrets.client, ClientKind::Trusted)
            .client("machine", &self.secrets.client, ClientKind::Machine)
    }

    /// The config of a proxy in front of that engine.
    pub(crate) fn toml(&self, engine: &str) -> String {
        let Self {
            process,
            admin,
            listen,
            route,
            session,
            access,
            credential,
            limits,
            ..
        } = self;
        let own = &self.engine;
        let door = match &self.socket_file {
            Some(path) => format!("unix:{}", path.display()),
            None => "127.0.0.1:0".to_owned(),
        };
        // A recipe may name another engine.
        let url = if own.contains("url =") {
            String::new()
        } else {
            format!("url = \"{engine}\"")
        };
        let own = format!("[route.credential]\n{credential}\n[route.engine]\n{url}\n{own}");
        let qlik = self.customers.as_ref().unwrap_or(&own);
        let qlik = qlik.replace("@tenant", engine);
        format!(
            r#"
identity_key = {{ env = "QIX_IDENTITY_KEY" }}
{process}
[admin]
address = "127.0.0.1:0"
{admin}
[listen]
address = "{door}"
{listen}
[[route]]
path = "/qlik"
origins = ["https://app.example.com", "https://other.example.com:8443"]
{route}
{session}
[route.access]
{access}
{qlik}
[route.limits]
{limits}
"#
        )
    }

    /// Where the config pretends to be from.
    pub(super) const FILE: &str = "qix-proxy.toml";

    pub(super) fn file() -> &'static Path {
        Path::new(Self::FILE)
    }
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
