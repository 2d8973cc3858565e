//! Certificates as the QMC exports them, made here and kept in memory until they are written.
//!
//! Enters: the names that the server's certificate shall hold. Leaves: `root.pem`, `client.pem`,
//! `client_key.pem`, `server.pem` and `server_key.pem`, and TLS settings for the stand-in's ports.
//! Every set has an authority of its own, so one set's client is a stranger to another's server.

use std::{fmt, fs, io, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier,
    server::danger::ClientCertVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// One export: an authority, a server and a client.
#[derive(Clone)]
pub struct Certificates {
    names: Vec<String>,
    root: String,
    server: Pair,
    client: Pair,
}

/// A certificate and its key, PEM.
#[derive(Clone)]
struct Pair {
    certificate: String,
    key: String,
}

impl Certificates {
    /// A server called `names` (host names or addresses), and a client that may do all.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn made_for(names: &[&str]) -> io::Result<Self> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let root = root().map_err(io::Error::other)?;
        let server = issue(
            &root,
            &names,
            "qlik-server",
            ExtendedKeyUsagePurpose::ServerAuth,
        );
        let client = issue(
            &root,
            &[],
            "QlikClient",
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        Ok(Self {
            names,
            root: root.pem(),
            server: server.map_err(io::Error::other)?,
            client: client.map_err(io::Error::other)?,
        })
    }

    /// Writes the files of an export into `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for (name, text) in [
            ("root.pem", &self.root),
            ("server.pem", &self.server.certificate),
            ("server_key.pem", &self.server.key),
            ("client.pem", &self.client.certificate),
            ("client_key.pem", &self.client.key),
        ] {
            fs::write(folder.join(name), text)?;
        }
        Ok(())
    }

    /// The names in the server's certificate.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The authority that signed both, PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The client's certificate and key, PEM.
    #[must_use]
    pub fn client(&self) -> (&str, &str) {
        (&self.client.certificate, &self.client.key)
    }

    /// TLS for a port that asks clients for nothing.
    pub(crate) fn serving(&self) -> io::Result<ServerConfig> {
        self.config(WebPkiClientVerifier::no_client_auth())
    }

    /// TLS for a port that is open to the client of this export alone.
    pub(crate) fn demanding(&self) -> io::Result<ServerConfig> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.root.as_bytes());
        let added = roots.add(root.map_err(io::Error::other)?);
        added.map_err(io::Error::other)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.config(verifier.build().map_err(io::Error::other)?)
    }

    fn config(&self, clients: Arc<dyn ClientCertVerifier>) -> io::Result<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.server.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes());
        let chain = vec![certificate.map_err(io::Error::other)?];
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key.map_err(io::Error::other)?);
        let mut config = config.map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn root() -> Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "qlik-server-CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn issue(
    root: &Authority,
    names: &[String],
    called: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Result<Pair, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, called);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, root)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_has_the_files_of_the_qmc_and_shows_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::made_for(&["qlik.example", "127.0.0.1"]).unwrap();

        certificates.write(folder.path()).unwrap();

        for name in ["root", "client", "client_key", "server", "server_key"] {
            let path = folder.path().join(format!("{name}.pem"));
            let text = fs::read_to_string(path).unwrap();
            assert_eq!(
                name.ends_with("_key"),
                text.contains("PRIVATE KEY"),
                "{name}"
            );
        }
        assert!(!format!("{certificates:?}").contains("PRIVATE"));
        assert!(Certificates::made_for(&["bücher.example"]).is_err());
    }
}
