//! Who somebody is on Windows: a directory and an id.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use serde::Serialize;
use serde_json::Value;

/// A Qlik user, `DIRECTORY\id`; spellings that differ in their case alone are one.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// The user directory.
    pub directory: String,
    /// The id within it.
    pub id: String,
}

/// Somebody who comes in, and what is told of them besides.
pub(super) struct Newcomer {
    pub(super) person: Person,
    /// Each an object of one name and its text, as the proxy service has them.
    pub(super) attributes: Vec<Value>,
}

impl From<Person> for Newcomer {
    fn from(person: Person) -> Self {
        let attributes = Vec::new();
        Self { person, attributes }
    }
}

impl Person {
    /// `DIRECTORY\id`, as a header brings it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (directory, id) = text.split_once('\\')?;
        Self::new(directory, id)
    }

    /// What a directory and an id may be: neither empty, neither with a backslash.
    pub(super) fn new(directory: &str, id: &str) -> Option<Self> {
        let good = |part: &str| !part.is_empty() && !part.contains('\\');
        (good(directory) && good(id)).then(|| Self {
            directory: directory.to_owned(),
            id: id.to_owned(),
        })
    }

    /// What `GetAuthenticatedUser` answers.
    pub(super) fn engine_name(&self) -> String {
        format!("UserDirectory={}; UserId={}", self.directory, self.id)
    }

    fn folded(&self) -> (String, String) {
        (self.directory.to_lowercase(), self.id.to_lowercase())
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for Person {}

impl Hash for Person {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}", self.directory, self.id)
    }
}
