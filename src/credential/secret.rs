//! A secret that may change in its file while the proxy runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use crate::config::Secret;

/// A secret, read anew from its file whenever it is used; while the file is no good, what it held
/// before.
pub(super) struct LiveSecret {
    file: Option<PathBuf>,
    last: Mutex<Last>,
    /// Whether a text can be such a secret.
    fits: fn(&str) -> bool,
}

struct Last {
    text: SecretString,
    /// Whether the file was no good when it was last read.
    stale: bool,
}

impl LiveSecret {
    pub(super) fn new(secret: Secret, fits: fn(&str) -> bool) -> Self {
        Self {
            file: secret.file,
            last: Mutex::new(Last {
                text: secret.text,
                stale: false,
            }),
            fits,
        }
    }

    /// Whether it can change.
    pub(super) fn can_change(&self) -> bool {
        self.file.is_some()
    }

    /// The secret as it is now.
    pub(super) async fn now(&self) -> SecretString {
        let Some(file) = self.file.clone() else {
            return self.last();
        };
        let path = file.clone();
        let read = spawn_blocking(move || std::fs::read_to_string(path)).await;
        let text = read.ok().and_then(Result::ok).unwrap_or_default();
        self.note(&file, text.trim_end_matches(['\r', '\n']))
    }

    /// The secret as it was last, for what hashes it once.
    pub(super) fn last(&self) -> SecretString {
        let last = self.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    fn note(&self, file: &Path, text: &str) -> SecretString {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = text.is_empty() || !(self.fits)(text);
        if !stale && text != last.text.expose_secret() {
            last.text = text.into();
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
pub(super) fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_changes_is_read_anew_and_a_bad_one_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let text = "one".into();
        let from = Some(file.clone());
        let secret = LiveSecret::new(Secret { text, file: from }, is_visible);
        let now = async || secret.now().await.expose_secret().to_owned();
        for (written, held) in [
            ("one\n", "one"),
            ("two\r\n", "two"),
            ("a b", "two"),
            ("", "two"),
        ] {
            std::fs::write(&file, written).unwrap();
            assert_eq!(now().await, held);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(now().await, "two");
        std::fs::write(&file, "three").unwrap();
        assert_eq!(now().await, "three");
        assert_eq!(format!("{secret:?}"), "LiveSecret(…)");
    }
}
