//! A route's tickets: given to whom a check has just found, and taken for what that check says.

use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, HeaderValue};

use super::super::error::{Outage, SessionError, Spoilt};
use super::super::evidence::Shown;
use super::super::{Check, Client, Knock, Session, Sessions, Standing};
use super::shelf::{Found, Holder, Who};
use super::{Ticket, TicketCheck};
use crate::id::AppId;

impl Sessions {
    /// Makes a ticket for a session that was found by a plain request, where the route has tickets:
    /// for requests of the origin of that one and, where it is named, for one app alone.
    pub async fn ticket(
        &self,
        session: Session,
        knock: Knock<'_>,
        app: Option<AppId>,
    ) -> Result<Ticket, SessionError> {
        let tickets = self.tickets().ok_or(SessionError::Missing)?;
        let shown = Shown::of(&self.wanted, knock);
        let found = Found { session, shown };
        tickets.issue(found, knock.headers.get(ORIGIN), app).await
    }

    /// Whether the route has tickets.
    #[must_use]
    pub fn has_tickets(&self) -> bool {
        self.tickets().is_some()
    }

    /// The subprotocol that a 101 must name: the one that carries a ticket, where the route takes
    /// tickets so.
    #[must_use]
    pub fn subprotocol(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.tickets()?.subprotocol(headers)
    }

    /// Finds who sent a plain request. A page may come by bearer here, which it has to send on
    /// purpose, where a cookie goes along by itself.
    pub async fn recognise(&self, knock: Knock<'_>) -> Result<Session, SessionError> {
        let by_bearer = Knock {
            client: Client::Program,
            ..knock
        };
        if knock.client == Client::Browser && knock.headers.contains_key(AUTHORIZATION) {
            match self.vouch(by_bearer).await {
                Err(SessionError::Missing) => {}
                found => return found,
            }
        }
        self.vouch(knock).await
    }

    /// Finds whose ticket a websocket request brings; `None` when it brings none.
    pub(in crate::session) async fn redeem(
        &self,
        tickets: &TicketCheck,
        knock: Knock<'_>,
    ) -> Result<Option<Session>, SessionError> {
        let Some(stub) = tickets.take(knock).await? else {
            return Ok(None);
        };
        let session = match stub.holder {
            Holder::Known(session) => session,
            Holder::Asked { shown, who } => self.find_again(&shown, who).await?,
        };
        let standing = *session.standing.borrow();
        if session.is_valid() {
            Ok(Some(session.only(stub.app)))
        } else if standing == Standing::Unknown {
            let (what, outage) = ("whoever vouches for it", Outage::Timeout);
            Err(SessionError::Down { what, outage })
        } else {
            Err(Spoilt::Unknown.into())
        }
    }

    /// Asks again about somebody who got a ticket, perhaps at another replica.
    async fn find_again(&self, shown: &Shown, who: Who) -> Result<Session, SessionError> {
        match self.recognise(shown.knock()).await {
            Ok(session) if Who::of(session.person()) == who => Ok(session),
            Ok(_) | Err(SessionError::Missing) => Err(Spoilt::Unknown.into()),
            Err(error) => Err(error),
        }
    }

    fn tickets(&self) -> Option<&TicketCheck> {
        self.checks.iter().find_map(|(check, _)| match check {
            Check::Ticket(tickets) => Some(tickets),
            _ => None,
        })
    }
}
