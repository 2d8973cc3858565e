//! What the gate does for plain requests: it says who sent one, lets their sockets go on, and gives
//! them tickets. No engine is dialled for any of it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use super::law::objection;
use super::{Gate, Refusal, finding};
use crate::config::Route;
use crate::fault::Fault;
use crate::id::AppId;
use crate::peer::Peer;
use crate::person::Person;
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
        let knock = asker.knock();
        let showing = lane.sessions.showing_plainly(knock);
        let attempt = quotas.attempt(asker.address, &route.name, showing.as_ref())?;
        let identified = lane.sessions.recognise(knock).await;
        attempt.settle(finding(&identified));
        let session = identified?;
        self.books.revoked.refuse_ended(session.person())?;
        if session.is_valid() {
            Ok(session)
        } else {
            Err(Fault::NotSignedIn.into())
        }
    }

    /// Lets the open sockets of whoever sent a plain request live as long as the session that it
    /// shows, and ends those that it would not open; gives the session, and how many sockets have a
    /// later end now.
    pub async fn renew(
        &self,
        route: &Route,
        asker: Asker<'_>,
    ) -> Result<(Session, usize), Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.recognise(route, asker).await?;
        let ended = self.judge_again(route, session.person());
        let renewed = lane.sessions.renew(&session);
        Ok((session, renewed.saturating_sub(ended)))
    }

    /// Judges the open sockets of a session by what is said of its person now; says how many ended.
    fn judge_again(&self, route: &Route, person: &Person) -> usize {
        let lanes = self.books.law.lanes();
        self.books.live.judge(|socket| {
            let own = socket.opening().route == route.name;
            let own = own && is_same_session(socket.person(), person);
            own.then(|| objection(&lanes, socket, person))?
        })
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
        let ticket = lane.sessions.ticket(session, asker.knock(), app).await?;
        self.books.quotas.expect(&ticket);
        Ok(ticket)
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

/// Whether two descriptions are of one person in one session, which has an id then.
fn is_same_session(one: &Person, other: &Person) -> bool {
    let session = one.session();
    session.is_some()
        && session == other.session()
        && one.issuer() == other.issuer()
        && one.subject() == other.subject()
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
