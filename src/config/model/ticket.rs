//! Tickets.

use std::time::Duration;

/// `kind = "ticket"`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TicketRules {
    /// How long a ticket is good, 1 s to 30 s (default 30 s).
    pub life: Duration,
    /// Where a websocket request may carry it, never empty (default both).
    pub carriers: Vec<Carrier>,
}

/// Where a websocket request carries a ticket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// `?qix-ticket=…`.
    Query,
    /// The subprotocol `qix-ticket.…`.
    Subprotocol,
}
