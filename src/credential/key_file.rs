//! Signs what the proxy says of itself or of a person, with a key that may change in its file.

use std::time::{Duration, SystemTime};

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::error::CredentialError;
use super::secret::LiveSecret;
use super::signer::Signer;
use crate::config::{self, Algorithm, KeyFile, SignedToken, SigningKey};

/// A private key and what it signs with.
#[derive(Debug)]
pub(super) struct LiveSigner {
    key: LiveSecret,
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    life: Duration,
}

impl LiveSigner {
    /// Prepares the key, for tokens of this life; fails when it cannot sign.
    pub(super) fn new(config: KeyFile, life: Duration) -> Result<Self, CredentialError> {
        let signer = Self {
            key: LiveSecret::new(config.key, is_private_key),
            algorithm: config.algorithm,
            key_id: config.key_id,
            life,
        };
        signer.signer(&signer.key.last())?;
        Ok(signer)
    }

    /// The token that says `claims`, who it is itself, and from when to when it is good.
    pub(super) async fn sign(&self, claims: Map<String, Value>) -> Result<String, CredentialError> {
        let key = self.key.now().await;
        self.signer(&key)?.sign(claims, SystemTime::now())
    }

    /// What it is set up from, to tell it from others.
    pub(super) fn identity(&self) -> Vec<u8> {
        let rest = format!("{:?} {:?} {:?} ", self.algorithm, self.key_id, self.life);
        let mut identity = rest.into_bytes();
        identity.extend(self.key.last().expose_secret().as_bytes());
        identity
    }

    fn signer(&self, pem: &SecretString) -> Result<Signer, CredentialError> {
        Signer::new(&SignedToken {
            key: SigningKey::Pem(pem.expose_secret().as_bytes().to_vec().into()),
            algorithm: self.algorithm,
            key_id: self.key_id.clone(),
            claims: config::Attributes::default(),
            life: self.life,
        })
    }
}

fn is_private_key(pem: &str) -> bool {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).is_ok()
}
