//! Who somebody is, once a session check has said yes.

use std::fmt;
use std::sync::{Arc, Weak};

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::id::{Issuer, SessionId, Subject};

/// A person as their app's session describes them.
///
/// `sub` is always among the claims and always the subject.
/// It prints as nothing: claims are the app's, and may be anything.
#[derive(Clone)]
pub struct Person {
    described: Arc<Described>,
    token: Option<Arc<SecretString>>,
}

/// Shared, because all sockets of a session keep it, and the registry.
#[derive(PartialEq)]
struct Described {
    issuer: Issuer,
    subject: Subject,
    session: Option<SessionId>,
    claims: Map<String, Value>,
}

impl Person {
    /// Describes a person; `claims["sub"]` becomes the subject whatever it was.
    #[must_use]
    pub fn new(
        issuer: Issuer,
        subject: Subject,
        session: Option<SessionId>,
        mut claims: Map<String, Value>,
    ) -> Self {
        claims.insert("sub".to_owned(), Value::String(subject.as_str().to_owned()));
        let described = Described {
            issuer,
            subject,
            session,
            claims,
        };
        Self {
            described: Arc::new(described),
            token: None,
        }
    }

    /// The same person, with the token that their app session is.
    #[must_use]
    pub fn bearing(self, token: SecretString) -> Self {
        let token = Some(Arc::new(token));
        Self { token, ..self }
    }

    /// What it takes to recognize them as long as somebody keeps them.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace(Arc::downgrade(&self.described))
    }

    /// Keeps, in the place of an own copy, what others keep of them, if it says the very same.
    pub fn join(&mut self, trace: &Trace) -> bool {
        let known = trace.0.upgrade();
        let same =
            known.filter(|known| Arc::ptr_eq(known, &self.described) || *known == self.described);
        let Some(known) = same else {
            return false;
        };
        self.described = known;
        true
    }

    /// The token that their app session is, where it is one and somebody asked to keep it.
    #[must_use]
    pub fn token(&self) -> Option<&SecretString> {
        self.token.as_deref()
    }

    /// Who vouched for the subject.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.described.issuer
    }

    /// The person within the issuer.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.described.subject
    }

    /// The stable id of the app session, where the session kind knows one.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.described.session.as_ref()
    }

    /// All that is said of them; `sub` is always the subject.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.described.claims
    }

    /// The value at a claim path.
    #[must_use]
    pub fn claim(&self, path: &ClaimPath) -> Option<&Value> {
        path.find(&self.described.claims)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// What is left of a person that nobody need keep.
pub struct Trace(Weak<Described>);

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace(…)")
    }
}

/// Where a claim stands: a JSON pointer when it begins with `/`, a top-level name otherwise.
///
/// A name is never split at dots, so `https://example.com/roles` names one claim.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Takes a name or a JSON pointer (RFC 6901).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it must say that what stands here is verified: beside an `email`, and nowhere else
    /// (`OpenID` Connect Core 1.0 section 5.1).
    #[must_use]
    pub fn verification(&self) -> Option<Self> {
        let beside = match self.0.rsplit_once('/') {
            None if self.0 == "email" => "email_verified".to_owned(),
            Some((above, "email")) if self.0.starts_with('/') => format!("{above}/email_verified"),
            _ => return None,
        };
        Some(Self(beside))
    }

    /// Puts a value at this path within `claims`, in the place of what is in its way.
    pub fn put(&self, claims: &mut Map<String, Value>, value: Value) {
        let Some(pointer) = self.0.strip_prefix('/') else {
            claims.insert(self.0.clone(), value);
            return;
        };
        let mut names = pointer.split('/').map(unescaped);
        let first = names.next().unwrap_or_default();
        let mut place = claims.entry(first).or_insert(Value::Null);
        for name in names {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[name];
        }
        *place = value;
    }

    /// The value at this path within `claims`.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let Some(pointer) = self.0.strip_prefix('/') else {
            return claims.get(&self.0);
        };
        let (first, rest) = match pointer.find('/') {
            Some(at) => pointer.split_at(at),
            None => (pointer, ""),
        };
        claims.get(&unescaped(first))?.pointer(rest)
    }
}

/// A part of a JSON pointer as the name that it means.
fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_name_or_by_pointer() {
        let Value::Object(claims) = json!({
            "https://x.example/apps": ["a"],
            "realm": {"roles": ["r0", "r1"]},
            "a/b": 1
        }) else {
            unreachable!()
        };
        let find = |path: &str| ClaimPath::new(path).find(&claims).cloned();
        assert_eq!(find("https://x.example/apps"), Some(json!(["a"])));
        assert_eq!(find("/realm/roles/1"), Some(json!("r1")));
        assert_eq!(find("/a~1b"), Some(json!(1)));
        assert_eq!(find("realm.roles"), None);
        assert_eq!(find("/realm/none"), None);
    }

    #[test]
    fn only_what_says_the_very_same_is_kept_in_the_place_of_an_own_copy() {
        let person = |issuer: &str, sid: &str, role: &str| {
            let claims = Map::from_iter([("role".to_owned(), role.into())]);
            let session = Some(SessionId::new(sid));
            Person::new(Issuer::new(issuer), Subject::new("ada"), session, claims)
        };
        let known = person("i", "s", "reader");
        let joins = |mut person: Person| {
            let joins = person.join(&known.trace());
            assert_eq!(joins, Arc::ptr_eq(&person.described, &known.described));
            joins
        };
        assert!(joins(person("i", "s", "reader")));
        assert!(!joins(person("j", "s", "reader")));
        assert!(!joins(person("i", "t", "reader")));
        assert!(!joins(person("i", "s", "admin")));
        let forgotten = person("i", "s", "reader").trace();
        assert!(!person("i", "s", "reader").join(&forgotten));
    }

    #[test]
    fn what_is_put_is_found() {
        let put = |path: &str, claims: Value| {
            let (path, Value::Object(mut claims)) = (ClaimPath::new(path), claims) else {
                unreachable!()
            };
            path.put(&mut claims, json!("acme"));
            assert_eq!(path.find(&claims), Some(&json!("acme")));
            Value::Object(claims)
        };
        assert_eq!(put("org.id", json!({})), json!({"org.id": "acme"}));
        assert_eq!(put("/a~1b", json!({})), json!({"a/b": "acme"}));
        assert_eq!(
            put("/org/id", json!({"org": {"name": "x"}, "sub": "ada"})),
            json!({"org": {"name": "x", "id": "acme"}, "sub": "ada"})
        );
        assert_eq!(
            put("/org/0", json!({"org": "x"})),
            json!({"org": {"0": "acme"}})
        );
    }

    #[test]
    fn sub_is_always_the_subject() {
        let Value::Object(claims) = json!({"sub": "mallory"}) else {
            unreachable!()
        };
        let person = Person::new(Issuer::new("i"), Subject::new("ada"), None, claims);
        assert_eq!(person.claim(&ClaimPath::new("sub")), Some(&json!("ada")));
    }
}
