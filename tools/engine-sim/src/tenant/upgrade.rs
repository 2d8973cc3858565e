//! `/app/…`: who may open a websocket, and all the ways in which an upgrade can go wrong.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        AUTHORIZATION, CONNECTION, LOCATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, SET_COOKIE, UPGRADE,
    },
};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::form_urlencoded;

use super::{
    cloud,
    ledger::Entry,
    live::{self, Arrival, Greeting},
    manner::Manner,
    place::Place,
    refusal::{Answer, Refusal, typed},
    script::UpgradeFault,
    server,
    shared::Shared,
    vault::Purpose,
    wire::Cork,
};
use crate::engine::SessionKey;

/// Answers an upgrade, or drops it when the script says so.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    entry: Entry,
    cork: Cork,
    request: Request<Incoming>,
) -> Result<Answer, io::Error> {
    let arriving = Arriving {
        entry,
        cork,
        request,
    };
    let answer = respond(shared, arriving, |request| accept(shared, request)).await?;
    let mut answer = answer.unwrap_or_else(|refusal| refusal.answer(shared.vault.trace()));
    mark(shared, answer.headers_mut());
    Ok(answer)
}

/// A request for a websocket, and where it is noted.
pub(crate) struct Arriving {
    pub(crate) entry: Entry,
    pub(crate) cork: Cork,
    pub(crate) request: Request<Incoming>,
}

/// Lets the script have its way, then asks `accept`, and holds the conversation of who is let in.
pub(crate) async fn respond<R>(
    shared: &Arc<Shared>,
    arriving: Arriving,
    accept: impl FnOnce(&Request<Incoming>) -> Result<Visit, R>,
) -> Result<Result<Answer, R>, io::Error> {
    let fault = shared.stage.upgrade();
    if let Some(answer) = stumble(shared, fault.as_ref()).await? {
        return Ok(Ok(answer));
    }
    let Arriving {
        entry,
        cork,
        request,
    } = arriving;
    Ok(accept(&request).map(|mut visit| {
        let answer = std::mem::take(&mut visit.answer);
        let arrival = visit.arrival(entry, cork, fault.as_ref());
        let upgrade = hyper::upgrade::on(request);
        let conversation = live::converse(Arc::clone(shared), upgrade, arrival);
        shared.tasks.spawn(conversation);
        twist(answer, fault.as_ref())
    }))
}

/// The faults that need no handshake; `None` when the upgrade goes on.
async fn stumble(
    shared: &Shared,
    fault: Option<&UpgradeFault>,
) -> Result<Option<Answer>, io::Error> {
    Ok(match fault {
        Some(UpgradeFault::Silence) => match server::never(shared).await? {},
        Some(UpgradeFault::Drop) => return Err(server::dropped()),
        Some(UpgradeFault::Delay { ms }) => {
            sleep(Duration::from_millis(*ms)).await;
            None
        }
        Some(UpgradeFault::Hold) => {
            shared.release.notified().await;
            None
        }
        Some(UpgradeFault::Refuse { status, body }) => {
            let body = body.clone().unwrap_or_else(|| shared.vault.plant("body"));
            let status = StatusCode::from_u16(*status);
            Some(typed(
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                "text/plain",
                body,
            ))
        }
        Some(UpgradeFault::NoUpgrade) => Some(typed(
            StatusCode::OK,
            "text/html",
            shared.vault.plant("body"),
        )),
        Some(UpgradeFault::Redirect { location }) => Some(redirect(location)),
        _ => None,
    })
}

fn redirect(location: &str) -> Answer {
    let mut answer = typed(StatusCode::FOUND, "text/plain", Bytes::new());
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// The faults of the 101 itself.
fn twist(mut answer: Answer, fault: Option<&UpgradeFault>) -> Answer {
    let (name, value) = match fault {
        Some(UpgradeFault::WrongAccept) => (SEC_WEBSOCKET_ACCEPT, derive_accept_key(b"wrong")),
        Some(UpgradeFault::UnofferedProtocol) => (SEC_WEBSOCKET_PROTOCOL, "unoffered".to_owned()),
        Some(UpgradeFault::UnofferedExtension) => {
            (SEC_WEBSOCKET_EXTENSIONS, "x-unoffered".to_owned())
        }
        _ => return answer,
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Every answer carries canaries where a real one carries what no browser may see.
fn mark(shared: &Shared, headers: &mut HeaderMap) {
    let cookie = format!("X-Qlik-Session={}; Path=/; HttpOnly", shared.vault.cookie());
    for (name, value) in [
        (SET_COOKIE, cookie),
        (
            HeaderName::from_static("x-request-id"),
            shared.vault.trace().to_owned(),
        ),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// An upgrade that was accepted.
pub(crate) struct Visit {
    pub(crate) key: SessionKey,
    pub(crate) ttl: Duration,
    pub(crate) answer: Answer,
    pub(crate) manner: Manner,
}

impl Visit {
    fn arrival(self, entry: Entry, cork: Cork, fault: Option<&UpgradeFault>) -> Arrival {
        let greeting = match fault {
            Some(UpgradeFault::EarlyGreeting) => Greeting::Early,
            Some(UpgradeFault::NoGreeting) => Greeting::Never,
            _ => Greeting::Prompt,
        };
        if greeting == Greeting::Early {
            cork.put_in();
        }
        Arrival {
            key: self.key,
            ttl: self.ttl,
            entry,
            cork,
            greeting,
            manner: self.manner,
        }
    }
}

fn accept(shared: &Shared, request: &Request<Incoming>) -> Result<Visit, Refusal> {
    let place = Place::parse(request.uri().path());
    let place = place.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND))?;
    let user = admit(shared, request).ok_or_else(|| Refusal::plain(StatusCode::UNAUTHORIZED))?;
    let answer = shake_hands(request)?;
    let key = SessionKey {
        user,
        app: place.app,
        identity: place.identity,
    };
    Ok(Visit {
        key,
        ttl: place.ttl,
        answer,
        manner: Manner::default(),
    })
}

/// The user that the request's bearer stands for.
fn admit(shared: &Shared, request: &Request<Incoming>) -> Option<String> {
    if shared.settings.open {
        return Some("anonymous".to_owned());
    }
    if let Some(bearer) = bearer(request.headers()) {
        return by_header(shared, bearer);
    }
    let query = request.uri().query()?;
    if let Some(user) = cloud::admit(shared, request.headers(), query) {
        return Some(user);
    }
    let token = exchanged(query)?;
    let grant = shared.vault.grant(&token)?;
    (grant.purpose == Purpose::Websocket).then_some(grant.user)
}

fn by_header(shared: &Shared, bearer: &str) -> Option<String> {
    if shared.settings.knows_key(bearer) {
        return Some("api-key".to_owned());
    }
    let grant = shared.vault.grant(bearer)?;
    let taken = matches!(grant.purpose, Purpose::Machine | Purpose::Person);
    taken.then_some(grant.user)
}

/// The bearer of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn exchanged(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "accessToken")
        .map(|(_, value)| value.into_owned())
}

/// The 101 to a request for a websocket.
pub(crate) fn shake_hands(request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let says = |name: HeaderName, word: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    let key = request.headers().get(SEC_WEBSOCKET_KEY);
    match key {
        Some(key)
            if request.method() == Method::GET
                && says(CONNECTION, "upgrade")
                && says(UPGRADE, "websocket")
                && says(SEC_WEBSOCKET_VERSION, "13") =>
        {
            Ok(switch(key))
        }
        _ => Err(Refusal::plain(StatusCode::UPGRADE_REQUIRED)),
    }
}

fn switch(key: &HeaderValue) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}
