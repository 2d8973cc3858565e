//! `GET` and `POST /api/v1/users`, for a client that may administer them.

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::{
    refusal::{Answer, Refusal, reply},
    shared::Shared,
    upgrade::bearer,
    vault::Purpose,
};
use super::directory::Account;

pub(super) fn find(shared: &Shared, head: &Parts) -> Result<Answer, Refusal> {
    admit(shared, head)?;
    let query = head.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let filter = pairs.find(|(name, _)| name == "filter");
    let subject = filter.and_then(|(_, filter)| subject(&filter));
    let subject = subject.ok_or_else(|| unreadable("The filter cannot be read."))?;
    let found = shared.settings.cloud.directory.spelt_like(&subject);
    let data: Vec<Value> = found.iter().map(Account::json).collect();
    Ok(reply(StatusCode::OK, &json!({ "data": data, "links": {} })))
}

pub(super) fn create(shared: &Shared, head: &Parts, body: &Bytes) -> Result<Answer, Refusal> {
    admit(shared, head)?;
    let body: Value =
        serde_json::from_slice(body).map_err(|_| unreadable("The body cannot be read."))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (Some(subject), Some(name)) = (text("subject"), text("name")) else {
        return Err(unreadable("A user has a subject and a name."));
    };
    let account = Account::new(subject, name, text("email"));
    match shared.settings.cloud.directory.create(&account) {
        Some(account) => Ok(reply(StatusCode::CREATED, &account.json())),
        None => Err(Refusal::plain(StatusCode::CONFLICT).detailed("The user exists.")),
    }
}

fn admit(shared: &Shared, head: &Parts) -> Result<(), Refusal> {
    let grant = bearer(&head.headers).and_then(|token| shared.vault.grant(token));
    match grant {
        Some(grant) if grant.purpose == Purpose::Admin => Ok(()),
        Some(_) => Err(Refusal::plain(StatusCode::FORBIDDEN)),
        None => Err(Refusal::plain(StatusCode::UNAUTHORIZED)),
    }
}

/// The text in `subject eq "…"`, and nothing but that.
fn subject(filter: &str) -> Option<String> {
    let quoted = filter.strip_prefix("subject eq \"")?.strip_suffix('"')?;
    let (mut text, mut rest) = (String::new(), quoted.chars());
    while let Some(character) = rest.next() {
        text.push(match character {
            '"' => return None,
            '\\' => rest.next()?,
            plain => plain,
        });
    }
    Some(text)
}

fn unreadable(why: &str) -> Refusal {
    Refusal::plain(StatusCode::BAD_REQUEST).detailed(why)
}
