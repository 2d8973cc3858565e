//! The proxy service's API: tickets and sessions for whoever holds the client's certificate.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    estate::{Estate, Named},
    front::plain,
    person::{Newcomer, Person},
    sessions::Session,
    virtual_proxy::Kind,
};
use crate::tenant::{
    falter::falter,
    notices,
    refusal::{Answer, reply, typed},
    server::{Door, dropped},
    shared::Shared,
    wire::Cork,
};

const BODY_LIMIT: usize = 64 * 1024;
const XRFKEY_LENGTH: usize = 16;

pub(super) struct Qps(pub(super) Arc<Estate>);

impl Door for Qps {
    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    async fn answer(&self, _: Cork, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let (head, body) = request.into_parts();
        let shared = &self.0.shared;
        let entry = shared.ledger.enter(&head);
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map_err(|_| dropped())?.to_bytes();
        entry.body(&body);
        if head.method == Method::POST {
            shared.ledger.count(|state| state.token_fetches += 1);
            if let Some(answer) = falter(shared, shared.stage.token()).await? {
                return Ok(answer);
            }
        }
        Ok(answer(&self.0, &head, &body).unwrap_or_else(plain))
    }
}

fn answer(estate: &Estate, head: &Parts, body: &Bytes) -> Result<Answer, StatusCode> {
    if !has_xrfkey(head) {
        let why = "XSRF prevention check failed. Possible XSRF discovered.";
        return Ok(typed(StatusCode::FORBIDDEN, "text/plain", why));
    }
    let (named, rest) = address(estate, head.uri.path())?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (&head.method, rest.as_slice()) {
        (&Method::POST, ["ticket"]) => draw(estate, named, body),
        (&Method::POST, ["session"]) => add(estate, named, body),
        (&Method::GET, ["session", id]) => session(estate, named, id),
        (&Method::DELETE, ["session", id]) => end_session(estate, named, id),
        (&Method::GET, ["user", directory, id]) => {
            let same = belongs_to(named, directory, id);
            Ok(listed(&estate.sessions.alive(same)))
        }
        (&Method::DELETE, ["user", directory, id]) => {
            let same = belongs_to(named, directory, id);
            Ok(listed(&estate.end(notices::LOGGED_OUT, same)))
        }
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// The same sixteen letters or digits in the header and in the query.
fn has_xrfkey(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case("xrfkey"));
    let header = head.headers.get("x-qlik-xrfkey");
    found.is_some_and(|(_, key)| {
        key.len() == XRFKEY_LENGTH
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && header.is_some_and(|header| header.as_bytes() == key.as_bytes())
    })
}

/// The virtual proxy of `/qps/[<prefix>/]<rest>`, and the rest, decoded.
fn address<'a>(estate: &'a Estate, path: &str) -> Result<(&'a Named, Vec<String>), StatusCode> {
    let path = path.strip_prefix("/qps/").ok_or(StatusCode::NOT_FOUND)?;
    let mut segments: Vec<String> = path
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let is_default = matches!(segments[0].as_str(), "ticket" | "session" | "user");
    let prefix = if is_default {
        String::new()
    } else {
        segments.remove(0)
    };
    Ok((
        estate.proxy(&prefix).ok_or(StatusCode::NOT_FOUND)?,
        segments,
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wish {
    user_directory: String,
    user_id: String,
    #[serde(default)]
    attributes: Vec<Value>,
    #[serde(default)]
    session_id: Option<String>,
}

impl Wish {
    fn read(body: &Bytes) -> Result<(Self, Person), StatusCode> {
        let wish: Self = serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)?;
        let person =
            Person::new(&wish.user_directory, &wish.user_id).ok_or(StatusCode::BAD_REQUEST)?;
        Ok((wish, person))
    }
}

fn draw(estate: &Estate, named: &Named, body: &Bytes) -> Result<Answer, StatusCode> {
    let (wish, person) = Wish::read(body)?;
    if !matches!(named.proxy.kind, Kind::Ticket) {
        return Err(StatusCode::BAD_REQUEST);
    }
    estate.count(|tally| tally.tickets_drawn += 1);
    let ticket = estate.shared.vault.plant("ticket");
    let attributes = wish.attributes;
    let body = json!({
        "UserDirectory": person.directory, "UserId": person.id, "Attributes": attributes,
        "Ticket": ticket, "TargetUri": null,
    });
    let newcomer = Newcomer { person, attributes };
    estate.tickets.draw(ticket, &named.prefix, newcomer);
    Ok(reply(StatusCode::CREATED, &body))
}

fn add(estate: &Estate, named: &Named, body: &Bytes) -> Result<Answer, StatusCode> {
    let (wish, person) = Wish::read(body)?;
    let (id, attributes) = (wish.session_id, wish.attributes);
    let id = id.filter(|id| !id.is_empty());
    let id = id.ok_or(StatusCode::BAD_REQUEST)?;
    if !matches!(named.proxy.kind, Kind::Session) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let session = match estate.sessions.find(&named.prefix, &id) {
        Some(session) if session.person == person => session,
        Some(_) => return Err(StatusCode::BAD_REQUEST),
        None => estate.open(named, Newcomer { person, attributes }, Some(id)),
    };
    Ok(reply(StatusCode::CREATED, &told(&session)))
}

fn session(estate: &Estate, named: &Named, id: &str) -> Result<Answer, StatusCode> {
    let found = estate.sessions.find(&named.prefix, id);
    let session = found.ok_or(StatusCode::NOT_FOUND)?;
    Ok(reply(StatusCode::OK, &told(&session)))
}

fn end_session(estate: &Estate, named: &Named, id: &str) -> Result<Answer, StatusCode> {
    let same = |session: &Session| session.prefix == named.prefix && session.id == id;
    let ended = estate.end(notices::CLOSED, same);
    let session = ended.first().ok_or(StatusCode::NOT_FOUND)?;
    Ok(reply(StatusCode::OK, &told(session)))
}

fn belongs_to(named: &Named, directory: &str, id: &str) -> impl Fn(&Session) -> bool {
    let prefix = named.prefix.clone();
    let person = Person::new(directory, id);
    move |session| session.prefix == prefix && Some(&session.person) == person.as_ref()
}

fn listed(sessions: &[Arc<Session>]) -> Answer {
    let all: Vec<Value> = sessions.iter().map(|session| told(session)).collect();
    reply(StatusCode::OK, &json!(all))
}

fn told(session: &Session) -> Value {
    json!({
        "UserDirectory": session.person.directory, "UserId": session.person.id,
        "Attributes": session.attributes, "SessionId": session.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, key: &str) -> Parts {
        let request = Request::get(target).header("X-Qlik-Xrfkey", key).body(());
        request.unwrap().into_parts().0
    }

    #[test]
    fn the_key_is_sixteen_letters_or_digits_twice() {
        let good = "abcdefghij0123KL";
        assert!(has_xrfkey(&head(
            &format!("/qps/ticket?xrfkey={good}"),
            good
        )));
        assert!(has_xrfkey(&head(
            &format!("/qps/ticket?Xrfkey={good}"),
            good
        )));
        for (target, key) in [
            ("/qps/ticket", good),
            ("/qps/ticket?xrfkey=abcdefghij0123KM", good),
            ("/qps/ticket?xrfkey=short", "short"),
            ("/qps/ticket?xrfkey=abcdefghij0123K-", "abcdefghij0123K-"),
        ] {
            assert!(!has_xrfkey(&head(target, key)), "{target}");
        }
    }
}
