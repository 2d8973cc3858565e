//! Secrets, certificates and keys: the config only says where they are.

use std::env::VarError;
use std::path::PathBuf;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::node::{Node, Value};
use crate::config::notes::Noted;
use crate::config::table::Table;

/// A secret that keys a MAC: 32 bytes or more.
pub(in crate::config) struct LongSecret(pub(in crate::config) SecretSlice<u8>);

/// A secret of visible ASCII, which can stand in a header or a form.
pub(in crate::config) struct SecretText(pub(in crate::config) SecretString);

/// A secret that signs an app's cookies: whatever the app took for one.
pub(in crate::config) struct CookieSecret(pub(in crate::config) SecretSlice<u8>);

/// A PEM file of certificates to trust, as it is.
pub(in crate::config) struct Bundle(pub(in crate::config) Vec<u8>);

/// A PEM file of certificates to trust.
pub(in crate::config) struct Authorities(pub(in crate::config) PathBuf);

/// A PEM file of one's own certificate chain, and what is in it.
pub(in crate::config) struct Certificate(PathBuf, Vec<u8>);

/// A PEM file of one's own private key, and what is in it.
pub(in crate::config) struct PrivateKey(PathBuf, SecretSlice<u8>);

/// A private key in PEM that signs tokens.
pub(in crate::config) struct SigningPem(pub(in crate::config) SecretSlice<u8>);

/// A public key (or its certificate), PEM, from a file.
pub(in crate::config) struct PublicKey(pub(in crate::config) Vec<u8>);

const LONG: usize = 32;
/// Shorter ones that others have chosen are warned of.
const SOUND: usize = 16;

impl Value for LongSecret {
    const WANTED: &'static str = SecretText::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let secret = secret(node)?;
        if secret.len() < LONG {
            return Err(node.refuse(
                format!(
                    "this secret has {} bytes; it needs {LONG} or more",
                    secret.len()
                ),
                "make one with `openssl rand -hex 32`",
            ));
        }
        Ok(Self(secret.into()))
    }

    fn schema() -> Json {
        secret_schema()
    }
}

impl Value for SecretText {
    const WANTED: &'static str =
        "{ env = \"NAME_OF_A_VARIABLE\" } or { file = \"/path/of/a/file\" }";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let secret = secret(node)?;
        match String::from_utf8(secret) {
            Ok(text) if text.chars().all(|c| c.is_ascii_graphic()) => Ok(Self(text.into())),
            _ => Err(node.refuse(
                "this secret has spaces, line ends or characters beyond ASCII",
                "name a variable or file that holds the secret and nothing else",
            )),
        }
    }

    fn schema() -> Json {
        secret_schema()
    }
}

impl Value for CookieSecret {
    const WANTED: &'static str = SecretText::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let secret = secret(node)?;
        if secret.len() < SOUND {
            node.notes.warn(
                node.span.clone(),
                format!("this secret has {} bytes", secret.len()),
                "give the app one of 32 bytes or more, and name both here meanwhile",
            );
        }
        Ok(Self(secret.into()))
    }

    fn schema() -> Json {
        secret_schema()
    }
}

pub(super) fn secret_schema() -> Json {
    let source = |name: &str, pattern: &str| {
        json!({
            "type": "object",
            "properties": {name: {"type": "string", "pattern": pattern}},
            "required": [name],
            "additionalProperties": false,
        })
    };
    json!({"oneOf": [source("env", "^[A-Za-z_][A-Za-z0-9_]*$"), source("file", ".")]})
}

impl Value for Bundle {
    const WANTED: &'static str = Authorities::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        certificates::<Self>(node).map(|(_, content)| Self(content))
    }

    fn schema() -> Json {
        path_schema()
    }
}

/// The secret itself, without the line end that a variable may have, or the white space that editors
/// put behind it in a file.
fn secret(node: &Node<'_>) -> Result<Vec<u8>, Noted> {
    let DeValue::Table(entries) = node.value else {
        node.hide();
        let what = format!("`{}` is a secret: it never stands in the config", node.key);
        return Err(node.refuse(what, format!("write {}", SecretText::WANTED)));
    };
    let (secret, _) = Table::inline(node, entries).run(|table| {
        let names = &["env", "file"];
        let one = table.exactly_one(names);
        let env = table.optional::<Variable>("env", "");
        let file = table.optional::<Content>("file", "");
        one?;
        let env =
            env?.map(|Variable(text)| text.trim_end_matches(['\r', '\n']).as_bytes().to_vec());
        let file = file?.map(|Content(bytes)| bytes.trim_ascii_end().to_vec());
        env.or(file).ok_or_else(|| table.lacks(names))
    });
    let secret = secret?;
    if secret.is_empty() {
        let what = format!("what `{}` names is empty", node.key);
        return Err(node.refuse(what, "put the secret there"));
    }
    Ok(secret)
}

/// The content of an environment variable.
struct Variable(String);

impl Value for Variable {
    const WANTED: &'static str = "the name of an environment variable in quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let name = node.text::<Self>()?;
        if !is_plain_name(name) {
            node.hide();
        }
        if !is_name(name) {
            let what = "this is no name of an environment variable";
            return Err(node.refuse(what, "write its name, not the secret itself"));
        }
        let found = node.notes.sources().variable(name);
        found.map(Self).map_err(|error| {
            let shown = if is_plain_name(name) {
                name
            } else {
                "of this name"
            };
            let what = match error {
                VarError::NotPresent => format!("the environment variable {shown} is not set"),
                VarError::NotUnicode(_) => format!("the environment variable {shown} is not UTF-8"),
            };
            node.refuse(what, "set it, or name another")
        })
    }

    fn schema() -> Json {
        json!({"type": "string"})
    }
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

/// A name that cannot be a secret put there by mistake, so that it may be shown.
fn is_plain_name(name: &str) -> bool {
    is_name(name) && name.len() <= 64 && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// The content of a file.
struct Content(Vec<u8>);

impl Value for Content {
    const WANTED: &'static str = "the path of a file in quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        file::<Self>(node).map(|(_, content)| Self(content))
    }

    fn schema() -> Json {
        path_schema()
    }
}

fn path_schema() -> Json {
    json!({"type": "string", "minLength": 1})
}

/// A file's path, and what is in it.
fn file<T: Value>(node: &Node<'_>) -> Result<(PathBuf, Vec<u8>), Noted> {
    node.text::<T>()?;
    let path = node.notes.path(&String::read(node)?);
    let content = node.notes.sources().file(&path).map_err(|error| {
        let what = format!("{} cannot be read: {}", path.display(), error.kind());
        node.refuse(what, "name a file that this user can read")
    })?;
    if content.is_empty() {
        let what = format!("{} is empty", path.display());
        return Err(node.refuse(what, "put something into it, or name another"));
    }
    Ok((path, content))
}

impl Value for Authorities {
    const WANTED: &'static str = "the path of a PEM file in quotes, such as \"certs/ca.pem\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        certificates::<Self>(node).map(|(path, _)| Self(path))
    }

    fn schema() -> Json {
        path_schema()
    }
}

impl Value for Certificate {
    const WANTED: &'static str = "the path of a PEM file in quotes, such as \"certs/server.pem\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        certificates::<Self>(node).map(|(path, content)| Self(path, content))
    }

    fn schema() -> Json {
        path_schema()
    }
}

fn certificates<T: Value>(node: &Node<'_>) -> Result<(PathBuf, Vec<u8>), Noted> {
    let (path, content) = file::<T>(node)?;
    let mut found = CertificateDer::pem_slice_iter(&content).peekable();
    if found.peek().is_none() || found.any(|certificate| certificate.is_err()) {
        let what = format!("{} holds no certificates in PEM", path.display());
        return Err(node.refuse(what, "name a file with -----BEGIN CERTIFICATE-----"));
    }
    Ok((path, content))
}

impl Value for PrivateKey {
    const WANTED: &'static str =
        "the path of a PEM file in quotes, such as \"certs/server-key.pem\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let (path, content) = file::<Self>(node)?;
        if PrivateKeyDer::from_pem_slice(&content).is_err() {
            let what = format!("{} holds no private key in PEM", path.display());
            return Err(node.refuse(what, "name a file with -----BEGIN PRIVATE KEY-----"));
        }
        Ok(Self(path, content.into()))
    }

    fn schema() -> Json {
        path_schema()
    }
}

/// The paths of a certificate and its own key, the keys `certificate` and `key` of a table.
pub(in crate::config) fn pair(
    t: &Table<'_>,
    certificate: Certificate,
    key: PrivateKey,
) -> Result<(PathBuf, PathBuf), Noted> {
    let chain = CertificateDer::pem_slice_iter(&certificate.1);
    let chain = chain.filter_map(Result::ok).collect();
    let own = PrivateKeyDer::from_pem_slice(key.1.expose_secret())
        .map(|key| CertifiedKey::from_der(chain, key, &default_provider()));
    match own {
        Ok(Ok(_)) => Ok((certificate.0, key.0)),
        Ok(Err(rustls::Error::InconsistentKeys(_))) => Err(t.refuse(
            "key",
            "this key is not that of the certificate that `certificate` names",
            "name the two files that were made together",
        )),
        _ => Err(t.refuse(
            "key",
            "this key and the certificate that `certificate` names do not do for TLS",
            "name an X.509 certificate and its key, of RSA, ECDSA or Ed25519",
        )),
    }
}

impl Value for SigningPem {
    const WANTED: &'static str = SecretText::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let pem = secret(node)?;
        if PrivateKeyDer::from_pem_slice(&pem).is_err() {
            let what = format!("what `{}` names is no private key in PEM", node.key);
            return Err(node.refuse(what, "name a file with -----BEGIN PRIVATE KEY-----"));
        }
        Ok(Self(pem.into()))
    }

    fn schema() -> Json {
        secret_schema()
    }
}

impl Value for PublicKey {
    const WANTED: &'static str = "{ file = \"/path/of/a/public-key.pem\" }";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let DeValue::Table(entries) = node.value else {
            node.hide();
            let what = format!("`{}` only says where the key is", node.key);
            return Err(node.refuse(what, format!("write {}", Self::WANTED)));
        };
        let content = |table: &mut Table<'_>| table.required("file", "\"key.pem\"", "");
        let (content, _) = Table::inline(node, entries).run(content);
        let Content(pem) = content?;
        if PrivateKeyDer::from_pem_slice(&pem).is_ok() {
            let what = "this file holds a private key; whoever has it can sign tokens";
            return Err(node.refuse(what, "name the file of the public key"));
        }
        let key = SubjectPublicKeyInfoDer::from_pem_slice(&pem).is_ok();
        if !key && CertificateDer::from_pem_slice(&pem).is_err() {
            let what = "this file holds no public key in PEM";
            return Err(node.refuse(what, "name a file with -----BEGIN PUBLIC KEY-----"));
        }
        Ok(Self(pem))
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "properties": {"file": path_schema()},
            "required": ["file"],
            "additionalProperties": false,
        })
    }
}
