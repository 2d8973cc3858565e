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

    /// Whether it says the same to every replica.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.0.iter().all(|(mark, _)| *mark != Mark::Id)
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
