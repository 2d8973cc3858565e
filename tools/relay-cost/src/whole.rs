//! The whole proxy on this thread, its doors and the engine's on the loopback: what an upgrade takes,
//! from the door to the engine, and a call and its answer over HTTP/2. The client's part of it and the
//! engine's are counted along.

mod neighbours;

use std::env::VarError;
use std::fs;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request};
use qix_proxy::config::{Config, Sources};
use qix_proxy::proxy::{Proxy, Unread};
use qix_proxy::tls::{Connector, provider};
use rcgen::generate_simple_self_signed;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::neighbours::{Engine, Service};

const NAME: &str = "localhost";
const ORIGIN: &str = "https://app.example.com";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const HEAD: usize = 4 << 10;

/// A proxy that runs, and who is around it.
struct World {
    public: SocketAddr,
    engine: Engine,
    session: String,
}

/// The secrets of its config; files are files.
struct Secrets;

impl Sources for Secrets {
    fn variable(&self, _: &str) -> Result<String, VarError> {
        Ok("0123456789abcdef0123456789abcdef".to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn files(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

impl World {
    /// `listen` is what the config says of the public door besides its address.
    async fn start(listen: &str) -> Result<Self> {
        // A second installation is refused, which is what is wanted.
        let _ = provider().install_default();
        let service = Service::start().await?;
        let engine = Engine::start().await?;
        let text = config(listen, service.address, engine.address);
        let read = move || Config::parse(&text, Path::new("config.toml"), &Secrets);
        let (config, _) = read().map_err(|mistakes| anyhow!("{mistakes}"))?;
        let source = Box::new(move || read().map_err(Unread::Mistakes));
        let proxy = Proxy::bind(config, source).await?;
        let public = proxy.addresses().public.context("a door without address")?;
        tokio::spawn(proxy.run(pending()));
        Ok(Self {
            public,
            engine,
            session: service.session,
        })
    }
}

fn config(listen: &str, service: SocketAddr, engine: SocketAddr) -> String {
    format!(
        r#"
identity_key = {{ env = "KEY" }}
[listen]
address = "127.0.0.1:0"
{listen}
[admin]
address = "127.0.0.1:0"
[limits]
opens_per_minute = 1000000
[[route]]
path = "/any"
origins = ["{ORIGIN}"]
[[route.session]]
kind = "jwt"
cookie = "session"
jwks = "http://{service}/jwks.json"
issuer = "{}"
audience = "{}"
[route.access]
apps = "any"
methods = "any"
[route.credential]
kind = "oauth-client"
shared = true
client_id = "client"
client_secret = {{ env = "SECRET" }}
token_url = "http://{service}/oauth/token"
[route.engine]
url = "http://{engine}"
"#,
        neighbours::ISSUER,
        neighbours::AUDIENCE
    )
}

/// Upgrades, one after the other, each closed again.
pub(crate) struct Upgrades {
    world: World,
    request: String,
}

impl Upgrades {
    pub(crate) async fn start() -> Result<Self> {
        let world = World::start("").await?;
        let request = format!(
            "GET /any/app/APP HTTP/1.1\r\nHost: {NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: {ORIGIN}\r\n\
             User-Agent: relay-cost\r\nCookie: session={}\r\n\r\n",
            world.session
        );
        Ok(Self { world, request })
    }

    /// From the connection to the 101, and to the end of the engine's socket.
    pub(crate) async fn hold(&mut self, upgrades: usize) -> Result<()> {
        let mut head = vec![0; HEAD];
        for _ in 0..upgrades {
            let mut client = TcpStream::connect(self.world.public).await?;
            client.write_all(self.request.as_bytes()).await?;
            let mut length = 0;
            while !head[..length].ends_with(b"\r\n\r\n") {
                let read = client.read(&mut head[length..]).await?;
                ensure!(read > 0, "the proxy ended an upgrade");
                length += read;
            }
            ensure!(head.starts_with(b"HTTP/1.1 101"), "the upgrade was refused");
            drop(client);
            self.world.engine.left().await?;
        }
        Ok(())
    }
}

/// Calls and answers of one websocket over HTTP/2, one after the other.
pub(crate) struct Stream {
    _certified: Certified,
    _world: World,
    _sender: SendRequest<Bytes>,
    up: SendStream<Bytes>,
    down: RecvStream,
    call: Bytes,
}

impl Stream {
    pub(crate) async fn open(call: Vec<u8>) -> Result<Self> {
        let certified = Certified::make()?;
        let world = World::start(&certified.listen()).await?;
        let tcp = TcpStream::connect(world.public).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(NAME)?;
        let connector = Connector::new(Arc::new(certified.client()?));
        let io = connector.connect(name, tcp).await?;
        let (sender, mut connection) = h2::client::handshake(io).await?;
        let mut pings = connection.ping_pong().context("no pings")?;
        tokio::spawn(connection);
        // The server's settings come before the answer: only then may a CONNECT name a protocol.
        pings.ping(h2::Ping::opaque()).await?;
        let mut sender = sender.ready().await?;
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("https://{NAME}/any/app/APP"))
            .header("sec-websocket-version", "13")
            .header("origin", ORIGIN)
            .header("cookie", format!("session={}", world.session))
            .body(())?;
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        let (answer, up) = sender.send_request(request, false)?;
        let answer = answer.await?;
        ensure!(answer.status() == 200, "refused: {}", answer.status());
        Ok(Self {
            _certified: certified,
            _world: world,
            _sender: sender,
            up,
            down: answer.into_body(),
            call: call.into(),
        })
    }

    /// Calls and answers.
    pub(crate) async fn hold(&mut self, messages: usize) -> Result<()> {
        for _ in 0..messages {
            self.up.send_data(self.call.clone(), false)?;
            let mut length = 0;
            while length < neighbours::ANSWER {
                let data = self.down.data().await.context("the stream ended")??;
                length += data.len();
                self.down.flow_control().release_capacity(data.len())?;
            }
        }
        Ok(())
    }
}

/// A certificate for a door, in a folder that goes with it.
struct Certified {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Certified {
    fn make() -> Result<Self> {
        let made = generate_simple_self_signed([NAME.to_owned()])?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("certificate.pem"), made.cert.pem())?;
        fs::write(
            folder.path().join("key.pem"),
            made.signing_key.serialize_pem(),
        )?;
        let certificate = made.cert.der().clone();
        Ok(Self {
            folder,
            certificate,
        })
    }

    /// What a config says of it.
    fn listen(&self) -> String {
        let folder = self.folder.path().display();
        format!("[listen.tls]\ncertificate = '{folder}/certificate.pem'\nkey = '{folder}/key.pem'")
    }

    /// A client that trusts it and speaks HTTP/2.
    fn client(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let client = ClientConfig::builder().with_root_certificates(roots);
        let mut client = client.with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(client)
    }
}
