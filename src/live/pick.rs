//! Which sockets an operator means, told by what they were opened with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Live, Socket};
use crate::id::CustomerName;
use crate::record::Cause;

/// What sockets are told by, as operators and replicas write it.
const MARKS: [(&str, Mark); 6] = [
    ("app", Mark::App),
    ("customer", Mark::Customer),
    ("id", Mark::Id),
    ("issuer", Mark::Issuer),
    ("session", Mark::Session),
    ("subject", Mark::Subject),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
    App,
    Customer,
    /// Each process counts for itself.
    Id,
    Issuer,
    /// The session's hash.
    Session,
    Subject,
}

/// The sockets that have all that it says, which is something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pick(Vec<(Mark, String)>);

impl Pick {
    /// The sockets of these names and values; `None` where a name is none of ours, an id is no number,
    /// or there is nothing.
    #[must_use]
    pub fn new(wanted: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let wanted = wanted.into_iter().map(|(name, value)| {
            let (_, mark) = MARKS.iter().find(|(known, _)| *known == name)?;
            let can_be = *mark != Mark::Id || value.parse::<u64>().is_ok();
            can_be.then_some((*mark, value))
        });
        let wanted: Vec<_> = wanted.collect::<Option<_>>()?;
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// Whether every replica may know sockets by it. What is no session's hash may be a session's id, by
    /// mistake: no socket has it, and nobody else is told of it.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.0.iter().all(|(mark, value)| match mark {
            Mark::Id => false,
            Mark::Session => is_hash(value),
            Mark::App | Mark::Customer | Mark::Issuer | Mark::Subject => true,
        })
    }

    /// Its names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = MARKS.iter();
        self.0.iter().filter_map(move |(mark, value)| {
            let (name, _) = known.clone().find(|(_, known)| known == mark)?;
            Some((*name, value.as_str()))
        })
    }

    fn takes(&self, socket: &Socket) -> bool {
        self.0.iter().all(|(mark, value)| mark.is(socket, value))
    }
}

/// Whether a text has the form in which sessions are named.
fn is_hash(text: &str) -> bool {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 16 && text.bytes().all(is_digit)
}

impl Mark {
    fn is(self, socket: &Socket, value: &str) -> bool {
        let opening = socket.opening();
        match self {
            Self::App => *opening.app == *value,
            Self::Customer => opening.customer.as_ref().map(CustomerName::as_str) == Some(value),
            Self::Id => opening.id.to_string() == value,
            Self::Issuer => socket.person().issuer().as_str() == value,
            Self::Session => opening.session.as_deref() == Some(value),
            Self::Subject => socket.person().subject().as_str() == value,
        }
    }
}

impl Live {
    /// Ends those of the picked sockets that were open at that moment, since 1970; says how many. Who
    /// comes later is not kept out.
    pub fn close(&self, pick: &Pick, moment: Duration) -> usize {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let was_open = |socket: &Socket| now.saturating_sub(socket.age()) <= moment;
        let picked = |socket: &Socket| pick.takes(socket) && was_open(socket);
        self.end_where(picked, Cause::Operator)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretSlice;

    use super::*;
    use crate::gate::IdentityKey;
    use crate::id::SessionId;

    #[test]
    fn what_one_replica_alone_knows_and_what_may_be_a_secret_is_not_common() {
        let is_common = |name: &str, value: &str| {
            let pairs = [(name, value), ("subject", "ada")];
            let pick = Pick::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
            pick.unwrap().is_common()
        };
        let key = IdentityKey::new(&SecretSlice::from(vec![1; 32]));
        let hash = key.name_session(&SessionId::new("s-1"));
        for (name, value, common) in [
            ("app", "x", true),
            ("customer", "x", true),
            ("issuer", "x", true),
            ("session", hash.as_str(), true),
            ("session", "s-1", false),
            ("session", &hash.replace(|_| true, "g"), false),
            ("session", &format!("{hash}0"), false),
            ("id", "7", false),
        ] {
            assert_eq!(is_common(name, value), common, "{name}={value}");
        }
    }
}
