//! `{path}/session`: who am I, and until when; and a POST lets open sockets go on with a token that
//! was issued anew. What a page learns here it could learn from its app;
//! nothing of the session's claims or of its id is said.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tracing::debug;

use super::House;
use super::reply::{self, Body};
use crate::config::Route;
use crate::fault::Fault;
use crate::gate::{Gate, Refusal};
use crate::route::Door;
use crate::session::{Knock, Session};

/// Answers a request about the sender's own session.
pub(super) async fn answer(
    house: &House,
    route: &Route,
    address: IpAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let headers = request.headers();
    let answered = match *request.method() {
        Method::GET => read(house, route, address, headers).await,
        Method::POST => renew(house, route, address, headers).await,
        _ => Err(Fault::MethodNotAllowed.into()),
    };
    let response = answered.unwrap_or_else(|refusal| {
        debug!(route = %route.name, detail = %refusal, "no session to tell of");
        reply::fault(refusal.fault)
    });
    reply::shared(response, route, &Door::Session, headers)
}

async fn read(
    house: &House,
    route: &Route,
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let client = Gate::admit_reader(route, headers)?;
    let knock = Knock {
        headers,
        client,
        address,
        upgrade: None,
    };
    let session = house.gate.recognise(route, knock).await?;
    Ok(reply::json(StatusCode::OK, &told(&session).to_string()))
}

/// The app has issued a token anew: the page shows it, and its sockets go on.
async fn renew(
    house: &House,
    route: &Route,
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let client = Gate::admit(route, headers)?;
    let knock = Knock {
        headers,
        client,
        address,
        upgrade: None,
    };
    let (session, renewed) = house.gate.renew(route, knock).await?;
    let mut told = told(&session);
    told["renewed"] = json!(renewed);
    Ok(reply::json(StatusCode::OK, &told.to_string()))
}

/// What its owner may know of a session.
fn told(session: &Session) -> serde_json::Value {
    json!({
        "session": true,
        "subject": session.person().subject().as_str(),
        "expires_at": session.expires_at(),
    })
}
