//! Tokens that the proxy signs itself (RFC 7519).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

use super::error::CredentialError;
use crate::config::{Algorithm, Sort, Taken, ready};

/// How tokens are signed.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// `alg`; the first that fits the key when it is not said.
    pub(super) algorithm: Option<Algorithm>,
    /// `kid`.
    pub(super) key_id: Option<String>,
    /// How long a token is good.
    pub(super) life: Duration,
    /// What whoever checks them takes, the best first.
    pub(super) taken: Taken,
}

/// A key and what it signs.
pub(super) struct Signer {
    key: EncodingKey,
    header: Header,
    life: Duration,
}

impl Signer {
    /// Takes the key; the algorithm is the one that is said, or the first that fits.
    pub(super) fn new(sort: Sort, key: &[u8], terms: &Terms) -> Result<Self, CredentialError> {
        let found = ready(sort, key, terms.algorithm, terms.taken);
        let (mut header, key) = found.ok_or(CredentialError::BadSigningKey)?;
        header.kid.clone_from(&terms.key_id);
        Ok(Self {
            key,
            header,
            life: terms.life,
        })
    }

    /// Signs these claims, and from when to when they are good.
    pub(super) fn sign(
        &self,
        mut claims: Map<String, Value>,
        clock: SystemTime,
    ) -> Result<String, CredentialError> {
        let now = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        claims.insert("iat".to_owned(), json!(beginning(clock)));
        claims.insert("exp".to_owned(), json!((now + self.life).as_secs()));
        claims.insert("jti".to_owned(), json!(random_word()));
        encode(&self.header, &claims, &self.key).map_err(|_| CredentialError::BadSigningKey)
    }
}

/// From when a token is good, in seconds since 1970: a while ago, for whoever checks it may have a clock
/// that is behind ours.
pub(super) fn beginning(clock: SystemTime) -> u64 {
    const BEHIND: Duration = Duration::from_secs(10);
    let since = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.saturating_sub(BEHIND).as_secs()
}

/// Thirty-two digits that nobody can foresee.
pub(super) fn random_word() -> String {
    let mut bytes = [0; 16];
    // Whoever reads a constant here still has to break the signature or the TLS around it.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    use rcgen::KeyPair;

    use super::*;
    use crate::config::{self, ANY};

    type Key = (Sort, Vec<u8>);

    fn signer(
        (sort, key): &Key,
        algorithm: Option<config::Algorithm>,
    ) -> Result<Signer, CredentialError> {
        let terms = Terms {
            algorithm,
            key_id: Some("k1".to_owned()),
            life: Duration::from_mins(30),
            taken: ANY,
        };
        Signer::new(*sort, key, &terms)
    }

    fn pem(pair: &KeyPair) -> Key {
        (Sort::Pem, pair.serialize_pem().into_bytes())
    }

    fn shared() -> Key {
        (Sort::Shared, vec![7; 32])
    }

    #[test]
    fn the_algorithm_is_the_one_that_fits_the_key() {
        let ec = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let wide = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let ed = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let rsa = rcgen::RsaKeySize::_2048;
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rsa).unwrap();
        for (key, said, algorithm) in [
            (pem(&ec), None, Algorithm::ES256),
            (pem(&wide), None, Algorithm::ES384),
            (pem(&ed), None, Algorithm::EdDSA),
            (pem(&rsa), None, Algorithm::RS256),
            (pem(&rsa), Some(config::Algorithm::PS512), Algorithm::PS512),
            (shared(), None, Algorithm::HS256),
            (shared(), Some(config::Algorithm::HS512), Algorithm::HS512),
        ] {
            let signer = signer(&key, said).unwrap();
            let text = signer.sign(Map::new(), SystemTime::now()).unwrap();
            assert_eq!(decode_header(&text).unwrap().alg, algorithm);
        }
        for (key, said) in [
            (pem(&ec), config::Algorithm::RS256),
            (pem(&ec), config::Algorithm::ES384),
            (pem(&ec), config::Algorithm::HS256),
            (shared(), config::Algorithm::RS256),
        ] {
            let refused = signer(&key, Some(said));
            assert!(
                matches!(refused, Err(CredentialError::BadSigningKey)),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_token_says_its_claims_and_how_long_it_is_good() {
        let signer = signer(&shared(), None).unwrap();
        let claims = Map::from_iter([("name".to_owned(), json!("Ada \"L\""))]);
        let clock = SystemTime::now();
        let text = signer.sign(claims.clone(), clock).unwrap();
        let key = DecodingKey::from_secret(&[7; 32]);
        let read = decode::<Map<String, Value>>(&text, &key, &Validation::default()).unwrap();
        assert_eq!(read.header.kid.as_deref(), Some("k1"));
        assert_eq!(read.claims["name"], "Ada \"L\"");
        let now = clock.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(read.claims["exp"], now + 30 * 60);
        assert_eq!(read.claims["iat"], now - 10, "a clock may be behind");
        assert_ne!(text, signer.sign(claims, clock).unwrap(), "each has an id");
    }
}
