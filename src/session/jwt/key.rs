//! A key, and what it may verify: the key decides which algorithms fit it, never the token.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;

use super::super::error::SessionError;
use super::token::{self, Token};
use crate::config::Algorithm;

/// A key that verifies signatures.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    key: DecodingKey,
    kind: Kind,
    only: Option<Algorithm>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Ed25519,
    Hmac,
    P256,
    P384,
    Rsa,
}

impl VerifyingKey {
    /// A shared secret.
    pub(super) fn from_secret(secret: &SecretSlice<u8>) -> Self {
        Self {
            key: DecodingKey::from_secret(secret.expose_secret()),
            kind: Kind::Hmac,
            only: None,
        }
    }

    /// A public key or certificate.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, SessionError> {
        let key = read_pem(pem).ok_or_else(|| {
            let words = "the PEM holds no RSA, P-256, P-384 or Ed25519 public key or certificate";
            SessionError::Setup(words.to_owned())
        })?;
        let kind = kind_of(&key).ok_or_else(|| {
            SessionError::Setup("the PEM's key is on a curve that no algorithm uses".to_owned())
        })?;
        Ok(Self {
            key,
            kind,
            only: None,
        })
    }

    /// A key of a set; `None` for one that signs no tokens: symmetric, for encryption, unknown.
    pub(super) fn from_jwk(jwk: &Value) -> Option<Self> {
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(token::named(name.as_str()?)?),
        };
        if !is_for_signatures(jwk) {
            return None;
        }
        // Read without its `alg`, whose newer names are not known there.
        let mut parameters = jwk.as_object()?.clone();
        parameters.remove("alg");
        let jwk: Jwk = serde_json::from_value(Value::Object(parameters)).ok()?;
        let kind = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Kind::P256
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                Kind::P384
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Kind::Ed25519
            }
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            _ => return None,
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { key, kind, only })
    }

    /// Whether an algorithm fits this key.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::EdDSA => Kind::Ed25519,
            Algorithm::ES256 => Kind::P256,
            Algorithm::ES384 => Kind::P384,
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Kind::Hmac,
            Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
            | Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512 => Kind::Rsa,
        };
        self.kind == kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this key made a token's signature.
    pub(super) fn verifies(&self, token: &Token<'_>) -> bool {
        if !self.fits(token.algorithm()) {
            return false;
        }
        let algorithm = standard(token.algorithm());
        jsonwebtoken::crypto::verify(token.signature(), token.signed(), &self.key, algorithm)
            .unwrap_or(false)
    }

    /// What sort of key it is, for the operator.
    pub(super) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Ed25519 => "an Ed25519 key",
            Kind::Hmac => "a shared secret",
            Kind::P256 => "a P-256 key",
            Kind::P384 => "a P-384 key",
            Kind::Rsa => "an RSA key",
        }
    }
}

fn is_for_signatures(jwk: &Value) -> bool {
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    jwk.get("use").is_none_or(|purpose| purpose == "sig")
        && operations.is_none_or(|list| list.iter().any(|operation| operation == "verify"))
}

fn read_pem(pem: &[u8]) -> Option<DecodingKey> {
    const PRIVATE: &[u8] = b"PRIVATE KEY-----";
    if pem.windows(PRIVATE.len()).any(|window| window == PRIVATE) {
        return None;
    }
    DecodingKey::from_ec_pem(pem)
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        .or_else(|_| DecodingKey::from_rsa_pem(pem))
        .ok()
}

fn kind_of(key: &DecodingKey) -> Option<Kind> {
    let length = key.try_get_as_bytes().map_or(0, <[u8]>::len);
    match (key.family(), length) {
        (AlgorithmFamily::Ec, 65) => Some(Kind::P256),
        (AlgorithmFamily::Ec, 97) => Some(Kind::P384),
        (AlgorithmFamily::Ed, 32) => Some(Kind::Ed25519),
        (AlgorithmFamily::Rsa, _) => Some(Kind::Rsa),
        _ => None,
    }
}

fn standard(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Standard;
    match algorithm {
        Algorithm::EdDSA => Standard::EdDSA,
        Algorithm::ES256 => Standard::ES256,
        Algorithm::ES384 => Standard::ES384,
        Algorithm::HS256 => Standard::HS256,
        Algorithm::HS384 => Standard::HS384,
        Algorithm::HS512 => Standard::HS512,
        Algorithm::PS256 => Standard::PS256,
        Algorithm::PS384 => Standard::PS384,
        Algorithm::PS512 => Standard::PS512,
        Algorithm::RS256 => Standard::RS256,
        Algorithm::RS384 => Standard::RS384,
        Algorithm::RS512 => Standard::RS512,
    }
}
