//! Certificates and trust: what the doors show, and whom the outgoing connections believe.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::VerifierBuilderError;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tracing::warn;

use crate::config::{ClientCertificate, ListenTls};

/// The TLS of the public door.
pub fn server_config(files: &ListenTls) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Pem(files.key.clone(), error.to_string()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
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

/// The TLS of outgoing connections that believe `roots` and show a certificate of their own.
pub fn certified_config(
    roots: RootCertStore,
    files: &ClientCertificate,
) -> Result<ClientConfig, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Pem(files.key.clone(), error.to_string()))?;
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?)
}

/// The TLS of a dial to the engine: HTTP/1.1 only, for no other carries this upgrade.
#[must_use]
pub fn engine_config(base: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = base.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The HTTP client for tokens and session checks: no redirects, no proxy from the environment.
pub fn http_client(base: &ClientConfig) -> Result<reqwest::Client, TlsError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(base.clone())
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("qix-proxy/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
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
    let inner = WebPkiServerVerifier::builder(Arc::new(roots.clone())).build()?;
    let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name)?;
    let verifier = Arc::new(Named { inner, name });
    config.dangerous().set_certificate_verifier(verifier);
    Ok(config)
}

/// Verifies as ever, against a name of its own.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (inner, name) = (&self.inner, &self.name);
        inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let inner = &self.inner;
        inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let inner = &self.inner;
        inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
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
