//! Certificates and trust: what the doors show, and whom the outgoing connections believe; and the
//! TLS connections themselves, which own no buffers while they are idle.

mod handshake;
mod named;
mod own;
mod provider;
mod records;
mod rest;
mod scratch;
mod stream;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError};
use rustls::{ClientConfig, CommonState, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;
use tracing::warn;

pub use self::handshake::{Acceptor, Connector};
use self::named::Named;
use self::own::Own;
pub use self::provider::provider;
pub use self::stream::{ClientStream, ServerStream, Stream};
use crate::config::{ClientCertificate, EgressProxy, ListenTls};

/// A protocol that TLS can lead to (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1; also what is spoken where nothing was agreed upon.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// What two sides have agreed upon.
    #[must_use]
    pub fn agreed(connection: &CommonState) -> Self {
        if connection.alpn_protocol() == Some(Self::Http2.name()) {
            Self::Http2
        } else {
            Self::Http1
        }
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// The TLS of a door that speaks these, the best first. What a client sends before the handshake
/// is over (0-RTT, which anybody can send again) is never read.
pub fn server_config(
    files: &ListenTls,
    protocols: &[Protocol],
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Pem(files.key.clone(), error.to_string()))?;
    let builder = ServerConfig::builder();
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        // Browsers have none, and are let in without.
        Some(path) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder(Arc::new(file_roots(path)?))
                .allow_unauthenticated()
                .build()?,
        ),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    let names = protocols.iter().map(|protocol| protocol.name().to_vec());
    config.alpn_protocols = names.collect();
    config.max_early_data_size = 0;
    if files.client_ca.is_none() {
        // However many come back after an outage, they resume: nothing is remembered for them here.
        config.ticketer = Ticketer::new()?;
        // Each resumption brings the next ticket.
        config.send_tls13_tickets = 1;
    } else {
        // Whoever resumed would be believed after its certificate has run out.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

/// The system's roots, and those of a file besides.
pub fn system_roots(extra: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        warn!(%error, "a system root could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = extra {
        add(&mut roots, path)?;
    }
    Ok(roots)
}

/// The roots of a file, alone.
pub fn file_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    add(&mut roots, path)?;
    Ok(roots)
}

/// The TLS of outgoing connections that believe `roots`.
#[must_use]
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The TLS of outgoing connections that believe `roots` and show a certificate of their own, as its
/// files have it.
pub fn certified_config(
    roots: RootCertStore,
    files: &ClientCertificate,
) -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Own::watched(files)?))
}

/// The TLS of a dial to the engine: HTTP/1.1 only, for no other carries this upgrade.
#[must_use]
pub fn engine_config(base: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = base.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The HTTP client for tokens and session checks: no redirects, and no proxy but the configured one.
pub fn http_client(
    base: &ClientConfig,
    egress: Option<&EgressProxy>,
) -> Result<reqwest::Client, TlsError> {
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(base.clone())
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("qix-proxy/", env!("CARGO_PKG_VERSION")));
    if let Some(egress) = egress {
        client = client.proxy(way_out(egress));
    }
    Ok(client.build()?)
}

fn way_out(egress: &EgressProxy) -> reqwest::Proxy {
    let through = egress.clone();
    let way = reqwest::Proxy::custom(move |url| through.leads_to(url).then(|| through.url.clone()));
    match &egress.login {
        Some(login) => way.basic_auth(&login.user, login.password.expose_secret()),
        None => way,
    }
}

/// The same TLS, where the other side's certificate carries this name and not the URL's host: the
/// certificates that Qlik makes itself often do.
pub fn named(
    mut config: ClientConfig,
    roots: &RootCertStore,
    name: Option<&str>,
) -> Result<ClientConfig, TlsError> {
    let Some(name) = name else {
        return Ok(config);
    };
    let verifier = Named::new(roots, name)?;
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(verifier));
    Ok(config)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |error: rustls_pki_types::pem::Error| TlsError::Pem(path.into(), error.to_string());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(bad)?
        .map(|one| one.map_err(bad))
        .collect();
    match found {
        Ok(none) if none.is_empty() => Err(TlsError::Empty(path.into())),
        found => found,
    }
}

/// Why TLS could not be set up. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// A file without a certificate.
    #[error("{0}: there is no certificate in it; it must hold PEM blocks `BEGIN CERTIFICATE`")]
    Empty(PathBuf),
    /// A server name that is none.
    #[error("the engine's server name is not a valid host name")]
    Name,
    /// A file that cannot be read as PEM.
    #[error("{0}: {1}")]
    Pem(PathBuf, String),
    /// A certificate or key that does not do.
    #[error("the certificate or key does not do: {0}")]
    Rustls(#[from] rustls::Error),
    /// Authorities that verify nothing.
    #[error("the certificates to trust do not do: {0}")]
    Verifier(#[from] VerifierBuilderError),
}
