//! Signs what the proxy says of itself or of a person, with a key that may change in its file.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};

use super::error::CredentialError;
use super::secret::LiveSecret;
use super::signer::{Signer, Terms};
use crate::config::{ANY, KeyFile, SignedToken, SigningKey, Sort};

/// A key and what it signs with.
pub(super) struct LiveSigner {
    key: LiveSecret,
    sort: Sort,
    terms: Terms,
    /// The key as it was last, ready to sign.
    ready: Mutex<Option<(SecretSlice<u8>, Arc<Signer>)>>,
}

/// What a shared key needs at least, in bytes, as it does at the start.
const SHORTEST: usize = 32;

impl LiveSigner {
    /// Prepares a private key, for tokens of this life; fails when it cannot sign.
    pub(super) fn new(config: KeyFile, life: Duration) -> Result<Self, CredentialError> {
        let terms = Terms {
            algorithm: config.algorithm,
            key_id: config.key_id,
            life,
            taken: config.taken,
        };
        Self::of(SigningKey::Pem(config.key), terms)
    }

    /// Prepares the key of such tokens.
    pub(super) fn of_token(token: &SignedToken) -> Result<Self, CredentialError> {
        let terms = Terms {
            algorithm: token.algorithm,
            key_id: token.key_id.clone(),
            life: token.life,
            taken: ANY,
        };
        Self::of(token.key.clone(), terms)
    }

    fn of(key: SigningKey, terms: Terms) -> Result<Self, CredentialError> {
        let (sort, key) = match key {
            SigningKey::Pem(key) => (Sort::Pem, key),
            SigningKey::Shared(key) => (Sort::Shared, key),
        };
        let own = terms.clone();
        let fits = move |key: &[u8]| {
            let is_long = sort != Sort::Shared || key.len() >= SHORTEST;
            is_long && Signer::new(sort, key, &own).is_ok()
        };
        let signer = Self {
            key: LiveSecret::new(key, fits),
            sort,
            terms,
            ready: Mutex::default(),
        };
        signer.signer(&signer.key.last())?;
        Ok(signer)
    }

    /// The token that says `claims`, who it is itself, and from when to when it is good.
    pub(super) async fn sign(&self, claims: Map<String, Value>) -> Result<String, CredentialError> {
        let key = self.key.now().await;
        self.signer(&key)?.sign(claims, SystemTime::now())
    }

    /// How long a token is good.
    pub(super) const fn life(&self) -> Duration {
        self.terms.life
    }

    /// What it is set up from, to tell it from others.
    pub(super) fn identity(&self) -> Vec<u8> {
        let mut identity = format!("{:?} {:?} ", self.sort, self.terms).into_bytes();
        identity.extend(self.key.last().expose_secret());
        identity
    }

    fn signer(&self, key: &SecretSlice<u8>) -> Result<Arc<Signer>, CredentialError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |(known, _): &&(SecretSlice<u8>, _)| known.expose_secret() == key.expose_secret();
        if let Some((_, signer)) = ready.as_ref().filter(same) {
            return Ok(Arc::clone(signer));
        }
        let signer = Arc::new(Signer::new(self.sort, key.expose_secret(), &self.terms)?);
        *ready = Some((key.clone(), Arc::clone(&signer)));
        Ok(signer)
    }
}

impl fmt::Debug for LiveSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveSigner(…)")
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, decode_header};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;
    use crate::config::{self, Attributes, Secret, Taken};

    const TAKEN: Taken = &[config::Algorithm::RS256, config::Algorithm::ES384];

    fn pem(of: &'static rcgen::SignatureAlgorithm) -> String {
        KeyPair::generate_for(of).unwrap().serialize_pem()
    }

    fn signer(key: &str, file: Option<std::path::PathBuf>) -> Result<LiveSigner, CredentialError> {
        let text = key.as_bytes().to_vec().into();
        let config = KeyFile {
            key: Secret { text, file },
            algorithm: None,
            taken: TAKEN,
            key_id: None,
        };
        LiveSigner::new(config, Duration::from_mins(1))
    }

    #[test]
    fn a_key_whose_signatures_nobody_takes_is_none() {
        assert!(signer(&pem(&PKCS_ECDSA_P384_SHA384), None).is_ok());
        for other in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let refused = signer(&pem(other), None);
            assert!(matches!(refused, Err(CredentialError::BadSigningKey)));
        }
    }

    #[tokio::test]
    async fn a_key_that_changes_signs_and_one_that_cannot_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        let signer = signer(&pem(&PKCS_ECDSA_P384_SHA384), Some(file.clone())).unwrap();
        let first = signer.identity();
        for (written, changes) in [
            (pem(&PKCS_ECDSA_P256_SHA256), false),
            ("no key".to_owned(), false),
            (pem(&PKCS_ECDSA_P384_SHA384), true),
        ] {
            std::fs::write(&file, written).unwrap();
            let token = signer.sign(Map::new()).await.unwrap();
            assert_eq!(decode_header(&token).unwrap().alg, Algorithm::ES384);
            assert_eq!(signer.identity() != first, changes);
        }
    }

    #[tokio::test]
    async fn a_shared_key_that_grows_too_short_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let token = SignedToken {
            key: SigningKey::Shared(Secret {
                text: vec![b'1'; SHORTEST].into(),
                file: Some(file.clone()),
            }),
            algorithm: None,
            key_id: None,
            claims: Attributes::default(),
            life: Duration::from_mins(1),
        };
        let signer = LiveSigner::of_token(&token).unwrap();
        let first = signer.identity();
        for (length, changes) in [(SHORTEST - 1, false), (SHORTEST, true)] {
            std::fs::write(&file, "2".repeat(length)).unwrap();
            signer.sign(Map::new()).await.unwrap();
            assert_eq!(signer.identity() != first, changes, "{length}");
        }
    }
}
