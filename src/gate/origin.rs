//! The `Origin` rule: the only defence a websocket has against foreign pages, because browsers
//! send cookies with every one (cross-site websocket hijacking).

use http::HeaderMap;
use http::header::ORIGIN;

use crate::config::{ClientsWithoutOrigin, Route};
use crate::fault::Fault;
use crate::session::Client;

/// Byte-exact comparison; a missing, repeated or `null` origin is foreign.
pub(super) fn admit(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) if route.clients_without_origin == ClientsWithoutOrigin::Bearer => {
            Ok(Client::Program)
        }
        (Some(origin), None) if allowed(route, origin.as_bytes()) => Ok(Client::Browser),
        _ => Err(Fault::ForeignOrigin),
    }
}

fn allowed(route: &Route, origin: &[u8]) -> bool {
    route
        .origins
        .iter()
        .any(|ours| ours.as_str().as_bytes() == origin)
}
