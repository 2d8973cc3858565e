//! What the gate does for plain requests: it says who sent one, lets their sockets go on, and gives
//! them tickets. No engine is dialled for any of it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use super::{Gate, Refusal, verdict};
use crate::config::Route;
use crate::fault::Fault;
use crate::id::AppId;
use crate::peer::Peer;
use crate::policy::permit;
use crate::qix::{Document, Target};
use crate::session::{Client, Knock, Session, Ticket};

/// A plain request, whose origin is known.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// The other end of its connection, which is not the client where a proxy is believed.
    pub peer: Peer,
    /// Browser or program.
    pub client: Client,
    /// The request's headers.
    pub headers: &'a HeaderMap,
}

impl Gate {
    /// Finds who sent a plain request, within what its address may fail.
    pub async fn recognise(&self, route: &Route, asker: Asker<'_>) -> Result<Session, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let quotas = &self.books.quotas;
        let attempt = quotas.attempt(asker.address, asker.headers)?;
        let identified = lane.sessions.recognise(asker.knock()).await;
        attempt.settle(verdict(&identified));
        let session = identified?;
        self.books.revoked.refuse_ended(session.person())?;
        if session.is_valid() {
            Ok(session)
        } else {
            Err(Fault::NotSignedIn.into())
        }
    }

    /// Lets the open sockets of whoever sent a plain request live as long as the session that it
    /// shows; gives the session, and how many sockets have a later end now.
    pub async fn renew(
        &self,
        route: &Route,
        asker: Asker<'_>,
    ) -> Result<(Session, usize), Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.recognise(route, asker).await?;
        let renewed = lane.sessions.renew(&session);
        Ok((session, renewed))
    }

    /// Gives a ticket to whoever sent a plain request, where the route has tickets: for one app
    /// alone where it is named.
    pub async fn ticket(
        &self,
        route: &Route,
        asker: Asker<'_>,
        app: Option<AppId>,
    ) -> Result<Ticket, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.recognise(route, asker).await?;
        if let Some(app) = &app {
            let target = Target {
                document: Document::App(app.clone()),
                identity: None,
                ttl: None,
            };
            let home = lane.homes.of(session.person())?;
            permit(&home.access, session.person(), &target)?;
        }
        Ok(lane.sessions.ticket(session, asker.knock(), app).await?)
    }

    /// Whether a route has tickets.
    #[must_use]
    pub fn has_tickets(&self, route: &Route) -> bool {
        let lane = self.lanes.get(&route.name);
        lane.is_some_and(|lane| lane.sessions.has_tickets())
    }

    /// The subprotocol that a 101 must name, where one carries a ticket.
    #[must_use]
    pub fn subprotocol(&self, route: &Route, headers: &HeaderMap) -> Option<HeaderValue> {
        self.lanes.get(&route.name)?.sessions.subprotocol(headers)
    }
}

impl<'a> Asker<'a> {
    fn knock(self) -> Knock<'a> {
        Knock {
            headers: self.headers,
            client: self.client,
            peer: self.peer,
            upgrade: None,
        }
    }
}
