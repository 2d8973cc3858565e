//! A token in compact form (RFC 7515), taken apart strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::super::error::Flaw;
use super::super::json;
use crate::config::Algorithm;

/// The largest token that is read: a browser's own limit for a cookie is half of it.
pub(super) const LARGEST: usize = 8 * 1024;

/// Header parameters that bring a key along, or demand what is not understood here.
const FORBIDDEN: [&str; 5] = ["crit", "jku", "jwk", "x5c", "x5u"];

/// A token whose header is understood; nothing of it is verified yet.
pub(super) struct Token<'a> {
    signed: &'a str,
    signature: &'a str,
    payload: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// What a token is presented as; one kind never passes for the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// A logout, announced by the issuer.
    Logout,
    /// Somebody's session.
    Session,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(super) fn parse(text: &'a [u8], purpose: Purpose) -> Result<Self, Flaw> {
        if text.len() > LARGEST {
            return Err(Flaw::Oversized);
        }
        let text = std::str::from_utf8(text).map_err(|_| Flaw::Malformed)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(Flaw::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Flaw::Malformed)?;
        if payload.contains('.') {
            return Err(Flaw::Malformed);
        }
        let header = object(header)?;
        refuse_strange(&header, purpose)?;
        Ok(Self {
            signed,
            signature,
            payload,
            algorithm: algorithm(&header)?,
            kid: kid(&header)?,
        })
    }

    /// The algorithm that the header names; a name, not yet a choice.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id of the key that the header names.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The bytes that are signed.
    pub(super) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The signature, base64url.
    pub(super) fn signature(&self) -> &str {
        self.signature
    }

    /// The claims; worth nothing before the signature is verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Flaw> {
        object(self.payload)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Flaw> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed)?;
    json::object(&bytes).ok_or(Flaw::Malformed)
}

fn refuse_strange(header: &Map<String, Value>, purpose: Purpose) -> Result<(), Flaw> {
    if let Some(name) = FORBIDDEN
        .into_iter()
        .find(|name| header.contains_key(*name))
    {
        return Err(Flaw::Header(name));
    }
    let kind = match header.get("typ") {
        None => return Ok(()),
        Some(kind) => kind.as_str().ok_or(Flaw::Malformed)?.to_ascii_lowercase(),
    };
    match (kind.strip_prefix("application/").unwrap_or(&kind), purpose) {
        ("logout+jwt", Purpose::Session) => Err(Flaw::Logout),
        ("logout+jwt" | "jwt", Purpose::Logout) | (_, Purpose::Session) => Ok(()),
        (_, Purpose::Logout) => Err(Flaw::NoLogout),
    }
}

fn kid(header: &Map<String, Value>) -> Result<Option<String>, Flaw> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(Flaw::Malformed),
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Flaw> {
    let name = header.get("alg").and_then(Value::as_str);
    named(name.ok_or(Flaw::Malformed)?).ok_or(Flaw::Algorithm)
}

/// The algorithm of a name (RFC 7518 section 3.1, RFC 8037, RFC 9864).
pub(super) fn named(name: &str) -> Option<Algorithm> {
    Some(match name {
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        _ => return None,
    })
}
