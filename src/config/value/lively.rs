//! Secrets that are read anew when their files change.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::Value as Json;
use toml::de::DeValue;

use super::secret::{SecretText, SigningPem};
use crate::config::model::Secret;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A secret of visible ASCII, and the file it is from.
pub(in crate::config) struct LiveSecret(pub(in crate::config) Secret);

/// A private key in PEM that signs tokens, and the file it is from.
pub(in crate::config) struct LiveKey(pub(in crate::config) Secret);

impl Value for LiveSecret {
    const WANTED: &'static str = SecretText::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let SecretText(text) = SecretText::read(node)?;
        let file = file_of(node);
        Ok(Self(Secret { text, file }))
    }

    fn schema() -> Json {
        SecretText::schema()
    }
}

fn file_of(node: &Node<'_>) -> Option<PathBuf> {
    let DeValue::Table(entries) = node.value else {
        return None;
    };
    let written = entries.get("file")?.get_ref().as_str()?;
    Some(node.notes.path(written))
}

impl Value for LiveKey {
    const WANTED: &'static str = SigningPem::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let SigningPem(pem) = SigningPem::read(node)?;
        let text = String::from_utf8_lossy(pem.expose_secret()).into_owned();
        Ok(Self(Secret {
            text: text.into(),
            file: file_of(node),
        }))
    }

    fn schema() -> Json {
        SigningPem::schema()
    }
}
