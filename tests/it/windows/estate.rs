//! An installation of Qlik on Windows with a proxy in front of it.

use engine_sim::certificates::Certificates;
use engine_sim::windows::{Builder, VirtualProxy, Windows};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::support::{Browser, Files, Recipe, World, soon};

/// An installation, and the world of its proxy.
pub(super) struct Estate {
    pub(super) world: World,
    pub(super) windows: Windows,
    /// The secrets of an installation that was before it.
    gone: Vec<String>,
    /// The proxy's config.
    pub(super) toml: String,
    /// The signing key, which no byte and no log may have.
    key: String,
    _files: Files,
}

/// The kinds of credentials that open a session at a virtual proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Header,
    Jwt,
    Session,
    Ticket,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Header, Self::Jwt, Self::Session, Self::Ticket];

    /// The keys of its credential; every one of them names `CORP\<sub>`.
    pub(super) fn credential(self) -> &'static str {
        match self {
            Self::Header => {
                r#"
                kind = "qseow-header"
                header = "x-qlik-user-header"
                user = "{sub}"
                user_directory = "CORP""#
            }
            Self::Jwt => {
                r#"
                kind = "qseow-jwt"
                user = "{sub}"
                user_directory = "CORP"
                signing_key = { file = "@/jwt.pem" }"#
            }
            Self::Session => {
                r#"
                kind = "qseow-session"
                user = "{sub}"
                user_directory = "CORP"
                api_url = "@qps"
                certificate = "@/client.pem"
                key = "@/client_key.pem""#
            }
            Self::Ticket => {
                r#"
                kind = "qseow-ticket"
                user = "{sub}"
                user_directory = "CORP"
                api_url = "@qps"
                certificate = "@/client.pem"
                key = "@/client_key.pem""#
            }
        }
    }
}

/// How an estate is to be.
pub(super) struct Plan {
    credential: String,
    recipe: Recipe,
    engine: String,
    names: &'static [&'static str],
    build: Box<dyn FnOnce(Builder) -> Builder>,
    shape: Box<dyn FnOnce(VirtualProxy) -> VirtualProxy>,
    kind: Kind,
}

impl Plan {
    /// The virtual proxy `/vp` of this kind, and a credential for it.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            credential: kind.credential().to_owned(),
            recipe: Recipe::default(),
            engine: "url = \"@front/vp\"".to_owned(),
            names: &["127.0.0.1"],
            build: Box::new(|windows| windows),
            shape: Box::new(|proxy| proxy),
            kind,
        }
    }

    /// Other keys of `[route.credential]`; `@` is the folder of certificates, `@qps` the API.
    pub(super) fn credential(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.credential);
        self
    }

    /// One more key of `[route.credential]`.
    pub(super) fn with(mut self, toml: &str) -> Self {
        self.credential = format!("{}\n{toml}", self.credential);
        self
    }

    /// Other keys of `[route.engine]`; `@front` and `@engine` are ports.
    pub(super) fn engine(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.engine);
        self
    }

    /// Another config around it.
    pub(super) fn recipe(mut self, further: impl FnOnce(Recipe) -> Recipe) -> Self {
        self.recipe = further(self.recipe);
        self
    }

    /// The names in the server's certificate.
    pub(super) fn named(mut self, names: &'static [&'static str]) -> Self {
        self.names = names;
        self
    }

    /// An installation that is set up further.
    pub(super) fn windows(mut self, build: impl FnOnce(Builder) -> Builder + 'static) -> Self {
        self.build = Box::new(build);
        self
    }

    /// A virtual proxy that is set up further.
    pub(super) fn proxy(
        mut self,
        shape: impl FnOnce(VirtualProxy) -> VirtualProxy + 'static,
    ) -> Self {
        self.shape = Box::new(shape);
        self
    }

    pub(super) async fn start(self) -> Estate {
        // A second installation is refused, which is what is wanted.
        let _ = qix_proxy::tls::provider().install_default();
        let (files, pair) = (Files::new(), KeyPair::generate().unwrap());
        let key = files.write("jwt.pem", &pair.serialize_pem());
        let folder = key.trim_end_matches("/jwt.pem").to_owned();
        let certificates = Certificates::made_for(self.names).unwrap();
        certificates.write(folder.as_ref()).unwrap();
        let proxy = match self.kind {
            Kind::Header => VirtualProxy::header("X-Qlik-User-Header"),
            Kind::Jwt => VirtualProxy::jwt(&pair.public_key_pem()).unwrap(),
            Kind::Session => VirtualProxy::session(),
            Kind::Ticket => VirtualProxy::ticket(),
        };
        let builder = Windows::builder().certificates(certificates);
        let builder = builder.virtual_proxy("vp", (self.shape)(proxy));
        let windows = (self.build)(builder).start().await.unwrap();
        let fill = |toml: &str| {
            toml.replace("@qps", &windows.qps_url())
                .replace("@front", &windows.url())
                .replace("@engine", &windows.engine_url())
                .replace('@', &folder)
        };
        let engine = format!("{}\nca = \"@/root.pem\"", self.engine);
        let recipe = self.recipe.credential(&fill(&self.credential));
        let recipe = recipe.engine(&fill(&engine));
        Estate {
            toml: recipe.toml(""),
            world: recipe.start().await,
            windows,
            gone: Vec::new(),
            key: pair.serialize_pem(),
            _files: files,
        }
    }
}

impl Estate {
    /// Somebody opens an app and says a first word: what they hear before it is answered.
    pub(super) async fn visit(&self, subject: &str, app: &str) -> (Browser, Vec<Value>) {
        let mut browser = self.world.visit(subject, app).upgraded().await.browser;
        let heard = first_words(&mut browser).await;
        (browser, heard)
    }

    /// Somebody opens an app, and all is well.
    pub(super) async fn open(&self, subject: &str, app: &str) -> Browser {
        let (browser, heard) = self.visit(subject, app).await;
        assert_eq!(heard, [admitted(), connected(&heard)]);
        browser
    }

    /// The installation stops; nothing is where it was.
    pub(super) async fn stop_windows(&mut self) {
        let nobody = Windows::builder().start().await.unwrap();
        let windows = std::mem::replace(&mut self.windows, nobody);
        self.gone = windows.secrets();
        windows.stop().await;
    }

    /// Waits until a metric has counted something.
    pub(super) async fn counted(&self, metric: &str) {
        soon(self.count(metric)).await;
    }

    async fn count(&self, metric: &str) {
        while self.world.metric(metric).await == 0 {}
    }

    /// The upgrades that came as far as the installation.
    pub(super) fn upgrades(&self) -> Vec<engine_sim::tenant::Seen> {
        let mut seen = self.windows.requests();
        seen.retain(|one| one.target.contains("/app/"));
        seen
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // The world looks for them in every byte and line as it drops.
        let gone = std::mem::take(&mut self.gone);
        for secret in self.windows.secrets().into_iter().chain(gone) {
            self.world.keep(secret);
        }
        self.world.keep(self.key.clone());
    }
}

/// Says a first word, and hears everything until it is answered.
pub(super) async fn first_words(browser: &mut Browser) -> Vec<Value> {
    let id = browser.ask(-1, "EngineVersion", json!([])).await;
    let mut heard = Vec::new();
    loop {
        let message = browser.receive().await;
        if message["id"] == id {
            assert!(message["result"].is_object(), "{message}");
            return heard;
        }
        heard.push(message);
    }
}

/// All that a client hears of who Qlik believes it is.
pub(super) fn admitted() -> Value {
    json!({
        "jsonrpc": "2.0",
        "method": "OnAuthenticationInformation",
        "params": {"mustAuthenticate": false},
    })
}

/// The engine's greeting, in whichever state.
pub(super) fn connected(heard: &[Value]) -> Value {
    let greeting = heard.last().unwrap();
    assert_eq!(greeting["method"], "OnConnected", "{greeting}");
    greeting.clone()
}
