//! `POST {path}/ticket`: a page whose cookie or bearer cannot go with a websocket gets a ticket
//! that can, in its URL or as its subprotocol.

use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tracing::{debug, info};

use super::House;
use super::body::{self, Readable};
use super::peers::Source;
use super::reply::{self, Body};
use crate::config::Route;
use crate::fault::Fault;
use crate::gate::{Asker, Gate, Refusal};
use crate::id::AppId;
use crate::qix::{is_app_id, is_session_app};
use crate::route::Door;

/// The largest request body: an app's name.
const LARGEST: usize = 1 << 10;

/// Gives a ticket, or says why not. The `Origin` is looked at before anything else.
pub(super) async fn answer(
    house: &House,
    route: &Route,
    source: Source,
    request: Request<impl Readable>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let admitted = match head.method {
        Method::POST if house.gate.has_tickets(route) => Gate::admit(route, &head.headers),
        Method::POST => Err(Fault::NotFound),
        _ => Err(Fault::MethodNotAllowed),
    };
    let asker = admitted.map(|client| Asker {
        address: source.address,
        peer: source.peer,
        client,
        headers: &head.headers,
    });
    let given = match asker {
        Ok(asker) => give(house, route, asker, body).await,
        Err(fault) => Err(fault.into()),
    };
    let response = given.unwrap_or_else(|refusal| {
        let reason = refusal.fault.answer().label;
        house.meters.refused(refusal.fault);
        info!(
            client.address = %source.address, route = %route.name, reason, detail = %refusal,
            "ticket refused"
        );
        reply::refusal(&refusal)
    });
    reply::shared(response, route, &Door::Ticket, &head.headers)
}

async fn give(
    house: &House,
    route: &Route,
    asker: Asker<'_>,
    body: impl Readable,
) -> Result<Response<Body>, Refusal> {
    let app = asked_app(body).await.ok_or(Fault::BadRequest)?;
    let ticket = house.gate.ticket(route, asker, app).await?;
    debug!(route = %route.name, "a ticket is given");
    let given = json!({ "ticket": ticket.expose(), "expires_in": ticket.life().as_secs() });
    Ok(reply::json(StatusCode::OK, &given.to_string()))
}

/// What a page asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    app: Option<String>,
}

/// The app that is asked for, if any; `None` when the request cannot be understood.
async fn asked_app(body: impl Readable) -> Option<Option<AppId>> {
    let body = body::read(body, LARGEST).await?;
    if body.is_empty() {
        return Some(None);
    }
    let Ask { app } = serde_json::from_slice(&body).ok()?;
    match app {
        Some(app) if is_app_id(&app) && !is_session_app(&app) => Some(Some(AppId::new(app))),
        Some(_) => None,
        None => Some(None),
    }
}
