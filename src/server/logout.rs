//! `POST {path}/backchannel-logout`: an issuer announces that a session is over (`OpenID` Connect
//! Back-Channel Logout 1.0 section 2.5). No browser comes here, so no `Origin` is asked for; the
//! token's signature is all that counts.

use http::{Method, Request, Response, StatusCode};
use tracing::info;
use url::form_urlencoded;

use super::House;
use super::body::{self, Readable};
use super::reply::{self, Body};
use crate::config::Route;
use crate::fault::{Fault, Faulty};
use crate::session::SessionError;

/// The largest form: one token.
const LARGEST: usize = 16 << 10;
const INVALID: &str = r#"{"error":"invalid_request","error_description":"The logout token is missing or not valid."}"#;

/// Takes a logout. 200 where it was good, whether or not it hit anybody; 400 where it was not.
pub(super) async fn take(
    house: &House,
    route: &Route,
    request: Request<impl Readable>,
) -> Response<Body> {
    if request.method() != Method::POST {
        return reply::method_not_allowed("POST");
    }
    let Some(token) = token(request.into_body()).await else {
        return reply::json(StatusCode::BAD_REQUEST, INVALID);
    };
    match house.gate.log_out(route, token.as_bytes()).await {
        Ok(ended) => {
            info!(route = %route.name, sockets = ended, "logged out by the issuer");
            reply::empty(StatusCode::OK)
        }
        Err(SessionError::Missing) => reply::fault(Fault::NotFound),
        Err(error) => {
            // Anybody can send one, so it is nothing to act on.
            info!(route = %route.name, %error, "a logout was refused");
            match error.fault() {
                Fault::SessionCheckDown => reply::fault(Fault::SessionCheckDown),
                _ => reply::json(StatusCode::BAD_REQUEST, INVALID),
            }
        }
    }
}

async fn token(body: impl Readable) -> Option<String> {
    let form = body::read(body, LARGEST).await?;
    let mut tokens = form_urlencoded::parse(&form).filter(|(name, _)| name == "logout_token");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}
