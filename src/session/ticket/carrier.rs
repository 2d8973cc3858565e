//! Where a websocket request carries its ticket: a browser can write nothing but the URL and the
//! subprotocols.

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};

use super::super::error::{SessionError, Twice};
use super::is_ticket;
use crate::config::Carrier;

/// The parameter of the URL.
const PARAMETER: &str = "qix-ticket=";
/// What stands before the ticket in a subprotocol.
const PROTOCOL: &str = "qix-ticket.";

/// The one ticket of a request, if there is any.
pub(super) fn find<'a>(
    carriers: &[Carrier],
    query: Option<&'a str>,
    headers: &'a HeaderMap,
) -> Result<Option<&'a str>, SessionError> {
    let takes = |carrier| carriers.contains(&carrier);
    let by_query = in_query(query.unwrap_or_default()).filter(|_| takes(Carrier::Query));
    let by_protocol = in_protocols(headers).filter(|_| takes(Carrier::Subprotocol));
    let mut tickets = by_query.chain(by_protocol);
    let first = tickets.next();
    if tickets.next().is_some() {
        return Err(SessionError::Ambiguous(Twice::Ticket));
    }
    Ok(first)
}

/// The subprotocol that carries a ticket, when it is the only one that does.
pub(super) fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut tickets = in_protocols(headers).filter(|text| is_ticket(text));
    let first = tickets.next()?;
    let alone = tickets.next().is_none();
    let mut value = HeaderValue::from_str(&format!("{PROTOCOL}{first}")).ok()?;
    value.set_sensitive(true);
    alone.then_some(value)
}

/// Not decoded: a ticket has no character that a URL would encode.
fn in_query(query: &str) -> impl Iterator<Item = &str> {
    let pairs = query.split('&');
    pairs.filter_map(|pair| pair.strip_prefix(PARAMETER))
}

fn in_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|item| item.trim().strip_prefix(PROTOCOL))
}
