//! What everybody in the bench trusts: a CA of this run, the app's sessions, and the service that
//! hands out key set and engine token.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;

use crate::rig::Trust;

/// The origin that the app's pages have.
pub(super) const ORIGIN: &str = "https://app.example.com";
/// Who issues the app's sessions, and for whom.
pub(super) const ISSUER: &str = "https://idp.example.com";
pub(super) const AUDIENCE: &str = "analytics";
const NAME: &str = "localhost";
/// How many people use the app: each holds a few sockets.
const PEOPLE: usize = 450;

/// The keys of one run.
pub(super) struct Keys {
    /// The CA, as a PEM file.
    pub(super) ca: PathBuf,
    /// A certificate for `localhost`, as a PEM file.
    pub(super) certificate: PathBuf,
    /// Its key, as a PEM file.
    pub(super) key: PathBuf,
    /// The same for the engine.
    pub(super) engine: Arc<ServerConfig>,
    /// What the callers trust.
    pub(super) trust: Trust,
    /// A session token for everybody.
    pub(super) sessions: Vec<String>,
    login: Login,
    /// The port of the service.
    pub(super) service: u16,
}

impl Keys {
    /// Makes keys and writes into `folder` what proxies read.
    pub(super) fn make(folder: &Path) -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Who has the name of their issuer is taken to be their own issuer.
        authority
            .distinguished_name
            .push(DnType::CommonName, "bench CA");
        let authority_key = rcgen::KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate()?;
        let certificate = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &issuer)?;
        let write = |name: &str, pem: String| {
            let path = folder.join(name);
            fs::write(&path, pem).map(|()| path)
        };
        let private =
            PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow!("{error}"))?;
        let login = Login::new()?;
        Ok(Self {
            ca: write("ca.pem", authority_certificate.pem())?,
            certificate: write("server.pem", certificate.pem())?,
            key: write("server.pem.key", key.serialize_pem())?,
            engine: engine_tls(certificate.der().clone(), private)?,
            trust: caller_trust(authority_certificate.der())?,
            sessions: login.tokens(0..PEOPLE)?,
            service: serve(login.key_set.clone())?,
            login,
        })
    }

    /// Session tokens of so many other people.
    pub(super) fn strangers(&self, count: usize) -> anyhow::Result<Vec<String>> {
        self.login.tokens(PEOPLE..PEOPLE + count)
    }
}

/// TLS 1.3 with AES-256-GCM and X25519 for everybody, so that nobody is measured with a cheaper cipher.
fn suite() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![kx_group::X25519],
        ..provider::default_provider()
    })
}

fn engine_tls(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> anyhow::Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(suite()).with_protocol_versions(&[&TLS13])?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn caller_trust(authority: &CertificateDer<'static>) -> anyhow::Result<Trust> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    let builder = ClientConfig::builder_with_provider(suite()).with_protocol_versions(&[&TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // Every upgrade is a handshake of its own, for all proxies alike.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Trust {
        config: Arc::new(config),
        name: ServerName::try_from(NAME)?,
    })
}

/// The app's identity provider.
struct Login {
    key: KeyPair,
    key_set: String,
}

impl Login {
    fn new() -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let public = pair.public_key();
        let part = |bytes: &[u8]| BASE64.encode(bytes);
        let key_set = json!({"keys": [{
            "kty": "RSA", "kid": "bench", "use": "sig", "alg": "RS256",
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        }]});
        Ok(Self {
            key: pair,
            key_set: key_set.to_string(),
        })
    }

    fn tokens(&self, people: Range<usize>) -> anyhow::Result<Vec<String>> {
        people.map(|person| self.token(person)).collect()
    }

    fn token(&self, person: usize) -> anyhow::Result<String> {
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 24 * 3600;
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("person-{person}"),
            "sid": format!("session-{person}"), "exp": expiry, "name": "A Person",
            "email": format!("person-{person}@example.com"), "groups": ["sales", "europe"],
        });
        let head = json!({"alg": "RS256", "kid": "bench", "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            BASE64.encode(head.to_string()),
            BASE64.encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        let sign = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        );
        sign.context("a session cannot be signed")?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

/// Serves the key set to who asks with GET, and a token for the engine to who asks with POST.
fn serve(key_set: String) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Whoever breaks off asks again.
            let _ = answer(client, &key_set);
        }
    });
    Ok(port)
}

fn answer(mut client: TcpStream, key_set: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let token =
        r#"{"access_token":"a-token-of-the-engine","token_type":"bearer","expires_in":21600}"#;
    let body = if first.starts_with("POST") {
        token
    } else {
        key_set
    };
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
