//! The certificate that is shown to Qlik, read anew when its files change.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{TlsError, certificates, provider};
use crate::config::ClientCertificate;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate and its key, as their files last were when they were good.
#[derive(Debug)]
pub(super) struct Own {
    files: ClientCertificate,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    pair: Arc<CertifiedKey>,
    /// Tells whether the files changed.
    print: [u8; 32],
    /// How often in a row the files were no good: one of the two may be exchanged a moment earlier.
    broken: u32,
}

impl Own {
    /// Reads the files, and looks at them again and again as long as it lives.
    pub(super) fn watched(files: &ClientCertificate) -> Result<Arc<Self>, TlsError> {
        let print = print(files).unwrap_or_default();
        let own = Arc::new(Self {
            files: files.clone(),
            last: Mutex::new(Last {
                pair: Arc::new(pair(files)?),
                print,
                broken: 0,
            }),
        });
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(watch(Arc::downgrade(&own)));
        }
        Ok(own)
    }

    /// Reads the files where they have changed; what is no good is not believed.
    fn look(&self) {
        let seen = print(&self.files);
        if seen == Some(self.last().print) {
            self.last().broken = 0;
            return;
        }
        let read = seen.and_then(|print| Some((pair(&self.files).ok()?, print)));
        let mut last = self.last();
        let file = self.files.certificate.display();
        if let Some((pair, print)) = read {
            *last = Last {
                pair: Arc::new(pair),
                print,
                broken: 0,
            };
            info!(%file, "a client certificate is read anew");
            return;
        }
        last.broken = last.broken.saturating_add(1);
        if last.broken == 2 {
            warn!(%file, "a client certificate or its key is no good; the one before is shown");
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.last().pair))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A file that hangs holds up this alone.
async fn watch(own: Weak<Own>) {
    loop {
        sleep(LOOK).await;
        let Some(own) = own.upgrade() else { return };
        // One that panics has said so, and is followed by the next.
        let _ = spawn_blocking(move || own.look()).await;
    }
}

fn pair(files: &ClientCertificate) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Pem(files.key.clone(), error.to_string()))?;
    let installed = CryptoProvider::get_default().cloned();
    let provider = installed.unwrap_or_else(|| Arc::new(provider()));
    Ok(CertifiedKey::from_der(chain, key, &provider)?)
}

fn print(files: &ClientCertificate) -> Option<[u8; 32]> {
    let mut hash = Context::new(&SHA256);
    let paths: [&Path; 2] = [&files.certificate, &files.key];
    for path in paths {
        let content = std::fs::read(path).ok()?;
        hash.update(&content.len().to_be_bytes());
        hash.update(&content);
    }
    hash.finish().as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::write;

    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
    use tokio::time::Instant;

    use super::*;

    fn make() -> (String, String, Vec<u8>) {
        let Made { cert, signing_key } = generate_simple_self_signed(["qlik".to_owned()]).unwrap();
        let der = cert.der().to_vec();
        (cert.pem(), signing_key.serialize_pem(), der)
    }

    fn shown(own: &Own) -> Vec<u8> {
        own.resolve(&[], &[]).unwrap().cert[0].to_vec()
    }

    /// Waits for the next look; a look takes a thread, and no time.
    async fn comes_to(own: &Own, wanted: &[u8]) {
        let end = Instant::now() + LOOK * 6;
        while shown(own) != wanted {
            assert!(Instant::now() < end, "it is not read anew");
            sleep(LOOK).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_changes_is_read_anew_and_a_bad_one_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let files = ClientCertificate {
            certificate: folder.path().join("client.pem"),
            key: folder.path().join("client_key.pem"),
        };
        let (certificate, key, first) = make();
        write(&files.certificate, certificate).unwrap();
        write(&files.key, key).unwrap();
        let own = Own::watched(&files).unwrap();
        assert_eq!(shown(&own), first);

        let (certificate, key, second) = make();
        write(&files.certificate, &certificate).unwrap();
        own.look();
        own.look();
        assert_eq!(shown(&own), first, "the key is another's");
        assert_eq!(own.last().broken, 2);
        write(&files.key, key).unwrap();
        comes_to(&own, &second).await;
        assert_eq!(own.last().broken, 0);

        write(&files.certificate, "no certificate").unwrap();
        own.look();
        std::fs::remove_file(&files.key).unwrap();
        own.look();
        assert_eq!(shown(&own), second);

        let watched = Arc::downgrade(&own);
        drop(own);
        sleep(LOOK * 2).await;
        assert!(watched.upgrade().is_none(), "nobody shows it any more");
    }
}
