//! JWTs as a virtual proxy takes them: signed by the key it knows, and naming a user.

use std::{fmt, io};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::person::Person;
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
