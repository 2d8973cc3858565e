//! `[[route.session]]`: who is this?

mod forward_auth;
mod jwt;
mod redis;
mod rhythm;
mod ticket;

use crate::config::model::{ClientsWithoutOrigin, SessionCheck};
use crate::config::notes::Noted;
use crate::config::table::{Reader, Table};

const LATER: [&str; 2] = ["introspection", "trusted-header"];

/// One way to know a session.
pub(super) fn check(
    t: &mut Table<'_>,
    clients: Result<ClientsWithoutOrigin, Noted>,
) -> Result<SessionCheck, Noted> {
    let readers = [
        Reader {
            name: "jwt",
            doc: "A signed token, in a cookie or (without Origin) as a bearer.",
            read: &|t| jwt::jwt(t, clients).map(SessionCheck::Jwt),
        },
        Reader {
            name: "forward-auth",
            doc: "The app's own endpoint is asked.",
            read: &|t| forward_auth::forward_auth(t).map(SessionCheck::ForwardAuth),
        },
        Reader {
            name: "redis",
            doc: "The app's own session store is asked.",
            read: &|t| redis::redis(t).map(SessionCheck::Redis),
        },
        Reader {
            name: "ticket",
            doc: "A ticket from `{path}/ticket`, given to whom another check of the route knows.",
            read: &|t| ticket::ticket(t).map(SessionCheck::Ticket),
        },
    ];
    t.kind(&readers, &LATER)
}
