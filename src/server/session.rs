//! `{path}/session`: who am I, and until when; and a POST lets open sockets go on with a token that
//! was issued anew. What a page learns here it could learn from its app; nothing of the session's
//! claims or of its id is said.

use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tracing::debug;

use super::House;
use super::body::Readable;
use super::peers::Source;
use super::reply::{self, Body};
use crate::config::Route;
use crate::fault::Fault;
use crate::gate::{Asker, Gate, Refusal};
use crate::route::Door;
use crate::session::Session;

/// Answers a request about the sender's own session.
pub(super) async fn answer(
    house: &House,
    route: &Route,
    source: Source,
    request: Request<impl Readable>,
) -> Response<Body> {
    let (head, _body) = request.into_parts();
    let headers = &head.headers;
    let admitted = match head.method {
        Method::GET => Gate::admit_reader(route, headers),
        Method::POST => Gate::admit(route, headers),
        _ => Err(Fault::MethodNotAllowed),
    };
    let asker = admitted.map(|client| Asker {
        address: source.address,
        peer: source.peer,
        client,
        headers,
    });
    let told = match asker {
        Ok(asker) if head.method == Method::POST => renew(house, route, asker).await,
        Ok(asker) => read(house, route, asker).await,
        Err(fault) => Err(fault.into()),
    };
    let response = match told {
        Ok(told) => reply::json(StatusCode::OK, &told.to_string()),
        Err(refusal) => {
            house.meters.refused(refusal.fault);
            debug!(route = %route.name, detail = %refusal, "no session to tell of");
            reply::refusal(&refusal)
        }
    };
    reply::shared(response, route, &Door::Session, headers)
}

async fn read(house: &House, route: &Route, asker: Asker<'_>) -> Result<Value, Refusal> {
    let session = house.gate.recognise(route, asker).await?;
    Ok(told(&session))
}

/// The app has issued a token anew: the page shows it, and its sockets go on.
async fn renew(house: &House, route: &Route, asker: Asker<'_>) -> Result<Value, Refusal> {
    let (session, renewed) = house.gate.renew(route, asker).await?;
    let mut told = told(&session);
    told["renewed"] = json!(renewed);
    Ok(told)
}

/// What its owner may know of a session.
fn told(session: &Session) -> Value {
    json!({
        "session": true,
        "subject": session.person().subject().as_str(),
        "expires_at": session.expires_at(),
    })
}
