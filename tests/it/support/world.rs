//! A tenant, the real proxy in front of it, and clients that remember every byte.

use std::env::VarError;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use engine_sim::tenant::{Seen, Tenant};
use qix_proxy::config::{Config, Mistakes, Sources, System, Warning};
use qix_proxy::proxy::{Addresses, Proxy, Source, Unread};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::certificates::Authority;
use super::eyes::{Eyes, Watched};
use super::knock::Knock;
use super::log::{self, Line};
use super::recipe::{Recipe, Secrets, hex, random};
use super::tokens::Signer;
use super::{Answer, soon};

/// A tenant with a proxy in front of it. Dropping it looks for every secret in every byte that a
/// client got, and in the log.
pub(crate) struct World {
    /// What plays Qlik.
    pub(crate) tenant: Tenant,
    /// Where the proxy is.
    pub(crate) proxy: Doors,
    /// What is secret here.
    pub(crate) secrets: Secrets,
    eyes: Eyes,
    /// What clients hold themselves: no log may have it.
    private: Mutex<Vec<String>>,
    /// What the proxy gives to a client, and tells nobody else.
    unlogged: Mutex<Vec<String>>,
    log_begin: usize,
    tls: Option<TlsConnector>,
    /// What the proxy reads.
    pub(crate) config: Text,
    reload: Arc<Notify>,
    socket_file: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

/// Where the doors of a proxy are.
#[derive(Clone, Copy)]
pub(crate) struct Doors {
    /// The public door; nowhere where it is a socket file.
    pub(crate) public: SocketAddr,
    /// The operators' door.
    pub(crate) admin: SocketAddr,
}

impl Doors {
    pub(crate) fn of(addresses: Addresses) -> Self {
        Self {
            public: addresses.public.unwrap_or(([0, 0, 0, 0], 0).into()),
            admin: addresses.admin,
        }
    }
}

impl World {
    /// A world with every default: a token in a cookie, any app, one API key.
    pub(crate) async fn start() -> Self {
        Recipe::default().start().await
    }

    pub(super) async fn cook(mut recipe: Recipe) -> Self {
        log::listen();
        // A second installation is refused, which is what is wanted.
        let _ = qix_proxy::tls::provider().install_default();
        let further = std::mem::replace(&mut recipe.tenant, Box::new(|tenant| tenant));
        let tenant = further(recipe.tenant_builder());
        let tenant = tenant.start(loopback()).await.unwrap();
        let log_begin = log::lines().len();
        let config = Text::new(recipe.toml(&tenant.url()), &recipe.secrets);
        let proxy = Proxy::bind(config.good(), config.source()).await.unwrap();
        let addresses = proxy.addresses();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // A sender that is dropped is a stop as well.
            let _ = stopped.await;
        };
        Self {
            tenant,
            proxy: Doors::of(addresses),
            socket_file: recipe.socket_file,
            secrets: recipe.secrets,
            eyes: Eyes::default(),
            private: Mutex::default(),
            unlogged: Mutex::default(),
            log_begin,
            tls: None,
            config,
            reload: proxy.reload(),
            stop: Some(stop),
            running: Some(tokio::spawn(proxy.run(shutdown))),
        }
    }

    /// Has the proxy read this config; whether it takes it.
    pub(crate) async fn reload(&self, toml: &str) -> bool {
        let (taken, refused) = self.reloads().await;
        self.config.write(toml);
        self.ask_to_reload();
        soon(async {
            while self.reloads().await == (taken, refused) {}
            self.reloads().await.0 > taken
        })
        .await
    }

    /// Asks the proxy to read its config, and does not wait for it.
    pub(crate) fn ask_to_reload(&self) {
        self.reload.notify_one();
    }

    /// How many configs were taken, and how many were not.
    async fn reloads(&self) -> (u64, u64) {
        let taken = self.metric("qix_proxy_config_reloads_total").await;
        let refused = self.metric("qix_proxy_config_reload_failures_total");
        (taken, refused.await)
    }

    /// A session token for somebody.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.sign(json!({ "sub": subject }))
    }

    /// A session token with these claims.
    pub(crate) fn sign(&self, claims: Value) -> String {
        self.keep(Signer::with_secret(&self.secrets.session).sign(claims))
    }

    /// Keeps what no log may have.
    pub(crate) fn keep(&self, private: String) -> String {
        self.private.lock().unwrap().push(private.clone());
        private
    }

    /// Keeps what a client got and no log may have.
    pub(crate) fn keep_from_log(&self, given: String) -> String {
        self.unlogged.lock().unwrap().push(given.clone());
        given
    }

    /// A websocket request of a page of the right origin, without a session.
    pub(crate) fn connect(&self, target: &str) -> Knock<'_> {
        Knock::websocket(self, target)
    }

    /// Somebody opens an app.
    pub(crate) fn visit(&self, subject: &str, app: &str) -> Knock<'_> {
        let target = format!("/qlik/app/{app}");
        self.connect(&target).cookie(&self.token(subject))
    }

    /// A plain HTTP request.
    pub(crate) fn http(&self, method: &str, target: &str) -> Knock<'_> {
        Knock::http(self, method, target)
    }

    /// Speaks TLS to the public door from now on, and believes this authority.
    pub(crate) fn trust(&mut self, authority: &Authority) {
        self.speak(Arc::new(authority.client(&["http/1.1"])));
    }

    /// Speaks this TLS to the public door from now on.
    pub(crate) fn speak(&mut self, tls: Arc<ClientConfig>) {
        self.tls = Some(TlsConnector::from(tls));
    }

    /// An issuer announces a logout at a route.
    pub(crate) async fn announce(&self, route: &str, token: &str) -> Answer {
        let token = self.keep(token.to_owned());
        let path = format!("{route}/backchannel-logout");
        let form = format!("logout_token={token}");
        self.http("POST", &path)
            .form(form.as_bytes())
            .refused()
            .await
    }

    /// A connection to the public door.
    pub(crate) async fn dial(&self) -> Watched {
        self.dial_at(self.proxy.public).await
    }

    pub(super) async fn dial_at(&self, address: SocketAddr) -> Watched {
        if let Some(path) = &self.socket_file {
            return self.watch(UnixStream::connect(path).await.unwrap());
        }
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let Some(tls) = &self.tls else {
            return self.watch(tcp);
        };
        let name = "app.example.com".try_into().unwrap();
        let tls = soon(tls.connect(name, tcp)).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        self.watch(tls)
    }

    /// What sees all that clients get.
    pub(super) fn eyes(&self) -> Eyes {
        self.eyes.clone()
    }

    /// Watches what a client gets on this connection.
    pub(crate) fn watch(&self, io: impl super::eyes::Io + 'static) -> Watched {
        self.eyes.watch(io)
    }

    /// Asks the operators' door.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let tcp = TcpStream::connect(self.proxy.admin).await.unwrap();
        let mut io = self.watch(tcp);
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut io, request.as_bytes())
            .await
            .unwrap();
        let mut read = Vec::new();
        let head = soon(Answer::head(&mut io, &mut read)).await.unwrap();
        soon(head.with_body(&mut io, &mut read)).await
    }

    /// The value of a metric, told by its line up to the value; 0 when there is none.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let metrics = self.admin("/metrics").await.body;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value).unwrap_or_default()
    }

    /// The upgrades that the engine saw.
    pub(crate) fn upgrades(&self) -> Vec<Seen> {
        let mut seen = self.tenant.requests();
        seen.retain(|request| request.method == "GET");
        seen
    }

    /// The identity in the engine's URL of an upgrade.
    pub(crate) fn identities(&self) -> Vec<String> {
        let identity = |seen: Seen| seen.target.split('/').nth(4).unwrap().to_owned();
        self.upgrades().into_iter().map(identity).collect()
    }

    /// The log since this world began; other worlds log into it as well.
    pub(crate) fn log(&self) -> Vec<Line> {
        log::lines().split_off(self.log_begin)
    }

    pub(crate) fn log_text(&self) -> String {
        log::text(self.log_begin)
    }

    /// Tells the proxy to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.running.take().unwrap()
    }

    /// Stops the proxy, as SIGTERM does, and starts another in its place.
    pub(crate) async fn restart(&mut self) {
        soon(self.stop()).await.unwrap();
        let proxy = Proxy::bind(self.config.good(), self.config.source());
        let proxy = proxy.await.unwrap();
        self.proxy = Doors::of(proxy.addresses());
        self.reload = proxy.reload();
        let (stop, stopped) = oneshot::channel::<()>();
        self.stop = Some(stop);
        self.running = Some(tokio::spawn(proxy.run(async {
            // A sender that is dropped is a stop as well.
            let _ = stopped.await;
        })));
    }

    /// Looks for every secret in all that was seen and logged.
    fn assert_no_leak(&self) {
        self.assert_blind(&self.log_text());
        let mut secrets = self.all_secrets();
        secrets.push(self.tenant.address().to_string());
        self.eyes.assert_blind_to(&secrets);
    }

    /// Looks for every secret in a text of the operator's.
    pub(crate) fn assert_blind(&self, text: &str) {
        for secret in self.all_secrets() {
            // A trace id is what an operator asks Qlik's support with; it is for no browser.
            let public = secret.starts_with("canary-trace-");
            assert!(public || !text.contains(&secret), "the log has {secret}");
        }
        for given in self.unlogged.lock().unwrap().iter() {
            assert!(!text.contains(given), "the log has {given}");
        }
    }

    fn all_secrets(&self) -> Vec<String> {
        let mut secrets = self.tenant.secrets();
        secrets.extend(self.secrets.all());
        secrets.extend(self.private.lock().unwrap().iter().cloned());
        secrets
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_no_leak();
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// A name that no other test has, to find it in the log.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", hex(&random::<6>()))
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A source for a proxy whose config never changes.
pub(crate) fn no_source() -> Source {
    Box::new(|| Err(Unread::File("there is no other config".to_owned())))
}

/// The text of a proxy's config, as it is and as it becomes.
#[derive(Clone)]
pub(crate) struct Text {
    text: Arc<Mutex<String>>,
    secrets: Secrets,
}

impl Text {
    pub(super) fn new(text: String, secrets: &Secrets) -> Self {
        let (text, secrets) = (Arc::new(Mutex::new(text)), secrets.clone());
        Self { text, secrets }
    }

    /// The text.
    pub(crate) fn read(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// What the next reload reads.
    pub(crate) fn write(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }

    fn parse(&self) -> Result<(Config, Vec<Warning>), Mistakes> {
        Config::parse(&self.read(), Recipe::file(), &Environment(&self.secrets))
    }

    /// The config, with the secrets that a world has.
    pub(super) fn good(&self) -> Config {
        match self.parse() {
            Ok((config, _)) => config,
            Err(mistakes) => panic!("{}\n{mistakes}", self.read()),
        }
    }

    fn source(&self) -> Source {
        let text = self.clone();
        Box::new(move || text.parse().map_err(Unread::Mistakes))
    }
}

/// The secrets of a world as variables; files are real.
struct Environment<'a>(&'a Secrets);

impl Sources for Environment<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        let value = self.0.variable(name);
        value.map(str::to_owned).ok_or(VarError::NotPresent)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        System.files(folder)
    }
}
