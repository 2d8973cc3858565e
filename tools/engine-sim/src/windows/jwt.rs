//! JWTs as a virtual proxy takes them: signed by the key it knows, and naming a user.

use std::{fmt, io};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value, json};

use super::person::{Newcomer, Person};
use crate::jwt::{verifier, verify};

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

    /// Whom `token` names, and what it says of them, when it is good.
    pub(super) fn newcomer(&self, token: &str) -> Option<Newcomer> {
        let claims = verify(token, &self.key, &self.algorithms)?;
        let said = |name: &str| claims.get(name).and_then(Value::as_str);
        let fixed = self.directory.strip_prefix('[');
        let directory = match fixed.and_then(|rest| rest.strip_suffix(']')) {
            Some(directory) => directory,
            None => said(&self.directory)?,
        };
        Some(Newcomer {
            person: Person::new(directory, said(&self.id)?)?,
            attributes: self.attributes(&claims),
        })
    }

    fn attributes(&self, claims: &Map<String, Value>) -> Vec<Value> {
        let names = [
            self.id.as_str(),
            &self.directory,
            "iat",
            "exp",
            "nbf",
            "jti",
        ];
        let besides = claims
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        let each = besides.flat_map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(|item| json!({ name: item })).collect(),
            text => vec![json!({ name: text })],
        });
        each.collect()
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
