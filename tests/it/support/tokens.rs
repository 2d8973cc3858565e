//! Session tokens, signed by keys that are made at run time.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};

/// Somebody who signs session tokens.
pub(crate) struct Signer {
    key: EncodingKey,
    header: Header,
    jwk: Value,
}

impl Signer {
    /// One with a shared secret.
    pub(crate) fn with_secret(secret: &str) -> Self {
        Self {
            key: EncodingKey::from_secret(secret.as_bytes()),
            header: Header::new(Algorithm::HS256),
            jwk: Value::Null,
        }
    }

    /// One with a fresh key of its own, of that name.
    pub(crate) fn named(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let public = DecodingKey::from_ec_pem(pair.public_key_pem().as_bytes()).unwrap();
        let jwk = Jwk::from_decoding_key(&public, Some(Algorithm::ES256)).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(kid);
        Self {
            key: EncodingKey::from_ec_der(pair.serialized_der()),
            header: Header {
                kid: Some(kid.to_owned()),
                ..Header::new(Algorithm::ES256)
            },
            jwk,
        }
    }

    /// Its public key, as a key set has it.
    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs these claims; an hour to live unless they say.
    pub(crate) fn sign(&self, mut claims: Value) -> String {
        if claims.get("exp").is_none() {
            claims["exp"] = json!(now() + 3600);
        }
        encode(&self.header, &claims, &self.key).unwrap()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}
