//! Secrets that are read anew when their files change.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value as Json;
use toml::de::DeValue;

use super::secret::{LongSecret, SecretText, SigningPem};
use crate::config::model::Secret;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A secret of visible ASCII, and the file it is from.
pub(in crate::config) struct LiveSecret(pub(in crate::config) Secret);

/// A private key in PEM that signs tokens, and the file it is from.
pub(in crate::config) struct LiveKey(pub(in crate::config) Secret);

/// A secret that keys a MAC, and the file it is from.
pub(in crate::config) struct LiveLong(pub(in crate::config) Secret);

impl Value for LiveSecret {
    const WANTED: &'static str = SecretText::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let SecretText(text) = SecretText::read(node)?;
        let text = text.expose_secret().as_bytes().to_vec();
        Ok(Self(kept(text.into(), node)))
    }

    fn schema() -> Json {
        SecretText::schema()
    }
}

impl Value for LiveLong {
    const WANTED: &'static str = LongSecret::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let LongSecret(secret) = LongSecret::read(node)?;
        Ok(Self(kept(secret, node)))
    }

    fn schema() -> Json {
        LongSecret::schema()
    }
}

fn kept(text: SecretSlice<u8>, node: &Node<'_>) -> Secret {
    let file = file_of(node);
    Secret { text, file }
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
        Ok(Self(kept(pem, node)))
    }

    fn schema() -> Json {
        SigningPem::schema()
    }
}
