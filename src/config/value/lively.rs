//! Secrets that are read anew when their files change.

use std::path::PathBuf;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value as Json;
use toml::de::DeValue;

use super::secret::{SecretText, file, path_schema};
use crate::config::model::Secret;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A secret of visible ASCII, and the file it is from.
pub(in crate::config) struct LiveSecret(pub(in crate::config) Secret);

/// A PEM file of a private key that signs tokens.
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
    const WANTED: &'static str =
        "the path of a PEM file in quotes, such as \"certs/qlik-client-key.pem\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let (path, content) = file::<Self>(node)?;
        let pem = PrivateKeyDer::from_pem_slice(&content).is_ok();
        match String::from_utf8(content) {
            Ok(text) if pem => Ok(Self(Secret {
                text: text.into(),
                file: Some(path),
            })),
            _ => {
                let what = format!("{} holds no private key in PEM", path.display());
                Err(node.refuse(what, "name a file with -----BEGIN PRIVATE KEY-----"))
            }
        }
    }

    fn schema() -> Json {
        path_schema()
    }
}
