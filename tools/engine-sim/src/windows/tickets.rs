//! Tickets: good once, for a minute, on one virtual proxy.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::person::Newcomer;
use crate::tenant::lock::hold;

const LIFE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

struct Ticket {
    prefix: String,
    newcomer: Newcomer,
    ends: Instant,
}

impl Tickets {
    pub(super) fn draw(&self, text: String, prefix: &str, newcomer: Newcomer) {
        let ticket = Ticket {
            prefix: prefix.to_owned(),
            newcomer,
            ends: Instant::now() + LIFE,
        };
        hold(&self.0).insert(text, ticket);
    }

    pub(super) fn spend(&self, text: &str, prefix: &str) -> Option<Newcomer> {
        let ticket = hold(&self.0).remove(text)?;
        let good = ticket.prefix == prefix && Instant::now() < ticket.ends;
        good.then_some(ticket.newcomer)
    }
}
