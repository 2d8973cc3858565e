//! Who is around a proxy: the app's identity provider, which hands out the engine's tokens as well,
//! and the engine.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use qix_proxy::ws::message_frame;
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(super) const ISSUER: &str = "https://idp.example.com";
pub(super) const AUDIENCE: &str = "analytics";
/// How long the frame of an answer is.
pub(super) const ANSWER: usize = 204;
const KEY_NAME: &str = "key";
const HEAD: usize = 16 << 10;

/// The identity provider.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    /// Somebody's session.
    pub(super) session: String,
}

impl Service {
    pub(super) async fn start() -> Result<Self> {
        let pair = KeyPair::generate()?;
        let public = DecodingKey::from_ec_pem(pair.public_key_pem().as_bytes())?;
        let mut jwk =
            serde_json::to_value(Jwk::from_decoding_key(&public, Some(Algorithm::ES256))?)?;
        jwk["kid"] = json!(KEY_NAME);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Whoever breaks off asks again.
                let _ = answer(client, &jwk).await;
            }
        });
        Ok(Self {
            address,
            session: token(&pair)?,
        })
    }
}

fn token(pair: &KeyPair) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "sid": "session", "exp": now + 24 * 3600,
    });
    let header = Header {
        kid: Some(KEY_NAME.to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    let key = EncodingKey::from_ec_der(pair.serialized_der());
    Ok(encode(&header, &claims, &key)?)
}

/// The key set for who asks with GET, and a token for the engine for who asks with POST.
async fn answer(mut client: TcpStream, jwk: &Value) -> Result<()> {
    let head = head(&mut client).await?;
    let body = if head.starts_with("POST") {
        json!({"access_token": "token", "token_type": "bearer", "expires_in": 21600})
    } else {
        json!({"keys": [jwk]})
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    Ok(client.write_all(answer.as_bytes()).await?)
}

/// An engine that answers whatever it is asked, and says when somebody has left.
pub(super) struct Engine {
    pub(super) address: SocketAddr,
    left: mpsc::UnboundedReceiver<()>,
}

impl Engine {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (leaving, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(attend(client, leaving.clone()));
            }
        });
        Ok(Self { address, left })
    }

    /// Waits until one more socket is over.
    pub(super) async fn left(&mut self) -> Result<()> {
        self.left.recv().await.context("the engine is gone")
    }
}

async fn attend(client: TcpStream, leaving: mpsc::UnboundedSender<()>) {
    // Whoever is not served as they should be says so themselves.
    let _ = serve(client).await;
    let _ = leaving.send(());
}

/// A call that comes is taken to have come whole; a Close is answered by the end of the socket.
async fn serve(mut client: TcpStream) -> Result<()> {
    client.set_nodelay(true)?;
    let head = head(&mut client).await?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let key = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let (_, key) = key.context("an upgrade without a key")?;
    let accept = derive_accept_key(key.trim().as_bytes());
    let upgraded = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    client.write_all(upgraded.as_bytes()).await?;
    let answer = message_frame(&[b'x'; crate::SMALL]);
    ensure!(answer.len() == ANSWER, "an answer is {} long", answer.len());
    let mut said = vec![0; HEAD];
    loop {
        let length = client.read(&mut said).await?;
        if length == 0 || said[0] & 0x0F == 8 {
            return Ok(());
        }
        client.write_all(&answer).await?;
    }
}

async fn head(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::with_capacity(HEAD);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        ensure!(client.read_buf(&mut head).await? > 0, "no whole head came");
    }
    Ok(String::from_utf8(head)?)
}
