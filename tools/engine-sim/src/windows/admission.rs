//! Who may open a websocket through a virtual proxy, and the first words they hear.

use http::{Request, StatusCode, header::AUTHORIZATION};
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::Url;

use super::{
    estate::{Estate, Named},
    front::{resolve, with_cookie},
    guest::{self, Asking, Guest},
    virtual_proxy::{Kind, Release, Strangers},
};
use crate::{
    engine::SessionKey,
    tenant::{
        manner::{Manner, Pinged, Then},
        notices,
        place::Place,
        upgrade::{Visit, shake_hands},
    },
};

/// Lets a websocket in, or says with which status it is refused.
pub(super) fn admit(
    estate: &Estate,
    named: &Named,
    request: &Request<Incoming>,
) -> Result<Visit, StatusCode> {
    let place = resolve(estate, request.uri().path()).and_then(|(_, rest)| Place::parse(rest));
    let place = place.ok_or(StatusCode::NOT_FOUND)?;
    let answer = shake_hands(request).map_err(|_| StatusCode::UPGRADE_REQUIRED)?;
    let asking = Asking::from(request);
    let guest = match named.proxy.release {
        Release::November2024 => Some(guarded(estate, named, asking)?),
        Release::Before2024 => lenient(estate, named, asking)?,
    };
    let user = guest.as_ref().map_or_else(
        || "nobody".to_owned(),
        |guest| guest.session().person.engine_name(),
    );
    let answer = match &guest {
        Some(guest) => with_cookie(answer, named, guest),
        None => answer,
    };
    Ok(Visit {
        key: SessionKey {
            user,
            app: place.app,
            identity: place.identity,
        },
        ttl: place.ttl,
        answer,
        manner: manner(estate, named, asking, guest.as_ref()),
    })
}

/// Whether the Host allow list has the host of an `Origin`.
pub(super) fn is_listed(named: &Named, origin: &str) -> bool {
    let url = Url::parse(origin).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| {
        named
            .hosts
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(host))
    })
}

/// The rules of November 2024: every one of them, and no bearer.
fn guarded(estate: &Estate, named: &Named, asking: Asking<'_>) -> Result<Guest, StatusCode> {
    let by_bearer =
        matches!(named.proxy.kind, Kind::Jwt(_)) && asking.headers.contains_key(AUTHORIZATION);
    let listed = asking
        .origin()
        .is_some_and(|origin| is_listed(named, origin));
    if by_bearer || !listed {
        return Err(StatusCode::FORBIDDEN);
    }
    let session = guest::by_cookie(estate, named, asking).ok_or(StatusCode::FORBIDDEN)?;
    if asking.pair("qlik-csrf-token").as_deref() != Some(session.csrf.as_str()) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(Guest::Known(session))
}

/// The rules before: a foreign `Origin` is refused, and a bad JWT; other strangers are let in, to
/// be asked who they are.
fn lenient(
    estate: &Estate,
    named: &Named,
    asking: Asking<'_>,
) -> Result<Option<Guest>, StatusCode> {
    if asking
        .origin()
        .is_some_and(|origin| !is_listed(named, origin))
    {
        return Err(StatusCode::FORBIDDEN);
    }
    let guest = guest::known(estate, named, asking);
    let refused = named.proxy.strangers == Strangers::Refused
        || (matches!(named.proxy.kind, Kind::Jwt(_)) && asking.headers.contains_key(AUTHORIZATION));
    if guest.is_none() && refused {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(guest)
}

fn manner(estate: &Estate, named: &Named, asking: Asking<'_>, guest: Option<&Guest>) -> Manner {
    let mut manner = Manner {
        speaks: named.proxy.speaks,
        pinged: Pinged::Wedges,
        ..Manner::default()
    };
    let Some(guest) = guest else {
        estate.count(|tally| tally.sockets_asked += 1);
        manner.preface = Some(must_authenticate(estate, asking));
        manner.then = Then::Silence;
        return manner;
    };
    let session = guest.session();
    if estate.sessions.rank(session) >= estate.limit {
        estate.count(|tally| tally.sockets_over_limit += 1);
        let (method, message) = notices::PARALLEL_SESSIONS;
        manner.preface = Some(notices::fatal(method, message));
        manner.then = Then::Close;
        return manner;
    }
    manner.preface = Some(authenticated(estate, named, guest));
    manner.ending = Some(session.ending());
    manner
}

/// Built from the request's `Origin`, as the real one is.
fn must_authenticate(estate: &Estate, asking: Asking<'_>) -> Value {
    let origin = asking.origin().unwrap_or("https://qlik.example");
    let target = estate.shared.vault.plant("login");
    let login = format!("{origin}/internal_forms_authentication/?targetUri={target}");
    information(&json!({ "loginUri": login, "mustAuthenticate": true }))
}

fn authenticated(estate: &Estate, named: &Named, guest: &Guest) -> Value {
    let person = &guest.session().person;
    let logout = &estate.logout;
    information(&json!({
        "userId": person.id, "userDirectory": person.directory,
        "logoutUri": format!("https://qlik.example/{}/qps/user?{logout}", named.prefix),
        "serverNodeId": "", "mustAuthenticate": false,
    }))
}

fn information(params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": "OnAuthenticationInformation", "params": params })
}
