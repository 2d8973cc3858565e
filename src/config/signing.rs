//! Which key signs with what (RFC 7518, RFC 8037): whatever signs is tried out before it is taken.

use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header, encode};
use serde_json::json;

use super::model::Algorithm;

/// What sort of key signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    /// A private key in PEM.
    Pem,
    /// A shared secret.
    Shared,
}

/// What whoever checks a signature takes, the best first.
pub type Taken = &'static [Algorithm];

/// Whatever there is.
pub const ANY: Taken = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
];

/// What Qlik takes of an OAuth client's own key.
pub(super) const OF_CLIENTS: Taken = &[Algorithm::RS256, Algorithm::RS512, Algorithm::ES384];

/// What Qlik takes of the key of an identity provider of type JWT: RSA and EC.
pub(super) const OF_PROVIDERS: Taken = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];

/// A key that is ready to sign, and what its tokens begin with: by the algorithm that is said, or by
/// the first that is taken and fits it.
#[must_use]
pub fn ready(
    sort: Sort,
    key: &[u8],
    said: Option<Algorithm>,
    taken: Taken,
) -> Option<(Header, EncodingKey)> {
    let mut wanted = taken
        .iter()
        .filter(|taken| said.is_none_or(|said| said == **taken));
    wanted.find_map(|&algorithm| {
        let algorithm = named(algorithm);
        let key = encoding(sort, key, algorithm)?;
        let header = Header::new(algorithm);
        encode(&header, &json!({}), &key).ok()?;
        Some((header, key))
    })
}

/// The key as it would be used, if it could be.
fn encoding(sort: Sort, key: &[u8], algorithm: Alg) -> Option<EncodingKey> {
    match (sort, algorithm) {
        (Sort::Shared, Alg::HS256 | Alg::HS384 | Alg::HS512) => Some(EncodingKey::from_secret(key)),
        (Sort::Shared, _) | (Sort::Pem, Alg::HS256 | Alg::HS384 | Alg::HS512) => None,
        (Sort::Pem, Alg::ES256 | Alg::ES384) => EncodingKey::from_ec_pem(key).ok(),
        (Sort::Pem, Alg::EdDSA) => EncodingKey::from_ed_pem(key).ok(),
        (Sort::Pem, _) => EncodingKey::from_rsa_pem(key).ok(),
    }
}

const fn named(algorithm: Algorithm) -> Alg {
    match algorithm {
        Algorithm::EdDSA => Alg::EdDSA,
        Algorithm::ES256 => Alg::ES256,
        Algorithm::ES384 => Alg::ES384,
        Algorithm::HS256 => Alg::HS256,
        Algorithm::HS384 => Alg::HS384,
        Algorithm::HS512 => Alg::HS512,
        Algorithm::PS256 => Alg::PS256,
        Algorithm::PS384 => Alg::PS384,
        Algorithm::PS512 => Alg::PS512,
        Algorithm::RS256 => Alg::RS256,
        Algorithm::RS384 => Alg::RS384,
        Algorithm::RS512 => Alg::RS512,
    }
}
