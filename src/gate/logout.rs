//! Logouts that an issuer announces: whom one ends, what it is called in the log, and what of the
//! announcements that are none.

use std::net::IpAddr;

use super::{Gate, IdentityKey, Refusal, for_log};
use crate::config::Route;
use crate::fault::{Fault, Faulty};
use crate::revocation::{Revocation, Whom};
use crate::session::{Logout, SessionError};

/// A logout that was taken.
#[derive(Debug)]
pub struct LoggedOut {
    /// Whom it names.
    pub named: Named,
    /// How many sockets it ended here.
    pub sockets: usize,
}

/// Whom a logout names, for the log.
#[derive(Debug)]
pub struct Named {
    /// The session, by the hash that its sockets' records have.
    pub session: Option<String>,
    /// The person, escaped and cut.
    pub subject: Option<String>,
}

impl Gate {
    /// Takes a logout token that a route's issuer has sent: remembers the logout, ends the sockets
    /// it hits on every route, and tells the other replicas.
    ///
    /// Whatever came from an address before, a token is looked at: a logout must not be lost to what
    /// its neighbours do, and a signature costs less than the request that brings it. Those that are
    /// not good count among the failures of their address; beyond its budget they are `TooMany`.
    pub async fn log_out(
        &self,
        route: &Route,
        address: IpAddr,
        token: &[u8],
    ) -> Result<LoggedOut, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let judged = lane.sessions.logout(token).await;
        let Logout {
            revocation,
            remember,
        } = judged.map_err(|error| self.no_logout(address, error))?;
        let sockets = self.books.revoked.revoke(&revocation, remember);
        if let Some(replicas) = &self.books.replicas {
            replicas.announce(&revocation, remember);
        }
        Ok(LoggedOut {
            named: self.identities.name_logout(&revocation),
            sockets,
        })
    }

    /// Counts what was presented as a logout and is none.
    fn no_logout(&self, address: IpAddr, error: SessionError) -> Refusal {
        if error == SessionError::Missing {
            return Fault::NotFound.into();
        }
        if error.fault() == Fault::SessionCheckDown {
            return error.into();
        }
        match self.books.quotas.fail(address) {
            Ok(()) => Refusal {
                fault: Fault::BadRequest,
                ..error.into()
            },
            Err(over) => over.into(),
        }
    }
}

impl IdentityKey {
    /// Whom a logout names, for the log.
    #[must_use]
    pub fn name_logout(&self, revocation: &Revocation) -> Named {
        let (session, subject) = match &revocation.whom {
            Whom::Session(session, theirs) => (Some(session), theirs.as_ref()),
            Whom::Subject(theirs) => (None, Some(theirs)),
        };
        Named {
            session: session.map(|session| self.name_session(session)),
            subject: subject.map(|theirs| for_log(theirs.subject.as_str())),
        }
    }
}
