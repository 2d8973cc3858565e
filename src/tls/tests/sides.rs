//! What both sides of a test believe and show.

use std::sync::{Arc, OnceLock};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

struct Certified {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// A certificate for `app.example`, with as many other names.
fn certify(names: usize) -> Certified {
    install_provider();
    let mut all = vec!["app.example".to_owned()];
    all.extend((0..names).map(|number| format!("app-{number}.of.a.rather.long.name.example")));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(all).unwrap();
    let signed = params.self_signed(&key).unwrap();
    Certified {
        certificate: signed.der().clone(),
        pem: signed.pem(),
        key,
    }
}

fn certified() -> &'static Certified {
    static ONE: OnceLock<Certified> = OnceLock::new();
    ONE.get_or_init(|| certify(0))
}

/// One that fills several records.
fn long() -> &'static Certified {
    static ONE: OnceLock<Certified> = OnceLock::new();
    ONE.get_or_init(|| certify(1000))
}

/// The certificate and its key, PEM.
pub(super) fn pem() -> (String, String) {
    let Certified { pem, key, .. } = certified();
    (pem.clone(), key.serialize_pem())
}

fn install_provider() {
    // Another test may have done it.
    let _ = super::super::provider().install_default();
}

pub(super) fn name() -> ServerName<'static> {
    ServerName::try_from("app.example").unwrap()
}

fn server(certified: &Certified, version: &'static SupportedProtocolVersion) -> ServerConfig {
    let key = PrivateKeyDer::try_from(certified.key.serialize_der()).unwrap();
    let chain = vec![certified.certificate.clone()];
    ServerConfig::builder_with_provider(Arc::new(super::super::provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

fn client(certified: &Certified, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certified.certificate.clone()).unwrap();
    // Another's keys, derived in another way.
    let stock = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(stock)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(super) fn server_config(version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    Arc::new(server(certified(), version))
}

pub(super) fn client_config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    Arc::new(client(certified(), version))
}

/// Both sides, with a certificate that fills several records.
pub(super) fn long_configs(
    version: &'static SupportedProtocolVersion,
) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let (mut server, client) = (server(long(), version), client(long(), version));
    server.max_fragment_size = Some(600);
    (Arc::new(server), Arc::new(client))
}
