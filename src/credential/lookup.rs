//! Whom to ask a token for: the value of a claim, or the client itself.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::error::CredentialError;
use crate::config::LookupField;
use crate::person::{ClaimPath, Person};

/// The longest value that is looked up, in bytes.
const LONGEST: usize = 256;

/// Which identities a route's credential has.
#[derive(Debug)]
pub(super) enum Who {
    /// One: the client's own.
    Client,
    /// One per value of a claim.
    Person {
        field: LookupField,
        claim: ClaimPath,
    },
}

impl Who {
    /// The identity that a person has at Qlik.
    pub(super) fn identify(&self, person: &Person) -> Result<Identity, CredentialError> {
        let Self::Person { field, claim } = self else {
            return Ok(Identity::Client);
        };
        let value = look_up(person, claim).map_err(|flaw| CredentialError::Nobody {
            claim: claim.as_str().into(),
            flaw,
        })?;
        Ok(match field {
            LookupField::Subject => Identity::Subject(value.into()),
            LookupField::UserId => Identity::UserId(value.into()),
        })
    }
}

/// What a token is fetched for, and kept under: every value that is put into the request. Its
/// `Debug` keeps the value to itself.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(super) enum Identity {
    /// The client itself.
    Client,
    /// The user whom the identity provider knows by this subject.
    Subject(Arc<str>),
    /// The user whom Qlik knows by this id.
    UserId(Arc<str>),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "Client",
            Self::Subject(_) => "Subject(…)",
            Self::UserId(_) => "UserId(…)",
        })
    }
}

/// What is wrong with a claim that should name a Qlik user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// It holds a control character.
    #[error("holds a control character")]
    Control,
    /// It is empty or blank.
    #[error("is empty")]
    Empty,
    /// It is longer than 256 bytes.
    #[error("is longer than 256 bytes")]
    Long,
    /// The session has no such claim.
    #[error("is not in the session")]
    Missing,
    /// It is not a string.
    #[error("is not a string")]
    NotText,
    /// It is an address that nobody verified.
    #[error("is an address without email_verified = true")]
    Unverified,
}

fn look_up<'a>(person: &'a Person, claim: &ClaimPath) -> Result<&'a str, Flaw> {
    let value = person.claim(claim).ok_or(Flaw::Missing)?;
    let text = value.as_str().ok_or(Flaw::NotText)?;
    if text.trim().is_empty() {
        return Err(Flaw::Empty);
    }
    if text.len() > LONGEST {
        return Err(Flaw::Long);
    }
    if text.chars().any(char::is_control) {
        return Err(Flaw::Control);
    }
    if !is_verified(person, claim) {
        return Err(Flaw::Unverified);
    }
    Ok(text)
}

/// Whether an address is vouched for: `email_verified` must stand beside it. Other claims are.
fn is_verified(person: &Person, claim: &ClaimPath) -> bool {
    let said = claim.verification().map(|beside| person.claim(&beside));
    said.is_none_or(|said| said == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::{Issuer, Subject};

    fn find(claim: &str, claims: Value) -> Result<String, Flaw> {
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        let person = Person::new(Issuer::new("i"), Subject::new("ada"), None, claims);
        look_up(&person, &ClaimPath::new(claim)).map(str::to_owned)
    }

    #[test]
    fn a_lookup_value_is_plain_text_of_some_length() {
        assert_eq!(find("sub", json!({})), Ok("ada".to_owned()));
        assert_eq!(find("x", json!({})), Err(Flaw::Missing));
        assert_eq!(find("x", json!({"x": 7})), Err(Flaw::NotText));
        assert_eq!(find("x", json!({"x": ["a"]})), Err(Flaw::NotText));
        assert_eq!(find("x", json!({"x": null})), Err(Flaw::NotText));
        assert_eq!(find("x", json!({"x": ""})), Err(Flaw::Empty));
        assert_eq!(find("x", json!({"x": " "})), Err(Flaw::Empty));
        assert_eq!(find("x", json!({"x": "a\u{0}b"})), Err(Flaw::Control));
        assert_eq!(find("x", json!({"x": "a\u{85}b"})), Err(Flaw::Control));
        assert_eq!(
            find("x", json!({"x": "a".repeat(256)})),
            Ok("a".repeat(256))
        );
        assert_eq!(find("x", json!({"x": "a".repeat(257)})), Err(Flaw::Long));
    }

    #[test]
    fn an_address_counts_only_when_verified() {
        let ada = "ada@example.com";
        for verified in [json!(false), json!("true"), json!(1), json!(null)] {
            let claims = json!({"email": ada, "email_verified": verified});
            assert_eq!(find("email", claims.clone()), Err(Flaw::Unverified));
            assert_eq!(find("/email", claims), Err(Flaw::Unverified));
        }
        assert_eq!(find("email", json!({"email": ada})), Err(Flaw::Unverified));
        let good = json!({"email": ada, "email_verified": true});
        assert_eq!(find("email", good.clone()), Ok(ada.to_owned()));
        assert_eq!(find("/email", good), Ok(ada.to_owned()));

        let elsewhere = json!({"email_verified": true, "user": {"email": ada}});
        assert_eq!(find("/user/email", elsewhere), Err(Flaw::Unverified));
        let nested = json!({"user": {"email": ada, "email_verified": true}});
        assert_eq!(find("/user/email", nested), Ok(ada.to_owned()));
    }

    #[test]
    fn an_identity_keeps_its_value_to_itself() {
        let identity = Identity::Subject("ada".into());
        assert_eq!(format!("{identity:?}"), "Subject(…)");
    }
}
