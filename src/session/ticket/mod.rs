//! Tickets: a websocket of a page whose cookie cannot reach the proxy, or that holds a bearer
//! token, which no browser puts on a websocket.
//!
//! Somebody whom another check has just found good enters, and gets 256 random bits; once, within
//! seconds, and from the same origin, they open the very session that was found; or, where replicas
//! share their tickets, the one that is found again by what was shown. The text itself is kept
//! nowhere: the shelf has its hash.

mod carrier;
mod door;
mod letter;
mod number;
mod places;
mod shelf;
mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_shared;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use self::number::Number;
use self::shelf::{Found, Holder, Own, Shelf, Stub};
use self::store::Shared;
pub use self::store::TicketStore;
use super::Knock;
use super::error::{Outage, SessionError, Spoilt};
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
    /// The kind of check that takes tickets.
    pub const KIND: &str = "ticket";

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

#[cfg(test)]
impl Ticket {
    pub(crate) fn sample(text: &str) -> Self {
        let (text, life) = (text.to_owned(), Duration::from_secs(30));
        Self { text, life }
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
    /// Prepares the check; its tickets lie in `store`, where replicas share one.
    pub(super) fn new(route: &RouteName, rules: TicketRules, store: Option<&TicketStore>) -> Self {
        let shelf: Box<dyn Shelf> = match store {
            None => Box::new(Own::default()),
            Some(store) => Box::new(Shared::new(store.clone())),
        };
        Self {
            route: route.clone(),
            rules,
            shelf,
        }
    }

    /// Makes a ticket for somebody, for requests of the same origin and, where it is named, for one
    /// app alone.
    async fn issue(
        &self,
        found: Found,
        origin: Option<&HeaderValue>,
        app: Option<AppId>,
    ) -> Result<Ticket, SessionError> {
        let text = random_text()?;
        let life = self.rules.life;
        let stub = Stub {
            holder: found,
            origin: origin.cloned(),
            app,
            until: Instant::now() + life,
        };
        self.shelf.put(self.number(&text), stub).await?;
        Ok(Ticket { text, life })
    }

    /// The ticket that a websocket request brings.
    pub(super) fn shown<'a>(&self, knock: Knock<'a>) -> Result<Option<&'a str>, SessionError> {
        match knock.upgrade {
            Some(upgrade) => carrier::find(&self.rules.carriers, upgrade.query, knock.headers),
            None => Ok(None),
        }
    }

    /// Takes the ticket of a websocket request, good or not: nobody can use it again. `None` when
    /// there is none.
    async fn take(&self, knock: Knock<'_>) -> Result<Option<Stub<Holder>>, SessionError> {
        let Some(upgrade) = knock.upgrade else {
            return Ok(None);
        };
        let Some(text) = self.shown(knock)? else {
            return Ok(None);
        };
        if !is_ticket(text) {
            return Err(Spoilt::Malformed.into());
        }
        let stub = self.shelf.take(self.number(text)).await?;
        let stub = stub.filter(|stub| stub.until > Instant::now());
        let stub = stub.ok_or(Spoilt::Unknown)?;
        if stub.origin.as_ref() != knock.headers.get(ORIGIN) {
            return Err(Spoilt::Origin.into());
        }
        if let Some(app) = &stub.app
            && app.as_str() != upgrade.document
        {
            return Err(Spoilt::App.into());
        }
        Ok(Some(stub))
    }

    /// The subprotocol to answer with: a browser lets go of a socket that does not name the one
    /// it asked for.
    pub(super) fn subprotocol(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if !self.rules.carriers.contains(&Carrier::Subprotocol) {
            return None;
        }
        carrier::subprotocol(headers)
    }

    fn number<'a>(&'a self, text: &'a str) -> Number<'a> {
        let route = &self.route;
        Number { route, text }
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
