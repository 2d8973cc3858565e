//! `POST {path}/backchannel-logout`: an issuer announces that a session is over (`OpenID` Connect
//! Back-Channel Logout 1.0 section 2.5). No browser comes here, so no `Origin` is asked for; the
//! token's signature is all that counts. What is no logout counts as a failure of its address; a good one
//! is taken whatever its address did before.

use http::{Method, Request, Response, StatusCode};
use tracing::info;
use url::form_urlencoded;

use super::House;
use super::body::{self, Readable};
use super::peers::Source;
use super::reply::{self, Body};
use crate::config::Route;
use crate::fault::Fault;
use crate::gate::{LoggedOut, Refusal};

/// The largest form: one token.
const LARGEST: usize = 16 << 10;
const INVALID: &str = r#"{"error":"invalid_request","error_description":"The logout token is missing or not valid."}"#;

/// Takes a logout. 200 where it was good, whether or not it hit anybody; 400 where it was not.
pub(super) async fn take(
    house: &House,
    route: &Route,
    source: Source,
    request: Request<impl Readable>,
) -> Response<Body> {
    if request.method() != Method::POST {
        return reply::method_not_allowed("POST");
    }
    // Without a token it is nobody's.
    let token = token(request.into_body()).await.unwrap_or_default();
    let gate = &house.gate;
    match gate.log_out(route, source.address, token.as_bytes()).await {
        Ok(LoggedOut { named, sockets }) => {
            info!(
                client.address = %source.address, route = %route.name, session.hash = named.session,
                subject = named.subject, sockets, "logged out by the issuer"
            );
            reply::empty(StatusCode::OK)
        }
        Err(refusal) => refuse(house, route, source, &refusal),
    }
}

fn refuse(house: &House, route: &Route, source: Source, refusal: &Refusal) -> Response<Body> {
    house.meters.refused(refusal.fault);
    // Anybody can send one, so it is nothing to act on; and beyond the budget it is not said again.
    if matches!(refusal.fault, Fault::BadRequest | Fault::SessionCheckDown) {
        info!(
            client.address = %source.address, route = %route.name, detail = %refusal,
            "a logout was refused"
        );
    }
    match refusal.fault {
        Fault::BadRequest => reply::json(StatusCode::BAD_REQUEST, INVALID),
        _ => reply::refusal(refusal),
    }
}

async fn token(body: impl Readable) -> Option<String> {
    let form = body::read(body, LARGEST).await?;
    let mut tokens = form_urlencoded::parse(&form).filter(|(name, _)| name == "logout_token");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}
