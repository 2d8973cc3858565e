//! A token request's body, JSON or form, and the client it speaks for.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Parts,
};
use serde_json::{Map, Value};

use super::super::refusal::Refusal;

/// What the request asks for.
pub(super) struct Form {
    fields: Map<String, Value>,
    pub(super) client: String,
    pub(super) secret: String,
}

/// By what an impersonated user is looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    Subject,
    UserId,
}

impl Form {
    pub(super) fn read(head: &Parts, body: &Bytes) -> Result<Self, Refusal> {
        let fields = fields(head, body).ok_or_else(|| unreadable("The body cannot be read."))?;
        let text = |name: &str| field(&fields, name).to_owned();
        let (client, secret) =
            basic(head).unwrap_or_else(|| (text("client_id"), text("client_secret")));
        Ok(Self {
            fields,
            client,
            secret,
        })
    }

    /// The field's text; empty when it is missing or not text.
    pub(super) fn text(&self, name: &str) -> &str {
        field(&self.fields, name)
    }

    /// The user to impersonate.
    pub(super) fn lookup(&self) -> Result<(Field, &str), Refusal> {
        let lookup = &self.fields.get("user_lookup");
        let part = |name| {
            lookup
                .and_then(|lookup| lookup.get(name))
                .and_then(Value::as_str)
        };
        let field = match part("field") {
            Some("subject") => Field::Subject,
            Some("userId") => Field::UserId,
            _ => return Err(unreadable("user_lookup.field must be subject or userId.")),
        };
        match part("value") {
            Some(value) if !value.is_empty() => Ok((field, value)),
            _ => Err(unreadable("user_lookup.value is missing.")),
        }
    }
}

fn unreadable(why: &str) -> Refusal {
    Refusal::plain(StatusCode::BAD_REQUEST).detailed(why)
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn fields(head: &Parts, body: &Bytes) -> Option<Map<String, Value>> {
    let kind = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next()?.trim() {
        "application/json" => serde_json::from_slice(body).ok(),
        "application/x-www-form-urlencoded" => {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
            Some(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect(),
            )
        }
        _ => None,
    }
}

fn basic(head: &Parts) -> Option<(String, String)> {
    let header = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let decoded = BASE64_STANDARD
        .decode(header.strip_prefix("Basic ")?)
        .ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (client, secret) = decoded.split_once(':')?;
    Some((client.to_owned(), secret.to_owned()))
}
