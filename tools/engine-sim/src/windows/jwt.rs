//! JWTs as a virtual proxy takes them: signed by the key it knows, and naming a user.

use std::{fmt, io};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

use super::person::Person;

/// The key and the attributes of one virtual proxy.
#[derive(Clone)]
pub(super) struct JwtRules {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
    id: String,
    directory: String,
}

impl JwtRules {
    pub(super) fn new(pem: &str) -> io::Result<Self> {
        let (key, algorithms) = verifier(pem)?;
        Ok(Self {
            key,
            algorithms,
            id: "userId".to_owned(),
            directory: "userDirectory".to_owned(),
        })
    }

    pub(super) fn read(&mut self, id: &str, directory: &str) {
        id.clone_into(&mut self.id);
        directory.clone_into(&mut self.directory);
    }

    /// Whom `token` names, when it is good.
    pub(super) fn person(&self, token: &str) -> Option<Person> {
        let claims = verify(token, &self.key, &self.algorithms)?;
        let said = |name: &str| claims.get(name).and_then(Value::as_str);
        let fixed = self.directory.strip_prefix('[');
        let directory = match fixed.and_then(|rest| rest.strip_suffix(']')) {
            Some(directory) => directory,
            None => said(&self.directory)?,
        };
        Person::new(directory, said(&self.id)?)
    }
}

impl fmt::Debug for JwtRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtRules")
            .field("id", &self.id)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

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
