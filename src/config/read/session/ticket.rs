//! `kind = "ticket"`: a ticket that the proxy itself gave.

use std::time::Duration;

use crate::config::defaults;
use crate::config::model::TicketRules;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{OneOrMore, Positive};

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// A ticket.
pub(super) fn ticket(t: &mut Table<'_>) -> Result<TicketRules, Noted> {
    let life = t.or(
        "life",
        Positive(defaults::TICKET_LIFE),
        "How long a ticket is good: 30 s at most.",
    );
    let carriers = t.or(
        "carriers",
        OneOrMore(defaults::CARRIERS.to_vec()),
        "Where a websocket request may carry it: \"query\" (`?qix-ticket=…`), \"subprotocol\" \
         (`qix-ticket.…`).",
    );
    let Positive(life) = life?;
    if !(SHORTEST..=LONGEST).contains(&life) {
        let what = "a ticket is good for 1 s to 30 s: a page opens its websocket at once";
        return Err(t.refuse("life", what, "write \"30s\" or less"));
    }
    let OneOrMore(carriers) = carriers?;
    Ok(TicketRules { life, carriers })
}
