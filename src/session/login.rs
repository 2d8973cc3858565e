//! One app session, by what names it.

use crate::id::{Issuer, SessionId, Subject};
use crate::person::Person;

/// One app session. Without an id of its own there is none: another login of the same person is
/// no reason for a socket to live on.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Login {
    issuer: Issuer,
    subject: Subject,
    session: SessionId,
}

impl Login {
    /// The session that somebody is described by, where it has an id.
    pub(super) fn of(person: &Person) -> Option<Self> {
        Some(Self {
            issuer: person.issuer().clone(),
            subject: person.subject().clone(),
            session: person.session()?.clone(),
        })
    }
}
