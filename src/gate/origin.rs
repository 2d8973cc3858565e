//! The `Origin` rule: the only defence a websocket has against foreign pages, because browsers
//! send cookies with every one (cross-site websocket hijacking).

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};

use crate::config::{ClientsWithoutOrigin, Origin, Route};
use crate::fault::Fault;
use crate::session::Client;

/// Where a request comes from, as its browser says (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Byte-exact comparison; a missing, repeated or `null` origin is foreign.
pub(super) fn admit(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) if route.clients_without_origin == ClientsWithoutOrigin::Bearer => {
            Ok(Client::Program)
        }
        (Some(origin), None) if allowed(route, origin.as_bytes()).is_some() => Ok(Client::Browser),
        _ => Err(Fault::ForeignOrigin),
    }
}

/// The same for a plain request that only reads. A page of the proxy's own origin sends none with
/// a GET; its browser then says so in a header that no page can write, and nobody else can read
/// the answer.
pub(super) fn admit_reader(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
    let neighbour = !headers.contains_key(ORIGIN)
        && headers
            .get(SEC_FETCH_SITE)
            .is_some_and(|site| site == "same-origin");
    if neighbour {
        return Ok(Client::Browser);
    }
    admit(route, headers)
}

/// The origin of an admitted browser, in the route's own words: a header's value is a piece of all
/// that came with it, and would keep that for as long as it is kept.
pub(super) fn of(route: &Route, headers: &HeaderMap) -> Option<Origin> {
    let origin = headers.get(ORIGIN)?;
    allowed(route, origin.as_bytes()).cloned()
}

/// Whether a route would still have a socket that came with this `Origin`, or with none.
pub(super) fn admits(route: &Route, origin: Option<&Origin>) -> bool {
    match origin {
        None => route.clients_without_origin == ClientsWithoutOrigin::Bearer,
        Some(origin) => route.origins.contains(origin),
    }
}

fn allowed<'a>(route: &'a Route, origin: &[u8]) -> Option<&'a Origin> {
    let mut origins = route.origins.iter();
    origins.find(|ours| ours.as_str().as_bytes() == origin)
}
