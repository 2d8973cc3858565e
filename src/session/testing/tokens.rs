//! Tokens, good and forged, under keys made at run time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};

/// Somebody who signs tokens.
pub(in crate::session) struct Mint {
    key: EncodingKey,
    algorithm: Algorithm,
    kid: Option<String>,
    public_pem: String,
    certificate: String,
}

impl Mint {
    /// One with a shared secret.
    pub(in crate::session) fn with_secret(secret: &[u8]) -> Self {
        Self {
            key: EncodingKey::from_secret(secret),
            algorithm: Algorithm::HS256,
            kid: None,
            public_pem: String::new(),
            certificate: String::new(),
        }
    }

    /// One with a fresh P-256 key.
    pub(in crate::session) fn p256() -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(pair.serialized_der());
        Self::new(&pair, key, Algorithm::ES256)
    }

    /// One with a fresh Ed25519 key.
    pub(in crate::session) fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let key = EncodingKey::from_ed_der(pair.serialized_der());
        Self::new(&pair, key, Algorithm::EdDSA)
    }

    /// One with a fresh RSA key.
    pub(in crate::session) fn rsa() -> Self {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self::new(&pair, key, Algorithm::RS256)
    }

    fn new(pair: &KeyPair, key: EncodingKey, algorithm: Algorithm) -> Self {
        let names = vec!["mint.example".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap();
        Self {
            key,
            algorithm,
            kid: None,
            public_pem: pair.public_key_pem(),
            certificate: certificate.self_signed(pair).unwrap().pem(),
        }
    }

    /// The same, naming its key in what it signs.
    pub(in crate::session) fn named(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    /// The same key under another algorithm.
    pub(in crate::session) fn signing(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Its public key.
    pub(in crate::session) fn public_pem(&self) -> &[u8] {
        self.public_pem.as_bytes()
    }

    /// Its certificate.
    pub(in crate::session) fn certificate(&self) -> &[u8] {
        self.certificate.as_bytes()
    }

    /// Its public key as a member of a key set.
    pub(in crate::session) fn jwk(&self) -> Value {
        let pem = self.public_pem();
        let key = match self.algorithm {
            Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
            Algorithm::ES256 => DecodingKey::from_ec_pem(pem),
            _ => DecodingKey::from_rsa_pem(pem),
        };
        let jwk = Jwk::from_decoding_key(&key.unwrap(), Some(self.algorithm)).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// The header that it writes.
    pub(in crate::session) fn header(&self) -> Value {
        let mut header = json!({"alg": format!("{:?}", self.algorithm), "typ": "JWT"});
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        header
    }

    /// A signed token.
    pub(in crate::session) fn sign(&self, claims: &Value) -> String {
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }

    /// A signed token with a header of one's own.
    pub(in crate::session) fn sign_under(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs whatever it is given.
    pub(in crate::session) fn sign_text(&self, header: &str, claims: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// An hour from now, in seconds since 1970.
pub(in crate::session) fn hour_ahead() -> u64 {
    jsonwebtoken::get_current_timestamp() + 3600
}

/// Good claims.
pub(in crate::session) fn claims() -> Value {
    json!({
        "iss": "https://idp.example",
        "aud": "analytics",
        "sub": "ada",
        "sid": "s-1",
        "exp": hour_ahead(),
        "qlik_apps": ["app-1"],
    })
}

/// Good claims with one of them set, or removed when `value` is null.
pub(in crate::session) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let map = claims.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
    claims
}
