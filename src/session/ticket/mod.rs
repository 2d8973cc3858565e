//! Tickets: a websocket of a page whose cookie cannot reach the proxy, or that holds a bearer
//! token, which no browser puts on a websocket.
//!
//! Somebody whom another check has just found good enters, and gets 256 random bits; once, within
//! seconds, and from the same origin, they open the very session that was found. The text itself
//! is kept nowhere: the shelf has its hash.

mod carrier;
mod shelf;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use self::shelf::{Memory, Print, Shelf, Stub};
use super::error::{Outage, SessionError, Spoilt};
use super::{Knock, Session};
use crate::config::{Carrier, TicketRules};
use crate::id::{AppId, RouteName};

/// How many random bytes a ticket has.
const RANDOM: usize = 32;
/// How many characters that makes in base64url.
const LETTERS: usize = 43;

/// A ticket, on its way to the page that asked for it. It shows itself to nobody else.
pub struct Ticket {
    text: String,
    life: Duration,
}

impl Ticket {
    /// The ticket itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// How long it is good.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.life
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

/// The `ticket` check, and where its tickets are made.
#[derive(Debug)]
pub(super) struct TicketCheck {
    route: RouteName,
    rules: TicketRules,
    shelf: Box<dyn Shelf>,
}

impl TicketCheck {
    /// Prepares the check.
    pub(super) fn new(route: &RouteName, rules: TicketRules) -> Self {
        Self {
            route: route.clone(),
            rules,
            shelf: Box::new(Memory::default()),
        }
    }

    /// Makes a ticket for a session, for requests of the same origin as this one and, where it is
    /// named, for one app alone.
    pub(super) async fn issue(
        &self,
        session: Session,
        headers: &HeaderMap,
        app: Option<AppId>,
    ) -> Result<Ticket, SessionError> {
        let text = random_text()?;
        let life = self.rules.life;
        let stub = Stub {
            session,
            origin: headers.get(ORIGIN).cloned(),
            app,
            until: Instant::now() + life,
        };
        self.shelf.put(self.print(&text), stub).await?;
        Ok(Ticket { text, life })
    }

    /// Takes the ticket of a websocket request, good or not: nobody can use it again. `None` when
    /// there is none.
    pub(super) async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let Some(upgrade) = knock.upgrade else {
            return Ok(None);
        };
        let Some(text) = carrier::find(&self.rules.carriers, upgrade.query, knock.headers)? else {
            return Ok(None);
        };
        if !is_ticket(text) {
            return Err(Spoilt::Malformed.into());
        }
        let stub = self.shelf.take(&self.print(text)).await?;
        let stub = stub.filter(|stub| stub.until > Instant::now() && stub.session.is_valid());
        let stub = stub.ok_or(Spoilt::Unknown)?;
        if stub.origin.as_ref() != knock.headers.get(ORIGIN) {
            return Err(Spoilt::Origin.into());
        }
        if let Some(app) = &stub.app
            && app.as_str() != upgrade.document
        {
            return Err(Spoilt::App.into());
        }
        Ok(Some(stub.session.only(stub.app)))
    }

    /// The subprotocol to answer with: a browser lets go of a socket that does not name the one
    /// it asked for.
    pub(super) fn subprotocol(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if !self.rules.carriers.contains(&Carrier::Subprotocol) {
            return None;
        }
        carrier::subprotocol(headers)
    }

    /// What the shelf knows a ticket by: its hash, with its route.
    fn print(&self, text: &str) -> Print {
        let mut hash = Context::new(&SHA256);
        let route = self.route.as_str();
        hash.update(&(route.len() as u64).to_be_bytes());
        hash.update(route.as_bytes());
        hash.update(text.as_bytes());
        let mut print = [0; 32];
        print.copy_from_slice(hash.finish().as_ref());
        Print(print)
    }
}

fn random_text() -> Result<String, SessionError> {
    let mut bytes = [0; RANDOM];
    rand::fill(&mut bytes).map_err(|_| SessionError::Down {
        what: "the system",
        outage: Outage::Answer("it gives no random bytes"),
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_ticket(text: &str) -> bool {
    text.len() == LETTERS
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
