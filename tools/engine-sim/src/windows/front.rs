//! The proxy's front door: virtual proxies by the first segment of the path.

use std::{io, sync::Arc};

use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{LOCATION, SET_COOKIE},
    request::Parts,
};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    admission,
    estate::{Estate, Named},
    guest::{self, Asking, Guest},
    sessions::Session,
    virtual_proxy::{Gives, Kind},
};
use crate::tenant::{
    control,
    falter::falter,
    notices,
    refusal::{Answer, reply, typed},
    server::Door,
    shared::Shared,
    upgrade::{self, Arriving},
    wire::Cork,
};

const CSRF: HeaderName = HeaderName::from_static("qlik-csrf-token");

pub(super) struct Front(pub(super) Arc<Estate>);

impl Door for Front {
    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    async fn answer(&self, cork: Cork, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let estate = &self.0;
        if request.uri().path().starts_with("/__sim/") {
            return Ok(command(estate, request).await);
        }
        let (head, body) = request.into_parts();
        let entry = estate.shared.ledger.enter(&head);
        let Some((named, rest)) = resolve(estate, head.uri.path()) else {
            return Ok(plain(StatusCode::NOT_FOUND));
        };
        if !named.proxy.linked {
            return Ok(plain(StatusCode::BAD_REQUEST));
        }
        if rest.starts_with("/app/") {
            let arriving = Arriving {
                entry,
                cork,
                request: Request::from_parts(head, body),
            };
            let answer = upgrade::respond(&estate.shared, arriving, |request| {
                admission::admit(estate, named, request)
            });
            return Ok(answer.await?.unwrap_or_else(plain));
        }
        visit(estate, named, rest, &head).await
    }
}

/// The virtual proxy of a path, and the path behind its prefix.
pub(super) fn resolve<'a, 'p>(estate: &'a Estate, path: &'p str) -> Option<(&'a Named, &'p str)> {
    let first = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    match estate.proxy(first) {
        Some(named) if !first.is_empty() => Some((named, &path[1 + first.len()..])),
        _ => Some((estate.proxy("")?, path)),
    }
}

async fn visit(
    estate: &Estate,
    named: &Named,
    rest: &str,
    head: &Parts,
) -> Result<Answer, io::Error> {
    let asking = Asking::from(head);
    match (&head.method, rest) {
        (&Method::GET, "/qps/csrftoken") => bootstrap(estate, named, asking).await,
        (&Method::GET, "/qps/user") => Ok(whoami(estate, named, asking)),
        (&Method::DELETE, "/qps/user") => Ok(log_out(estate, named, asking)),
        (&Method::GET, _) => Ok(page(estate, named, asking)),
        _ => Ok(plain(StatusCode::NOT_FOUND)),
    }
}

/// The first phase: a credential for a cookie and its csrf token.
async fn bootstrap(
    estate: &Estate,
    named: &Named,
    asking: Asking<'_>,
) -> Result<Answer, io::Error> {
    let shared = &estate.shared;
    shared.ledger.count(|state| state.token_fetches += 1);
    estate.count(|tally| tally.bootstraps += 1);
    if let Some(answer) = falter(shared, shared.stage.token()).await? {
        return Ok(answer);
    }
    if asking
        .origin()
        .is_some_and(|origin| !admission::is_listed(named, origin))
    {
        return Ok(plain(StatusCode::FORBIDDEN));
    }
    let Some(guest) = guest::known(estate, named, asking) else {
        return Ok(stranger(named, asking));
    };
    let mut answer = plain(StatusCode::NO_CONTENT);
    let gives = named.proxy.gives;
    if let (Ok(token), true) = (
        HeaderValue::from_str(&guest.session().csrf),
        gives != Gives::CookieAlone,
    ) {
        answer.headers_mut().insert(CSRF, token);
    }
    Ok(if gives == Gives::TokenAlone {
        answer
    } else {
        with_cookie(answer, named, &guest)
    })
}

fn whoami(estate: &Estate, named: &Named, asking: Asking<'_>) -> Answer {
    match guest::by_cookie(estate, named, asking) {
        Some(session) => {
            let person = &session.person;
            let body = json!({
                "session": "active", "userDirectory": person.directory, "userId": person.id,
            });
            reply(StatusCode::OK, &body)
        }
        None => reply(StatusCode::OK, &json!({ "session": "inactive" })),
    }
}

fn log_out(estate: &Estate, named: &Named, asking: Asking<'_>) -> Answer {
    if let Some(session) = guest::by_cookie(estate, named, asking) {
        let same =
            |other: &Session| other.prefix == session.prefix && other.person == session.person;
        estate.end(notices::LOGGED_OUT, same);
    }
    reply(StatusCode::OK, &json!({ "session": "inactive" }))
}

/// Any other URL takes a credential and gives its cookie.
fn page(estate: &Estate, named: &Named, asking: Asking<'_>) -> Answer {
    match guest::known(estate, named, asking) {
        Some(guest) => {
            let answer = typed(
                StatusCode::OK,
                "text/html",
                "<!doctype html><title>Hub</title>",
            );
            with_cookie(answer, named, &guest)
        }
        None => stranger(named, asking),
    }
}

fn stranger(named: &Named, asking: Asking<'_>) -> Answer {
    if matches!(named.proxy.kind, Kind::Jwt(_)) {
        return plain(StatusCode::UNAUTHORIZED);
    }
    let mut answer = plain(StatusCode::FOUND);
    let login = format!(
        "/internal_forms_authentication/?targetUri={}",
        asking.uri.path()
    );
    if let Ok(login) = HeaderValue::from_str(&login) {
        answer.headers_mut().insert(LOCATION, login);
    }
    answer
}

/// Sets the session's cookie when the session was just opened.
pub(super) fn with_cookie(mut answer: Answer, named: &Named, guest: &Guest) -> Answer {
    if let Guest::New(session) = guest {
        let cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax",
            named.cookie, session.id
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    answer
}

async fn command(estate: &Estate, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/__sim/tally") => reply(StatusCode::OK, &json!(estate.tally())),
        (&Method::GET, "/__sim/sessions") => reply(StatusCode::OK, &json!(estate.sessions.list())),
        (&Method::POST, "/__sim/forget-sessions") => {
            estate.sessions.forget();
            reply(StatusCode::OK, &json!({}))
        }
        (&Method::POST, "/__sim/reset") => {
            estate.reset();
            reply(StatusCode::OK, &json!({}))
        }
        _ => control::answer(&estate.shared, &head, body).await,
    }
}

/// A status, and a page that says no more.
pub(super) fn plain(status: StatusCode) -> Answer {
    typed(status, "text/html", "")
}
