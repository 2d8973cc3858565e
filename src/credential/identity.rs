//! Whom a credential is for: the values that are put into it, in order.

use std::fmt;
use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::error::CredentialError;
use crate::config::Wording;
use crate::person::{ClaimPath, Person};
use crate::template::{Flaw, Target, Template, Unfilled};

/// The most texts of a list that go into a credential.
const MOST: usize = 200;

/// How a route's credential finds a person's values.
#[derive(Debug, Default)]
pub(super) struct Who(Vec<Slot>);

impl Who {
    /// Nothing of the person goes in: one identity for all.
    pub(super) fn everybody() -> Self {
        Self::default()
    }

    /// Adds a value that the config alone decides.
    #[must_use]
    pub(super) fn fixed(self, value: &str) -> Self {
        self.with(Slot::Fixed(value.into()))
    }

    /// Adds a value made of the person's claims.
    #[must_use]
    pub(super) fn filled(self, template: Template, target: Target) -> Self {
        self.with(Slot::Filled(template, target))
    }

    /// Adds a value made of the person's claims, or an empty text where they do not give it.
    #[must_use]
    pub(super) fn wished(self, template: Template, target: Target) -> Self {
        self.with(Slot::Wished(template, target))
    }

    /// Adds the texts of a list among the person's claims, as JSON; an empty text when there is none.
    #[must_use]
    pub(super) fn listed(self, claim: Option<ClaimPath>) -> Self {
        match claim {
            Some(claim) => self.with(Slot::Listed(claim)),
            None => self.fixed(""),
        }
    }

    /// Adds who vouches for the person, and whom they vouch for.
    #[must_use]
    pub(super) fn person(self) -> Self {
        self.with(Slot::Issuer).with(Slot::Subject)
    }

    /// Adds the token that the app's session is.
    #[must_use]
    pub(super) fn session_token(self) -> Self {
        self.with(Slot::Token)
    }

    /// Adds a value that is everybody's, or made of the person's claims.
    #[must_use]
    pub(super) fn worded(self, wording: Wording, target: Target) -> Self {
        match wording {
            Wording::Fixed(text) => self.fixed(&text),
            Wording::Filled(template) => self.filled(template, target),
        }
    }

    /// The identity that a person has at Qlik.
    pub(super) fn identify(&self, person: &Person) -> Result<Identity, CredentialError> {
        let values = self.0.iter().map(|slot| slot.value(person));
        Ok(Identity(values.collect::<Result<_, _>>()?))
    }

    fn with(mut self, slot: Slot) -> Self {
        self.0.push(slot);
        self
    }
}

/// What a credential is made for, and kept under: every value that is put into it, in order, each
/// of them bounded. Its `Debug` keeps the values to itself.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub(super) struct Identity(Arc<[Box<str>]>);

impl Identity {
    /// The value at a place, as its kind ordered them.
    pub(super) fn value(&self, place: usize) -> &str {
        self.0.get(place).map_or("", |value| value)
    }

    /// Every value, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| &**value)
    }

    /// Whether it is everybody's.
    pub(super) fn is_shared(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(values: [&str; N]) -> Self {
        Self(values.map(Box::from).into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} values)", self.0.len())
    }
}

#[derive(Debug)]
enum Slot {
    Filled(Template, Target),
    Fixed(Box<str>),
    Issuer,
    Listed(ClaimPath),
    Subject,
    Token,
    Wished(Template, Target),
}

impl Slot {
    fn value(&self, person: &Person) -> Result<Box<str>, CredentialError> {
        match self {
            Self::Filled(template, target) => Ok(template.fill(person, *target)?.into()),
            Self::Fixed(value) => Ok(value.clone()),
            Self::Issuer => Ok(person.issuer().as_str().into()),
            Self::Listed(claim) => Ok(list(person, claim)?.into()),
            Self::Subject => Ok(person.subject().as_str().into()),
            Self::Wished(template, target) => {
                Ok(template.fill(person, *target).unwrap_or_default().into())
            }
            Self::Token => {
                let token = person.token().ok_or(CredentialError::NoToken)?;
                Ok(token.expose_secret().into())
            }
        }
    }
}

/// The texts of a list, or the one text, as JSON; a claim that is not there is an empty list.
fn list(person: &Person, claim: &ClaimPath) -> Result<String, Unfilled> {
    let blame = |flaw| Unfilled {
        claim: claim.as_str().into(),
        flaw,
    };
    let items = match person.claim(claim) {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    };
    if items.len() > MOST {
        return Err(blame(Flaw::Long));
    }
    for item in items {
        let text = item.as_str().ok_or_else(|| blame(Flaw::NotText))?;
        Target::Json.check(text).map_err(blame)?;
    }
    Ok(Value::from(items).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::id::{Issuer, Subject};
    use crate::person::ClaimPath;

    #[test]
    fn an_identity_is_every_value_and_keeps_them_to_itself() {
        let who = Who::everybody()
            .fixed("subject")
            .filled(Template::claim(ClaimPath::new("sub")), Target::Json);
        let ada = Person::new(Issuer::new("i"), Subject::new("ada"), None, Map::new());
        let identity = who.identify(&ada).unwrap();
        assert_eq!(identity, Identity::of(["subject", "ada"]));
        assert_ne!(identity, Identity::of(["userId", "ada"]));
        assert_ne!(identity, Identity::of(["subjectada"]));
        assert_eq!(format!("{identity:?}"), "Identity(2 values)");
        assert!(Who::everybody().identify(&ada).unwrap().is_shared());
    }
}
