//! What is written down for another replica: whom a ticket is for, and what they showed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::super::Client;
use super::super::evidence::Shown;
use super::super::moment::Moment;
use super::shelf::{Found, Holder, Stub, Who};
use crate::id::AppId;
use crate::peer::Peer;

/// How far the clocks of replicas may be apart. Redis forgets a ticket in time by itself; this end
/// is for one that somebody puts back there.
const SKEW: Duration = Duration::from_secs(30);

/// Bytes are base64.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    headers: Vec<(String, String)>,
    client: Sender,
    peer: Peer,
    who: String,
    origin: Option<String>,
    app: Option<String>,
    /// Seconds since 1970.
    until: f64,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Sender {
    Browser,
    Program,
}

/// Writes a letter.
pub(super) fn write(stub: &Stub<Found>) -> Vec<u8> {
    let Found { session, shown } = &stub.holder;
    let headers = shown.headers.iter();
    let left = stub.until.saturating_duration_since(Instant::now());
    let letter = Letter {
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), STANDARD.encode(value)))
            .collect(),
        client: match shown.client {
            Client::Browser => Sender::Browser,
            Client::Program => Sender::Program,
        },
        peer: shown.peer,
        who: STANDARD.encode(Who::of(session.person()).0),
        origin: stub.origin.as_ref().map(|origin| STANDARD.encode(origin)),
        app: stub.app.as_ref().map(|app| app.as_str().to_owned()),
        until: Moment::now().unix() + left.as_secs_f64(),
    };
    // Texts and numbers are always JSON.
    serde_json::to_vec(&letter).unwrap_or_default()
}

/// Reads a letter.
pub(super) fn read(text: &[u8]) -> Option<Stub<Holder>> {
    let letter: Letter = serde_json::from_slice(text).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &letter.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, header(value)?);
    }
    let origin = match &letter.origin {
        Some(origin) => Some(header(origin)?),
        None => None,
    };
    let shown = Shown {
        headers,
        client: match letter.client {
            Sender::Browser => Client::Browser,
            Sender::Program => Client::Program,
        },
        peer: letter.peer,
    };
    let who = Who(STANDARD.decode(&letter.who).ok()?.try_into().ok()?);
    Some(Stub {
        holder: Holder::Asked { shown, who },
        origin,
        app: letter.app.map(AppId::new),
        until: Moment::now().until(letter.until + SKEW.as_secs_f64()),
    })
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(&STANDARD.decode(text).ok()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}
