//! TLS between two ends in memory, by the proxy's own hands on both.

use std::sync::Arc;

use anyhow::Result;
use qix_proxy::tls::{Acceptor, ClientStream, Connector, ServerStream, provider};
use rcgen::generate_simple_self_signed;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::DuplexStream;

const NAME: &str = "localhost";

/// Shakes hands: the client's stream and the server's.
pub(crate) async fn join(
    client: DuplexStream,
    server: DuplexStream,
) -> Result<(ClientStream<DuplexStream>, ServerStream<DuplexStream>)> {
    // A second installation is refused, which is what is wanted.
    let _ = provider().install_default();
    let made = generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = made.cert.der().clone();
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let theirs = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ours = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    let connector = Connector::new(Arc::new(theirs));
    let acceptor = Acceptor::new(Arc::new(ours));
    let (client, server) = tokio::join!(
        connector.connect(ServerName::try_from(NAME)?, client),
        acceptor.accept(server)
    );
    Ok((client?, server?))
}
