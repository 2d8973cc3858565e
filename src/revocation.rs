//! A right taken away: what a logout says, and whom it hits.

use serde_json::Value;

use crate::id::{Issuer, SessionId, Subject};
use crate::person::{ClaimPath, Person};

/// One logout, as an issuer has announced it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Revocation {
    /// Who announced it; it reaches nobody of another issuer.
    pub issuer: Issuer,
    /// Whom it hits.
    pub whom: Whom,
}

/// Whom a logout hits.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Whom {
    /// One session, for good; where its person is named as well, also those of theirs that have no id
    /// by which it could be told that they are another.
    Session(SessionId, Option<Begun>),
    /// Every session that a person began until then.
    Subject(Begun),
}

/// What a person began until a moment; what begins later is a new login.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Begun {
    /// The person.
    pub subject: Subject,
    /// The last second, counted from 1970, in which a session that is hit can have begun.
    pub until: u64,
}

impl Revocation {
    /// Whether it hits a person's session. One that does not say when it began is hit.
    #[must_use]
    pub fn hits(&self, person: &Person) -> bool {
        if self.issuer != *person.issuer() {
            return false;
        }
        match &self.whom {
            Whom::Session(session, theirs) => match person.session() {
                Some(own) => own == session,
                None => theirs.as_ref().is_some_and(|theirs| theirs.hits(person)),
            },
            Whom::Subject(theirs) => theirs.hits(person),
        }
    }
}

impl Begun {
    /// Whether it hits a session of a person of the same issuer.
    #[must_use]
    pub fn hits(&self, person: &Person) -> bool {
        self.subject == *person.subject() && begun(person).is_none_or(|begun| begun <= self.until)
    }
}

/// When a person logged in: `auth_time` (`OpenID` Connect Core section 2), which a re-issued token
/// keeps, or else `iat`.
fn begun(person: &Person) -> Option<u64> {
    let claim = |name: &str| person.claim(&ClaimPath::new(name)).and_then(seconds);
    claim("auth_time").or_else(|| claim("iat"))
}

/// A `NumericDate` in whole seconds; its fraction does not count.
fn seconds(value: &Value) -> Option<u64> {
    let whole = || value.as_f64().filter(|time| (0.0..1e15).contains(time));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in bounds above"
    )]
    value.as_u64().or_else(|| whole().map(|time| time as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn person(sid: &str, claims: Value) -> Person {
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        let session = Some(SessionId::new(sid));
        Person::new(Issuer::new("idp"), Subject::new("ada"), session, claims)
    }

    fn logout(issuer: &str, whom: Whom) -> Revocation {
        Revocation {
            issuer: Issuer::new(issuer),
            whom,
        }
    }

    #[test]
    fn a_logout_by_session_hits_that_session_of_that_issuer() {
        let whom = || Whom::Session(SessionId::new("s1"), None);
        let (one, two) = (person("s1", json!({})), person("s2", json!({})));
        assert!(logout("idp", whom()).hits(&one));
        assert!(!logout("idp", whom()).hits(&two));
        assert!(!logout("other", whom()).hits(&one));
        let nameless = Person::new(Issuer::new("idp"), Subject::new("s1"), None, Map::new());
        assert!(!logout("idp", whom()).hits(&nameless));
    }

    #[test]
    fn a_logout_by_session_hits_what_its_person_began_without_an_id() {
        let nameless = |subject: &str, claims: Value| {
            let Value::Object(claims) = claims else {
                unreachable!()
            };
            Person::new(Issuer::new("idp"), Subject::new(subject), None, claims)
        };
        let hits = |issuer: &str, person: &Person| {
            let theirs = Begun {
                subject: Subject::new("ada"),
                until: 100,
            };
            let whom = Whom::Session(SessionId::new("s1"), Some(theirs));
            logout(issuer, whom).hits(person)
        };
        assert!(hits("idp", &nameless("ada", json!({"iat": 100}))));
        assert!(hits("idp", &nameless("ada", json!({}))));
        assert!(!hits("idp", &nameless("ada", json!({"iat": 101}))));
        assert!(!hits("idp", &nameless("eve", json!({"iat": 99}))));
        assert!(!hits("other", &nameless("ada", json!({"iat": 99}))));
        assert!(hits("idp", &person("s1", json!({"iat": 101}))), "for good");
        assert!(!hits("idp", &person("s2", json!({"iat": 99}))), "another");
    }

    #[test]
    fn a_logout_by_subject_hits_what_began_until_then() {
        let hits = |subject: &str, claims: Value| {
            let whom = Whom::Subject(Begun {
                subject: Subject::new(subject),
                until: 100,
            });
            logout("idp", whom).hits(&person("s", claims))
        };
        assert!(hits("ada", json!({"iat": 99})));
        assert!(hits("ada", json!({"iat": 100.9})));
        assert!(!hits("ada", json!({"iat": 101})));
        assert!(
            hits("ada", json!({"iat": 500, "auth_time": 50})),
            "a renewed token is no new login"
        );
        assert!(hits("ada", json!({})), "nobody knows when it began");
        assert!(!hits("eve", json!({"iat": 99})));
    }
}
