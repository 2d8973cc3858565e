//! JWTs as any Qlik on one's own machines takes them: signed by a key that it was given.

use std::io;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

/// The key in `pem`, a public key or a certificate, and the algorithms that go with it.
pub(crate) fn verifier(pem: &str) -> io::Result<(DecodingKey, Vec<Algorithm>)> {
    let bytes = pem.as_bytes();
    if let Ok(key) = DecodingKey::from_rsa_pem(bytes) {
        let rsa = vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
        return Ok((key, rsa));
    }
    let key = DecodingKey::from_ec_pem(bytes).map_err(io::Error::other)?;
    Ok((key, vec![Algorithm::ES256, Algorithm::ES384]))
}

/// The claims of `token`, when its signature holds and its time is now.
pub(crate) fn verify(
    token: &str,
    key: &DecodingKey,
    algorithms: &[Algorithm],
) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(*algorithms.first()?);
    validation.algorithms = algorithms.to_vec();
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    validation.validate_nbf = true;
    validation.leeway = 0;
    decode::<Map<String, Value>>(token, key, &validation)
        .ok()
        .map(|token| token.claims)
}
