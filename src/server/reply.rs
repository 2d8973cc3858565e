//! Plain HTTP answers: faults as small JSON, and the few things that the client libraries fetch
//! beside the websocket. None of them depends on a session, and none comes from Qlik.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_VERSION, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::body::Readable;
use super::login;
use crate::config::Route;
use crate::fault::Fault;
use crate::gate::{Gate, Refusal};
use crate::route::Door;
use crate::session::Client;

/// The body of every answer.
pub(super) type Body = Full<Bytes>;

const CSRF_TOKEN: HeaderName = HeaderName::from_static("qlik-csrf-token");
/// What @qlik/api and @qlik/sdk put on their requests (seen in their sources).
const ASKED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, qlik-api-version, qlik-csrf-token, qlik-web-integration-id, x-proxy-session-passive",
);

/// A fault over HTTP.
pub(super) fn fault(fault: Fault) -> Response<Body> {
    let answer = fault.answer();
    let body = serde_json::json!({ "error": answer.label, "message": answer.text });
    let mut response = json(answer.status, &body.to_string());
    // What the answer is not whole without.
    let wanting = match answer.status {
        StatusCode::UPGRADE_REQUIRED => Some((SEC_WEBSOCKET_VERSION, "13")),
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET")),
        _ => None,
    };
    if let Some((name, value)) = wanting {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A method that a path does not take, and those that it does.
pub(super) fn method_not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = fault(Fault::MethodNotAllowed);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// A refusal over HTTP.
pub(super) fn refusal(refusal: &Refusal) -> Response<Body> {
    let mut response = fault(refusal.fault);
    if let Some(wait) = refusal.retry_after {
        // Whole seconds, and not too few.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What stands beside the websocket and needs nobody's leave.
///
/// @qlik/api asks for a CSRF token before it opens a socket, decides by `product-info.json` what
/// kind of Qlik it talks to, and resumes only where `user-locale` answers JSON; HTML or a 401 in
/// any of these places breaks it.
pub(super) fn small(
    route: &Route,
    door: &Door,
    request: &Request<impl Readable>,
) -> Response<Body> {
    let response = match (request.method(), door) {
        (&Method::OPTIONS, _) => empty(StatusCode::NO_CONTENT),
        (_, Door::BackchannelLogout | Door::Engine(_) | Door::Nothing) => fault(Fault::NotFound),
        (&Method::GET, Door::Login) => login::redirect(route, request.uri().query()),
        (&Method::GET, Door::CsrfToken) => csrf_token(),
        (&Method::GET, Door::ProductInfo) => json(
            StatusCode::OK,
            r#"{"composition":{"productName":"Qlik","releaseLabel":"-"}}"#,
        ),
        (&Method::GET, Door::UserLocale) => json(StatusCode::OK, r#"{"locale":"en-US"}"#),
        _ => method_not_allowed("GET, OPTIONS"),
    };
    shared(response, route, door, request.headers())
}

/// The answer of a door, with what lets the route's own pages read it.
pub(super) fn shared(
    mut response: Response<Body>,
    route: &Route,
    door: &Door,
    asked: &HeaderMap,
) -> Response<Body> {
    let methods = HeaderValue::from_static(match door {
        Door::Session => "GET, POST, OPTIONS",
        Door::Ticket => "POST, OPTIONS",
        _ => "GET, OPTIONS",
    });
    let headers = response.headers_mut();
    if headers.contains_key(ALLOW) {
        headers.insert(ALLOW, methods.clone());
    }
    headers.insert(VARY, HeaderValue::from_static("origin"));
    share(route, methods, asked, headers);
    response
}

/// The real defence is the `Origin` rule at the upgrade; the libraries only want a token to carry.
fn csrf_token() -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    response
        .headers_mut()
        .insert(CSRF_TOKEN, HeaderValue::from_static("none"));
    response
}

/// Lets the route's own origins read the answer, and no other.
fn share(route: &Route, methods: HeaderValue, asked: &HeaderMap, answer: &mut HeaderMap) {
    let (Ok(Client::Browser), Some(origin)) = (Gate::admit(route, asked), asked.get(ORIGIN)) else {
        return;
    };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answer.insert(
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, ASKED_HEADERS);
    answer.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("qlik-csrf-token, retry-after"),
    );
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

pub(super) fn json(status: StatusCode, body: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    plain(response)
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    plain(response)
}

/// An answer ends its connection: a client that sends many requests and reads nothing would hold a
/// seat for ever, as nothing limits how long an answer waits. A single one always fits the socket.
fn plain(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_its_connection() {
        for response in [fault(Fault::NotFound), empty(StatusCode::NO_CONTENT)] {
            assert_eq!(response.headers()[CONNECTION], "close");
        }
    }
}
