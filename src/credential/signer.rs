//! Signs what the proxy says of itself or of a person, with a key that may change in its file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::CredentialError;
use super::secret::LiveSecret;
use crate::config::{Algorithm, SigningKey};

/// A private key and what it signs with.
#[derive(Debug)]
pub(super) struct Signer {
    key: LiveSecret,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Signer {
    /// Prepares the key; fails when it cannot sign with the algorithm.
    pub(super) fn new(config: SigningKey) -> Result<Self, CredentialError> {
        let fits = match named(config.algorithm) {
            jsonwebtoken::Algorithm::ES256 | jsonwebtoken::Algorithm::ES384 => is_ec,
            _ => is_rsa,
        };
        let signer = Self {
            key: LiveSecret::new(config.key, fits),
            algorithm: config.algorithm,
            key_id: config.key_id,
        };
        signer.sign_with(&signer.key.last(), &Value::Null)?;
        Ok(signer)
    }

    /// The token that says `claims`.
    pub(super) async fn sign(&self, claims: &Value) -> Result<String, CredentialError> {
        self.sign_with(&self.key.now().await, claims)
    }

    /// What it is set up from, to tell it from others.
    pub(super) fn identity(&self) -> Vec<u8> {
        let name = format!("{:?} {:?} ", self.algorithm, self.key_id);
        let mut identity = name.into_bytes();
        identity.extend(self.key.last().expose_secret().as_bytes());
        identity
    }

    fn sign_with(&self, pem: &SecretString, claims: &Value) -> Result<String, CredentialError> {
        let pem = pem.expose_secret();
        let key = match named(self.algorithm) {
            jsonwebtoken::Algorithm::ES256 | jsonwebtoken::Algorithm::ES384 => ec(pem),
            _ => rsa(pem),
        };
        let mut header = Header::new(named(self.algorithm));
        header.kid.clone_from(&self.key_id);
        let key = key.ok_or(CredentialError::BadSigningKey)?;
        jsonwebtoken::encode(&header, claims, &key).map_err(|_| CredentialError::BadSigningKey)
    }
}

/// Seconds since 1970, now and after a while.
pub(super) fn span(life: Duration) -> (u64, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    (now, now + life.as_secs())
}

/// A text that nobody had before: 128 random bits.
pub(super) fn nonce() -> Result<String, CredentialError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CredentialError::NoRandomness)?;
    Ok(hex(&bytes))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn is_rsa(pem: &str) -> bool {
    rsa(pem).is_some()
}

fn is_ec(pem: &str) -> bool {
    ec(pem).is_some()
}

fn rsa(pem: &str) -> Option<EncodingKey> {
    EncodingKey::from_rsa_pem(pem.as_bytes()).ok()
}

fn ec(pem: &str) -> Option<EncodingKey> {
    EncodingKey::from_ec_pem(pem.as_bytes()).ok()
}

fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as A;
    match algorithm {
        Algorithm::RS384 => A::RS384,
        Algorithm::RS512 => A::RS512,
        Algorithm::PS256 => A::PS256,
        Algorithm::PS384 => A::PS384,
        Algorithm::PS512 => A::PS512,
        Algorithm::ES256 => A::ES256,
        Algorithm::ES384 => A::ES384,
        // The config takes no other.
        _ => A::RS256,
    }
}
