//! A secret that may change in its file while the proxy runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::Secret;

/// How long a file may take to be read: what hangs is a mount whose other end is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// A secret, read anew from its file whenever it is used; while the file is no good, what it held
/// before.
pub(super) struct LiveSecret {
    file: Option<PathBuf>,
    last: Mutex<Last>,
    /// Whether a text can be such a secret.
    fits: Fits,
    /// One reads at a time, so that a file that hangs holds up one thread.
    reading: Arc<Semaphore>,
}

type Fits = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

struct Last {
    text: SecretSlice<u8>,
    /// Whether the file was no good when it was last read.
    stale: bool,
}

impl LiveSecret {
    pub(super) fn new(
        secret: Secret,
        fits: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            file: secret.file,
            last: Mutex::new(Last {
                text: secret.text,
                stale: false,
            }),
            fits: Box::new(fits),
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// Whether it can change.
    pub(super) fn can_change(&self) -> bool {
        self.file.is_some()
    }

    /// The secret as it is now.
    pub(super) async fn now(&self) -> SecretSlice<u8> {
        let Some(file) = &self.file else {
            return self.last();
        };
        let read = timeout(PATIENCE, self.read(file.clone())).await;
        let text = read.ok().flatten().unwrap_or_default();
        self.note(file, text.trim_ascii_end())
    }

    /// The same, as a text; for secrets that are nothing else.
    pub(super) async fn text(&self) -> SecretString {
        text(&self.now().await)
    }

    /// The secret as it was last, for what hashes it once.
    pub(super) fn last(&self) -> SecretSlice<u8> {
        let last = self.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    async fn read(&self, file: PathBuf) -> Option<Vec<u8>> {
        let turn = Arc::clone(&self.reading).acquire_owned().await.ok()?;
        let read = spawn_blocking(move || {
            let _turn = turn;
            std::fs::read(file).ok()
        });
        read.await.ok()?
    }

    fn note(&self, file: &Path, text: &[u8]) -> SecretSlice<u8> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = text != last.text.expose_secret();
        let stale = changed && (text.is_empty() || !(self.fits)(text));
        if changed && !stale {
            last.text = text.to_vec().into();
        }
        if stale && !last.stale {
            let file = file.display();
            tracing::warn!(%file, "a secret's file is no good; what it held before is used");
        }
        last.stale = stale;
        last.text.clone()
    }
}

impl fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveSecret(…)")
    }
}

/// Whether a text can stand in a header or a form: visible ASCII.
pub(super) fn is_visible(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// A secret that is a text, as one.
pub(super) fn text(secret: &SecretSlice<u8>) -> SecretString {
    String::from_utf8_lossy(secret.expose_secret())
        .into_owned()
        .into()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::time::Instant;

    use super::*;

    fn secret(file: &Path) -> LiveSecret {
        let from = Secret {
            text: b"one".to_vec().into(),
            file: Some(file.to_owned()),
        };
        LiveSecret::new(from, is_visible)
    }

    #[tokio::test]
    async fn a_file_that_changes_is_read_anew_and_a_bad_one_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let secret = secret(&file);
        let now = async || secret.text().await.expose_secret().to_owned();
        for (written, held) in [
            ("one\n", "one"),
            ("two\r\n", "two"),
            ("six \t\n", "six"),
            ("a b", "six"),
            (" \n", "six"),
            ("", "six"),
        ] {
            std::fs::write(&file, written).unwrap();
            assert_eq!(now().await, held);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(now().await, "six");
        std::fs::write(&file, "three").unwrap();
        assert_eq!(now().await, "three");
        assert_eq!(format!("{secret:?}"), "LiveSecret(…)");
    }

    #[tokio::test]
    async fn a_file_that_hangs_holds_nobody_up_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        // Nobody writes into this pipe, so that it cannot even be opened.
        assert!(
            Command::new("mkfifo")
                .arg(&file)
                .status()
                .unwrap()
                .success()
        );
        let secret = secret(&file);
        let begun = Instant::now();
        let (first, second) = tokio::join!(secret.text(), secret.text());
        let took = begun.elapsed();
        // The thread that waits for it would outlast a test that fails.
        std::fs::write(&file, "two").unwrap();
        assert_eq!(first.expose_secret(), "one");
        assert_eq!(second.expose_secret(), "one");
        assert!(took < PATIENCE * 2, "{took:?}");
        let other = folder.path().join("other");
        std::fs::write(&other, "three").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_eq!(secret.text().await.expose_secret(), "three");
    }
}
