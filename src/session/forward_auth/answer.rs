//! What the app's answer says: yes for whom and until when, or no.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::super::error::{Outage, SessionError};
use super::super::moment::{self, Moment};
use super::super::vouching::{Answer, Source as _};
use super::super::{fetch, json, subject};
use super::endpoint::Endpoint;
use crate::config::{ForwardAuth, Place};
use crate::id::{Issuer, SessionId};
use crate::person::Person;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// Reads an answer: a yes, `Denied`, or `Down` where it is neither.
pub(super) async fn read(
    response: reqwest::Response,
    config: &ForwardAuth,
    issuer: &Issuer,
) -> Result<Answer, SessionError> {
    judge_status(response.status())?;
    let wants_json = wants_json(config);
    judge_kind(response.headers(), wants_json)?;
    let headers = response.headers().clone();
    let mut parts = Parts {
        headers,
        body: Map::new(),
    };
    if wants_json {
        let body = fetch::body(response, LARGEST).await;
        parts.body = object(&body.map_err(Endpoint::down)?)?;
    }
    parts.describe(config, issuer)
}

fn judge_status(status: StatusCode) -> Result<(), SessionError> {
    match status.as_u16() {
        200..300 => Ok(()),
        300..400 => Err(SessionError::Denied("the app redirects")),
        401 | 403 => Err(SessionError::Denied("the app answers 401 or 403")),
        // These judge what was sent, so what was sent is no session.
        400 | 431 => Err(SessionError::Denied("the app does not take the request")),
        other => Err(Endpoint::down(Outage::Status(other))),
    }
}

fn judge_kind(headers: &HeaderMap, wants_json: bool) -> Result<(), SessionError> {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    let kind = kind.unwrap_or_default().trim_ascii().to_ascii_lowercase();
    if kind == b"text/html" || kind == b"application/xhtml+xml" {
        return Err(SessionError::Denied("the app answers with HTML"));
    }
    let is_json = kind == b"application/json" || kind.ends_with(b"+json");
    if wants_json && !is_json {
        return Err(SessionError::Denied("the app's answer is not JSON"));
    }
    Ok(())
}

fn wants_json(config: &ForwardAuth) -> bool {
    let single = [
        Some(&config.subject),
        config.session.as_ref(),
        config.expires.as_ref(),
    ];
    let mut places = single.into_iter().flatten().chain(config.claims.values());
    places.any(|place| matches!(place, Place::Json(_)))
}

/// An object, or nothing where the app says `null` or the like for nobody.
fn object(body: &[u8]) -> Result<Map<String, Value>, SessionError> {
    match json::value(body) {
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Ok(Map::new()),
        None => Err(Endpoint::down(Outage::Answer("no unambiguous JSON"))),
    }
}

struct Parts {
    headers: HeaderMap,
    body: Map<String, Value>,
}

impl Parts {
    fn describe(&self, config: &ForwardAuth, issuer: &Issuer) -> Result<Answer, SessionError> {
        let subject = self.text(&config.subject);
        let subject = subject.and_then(|text| subject::parse(&text));
        let subject = subject.ok_or(SessionError::Denied("the app names no usable subject"))?;
        let session = config.session.as_ref().and_then(|place| self.text(place));
        let claims = config.claims.iter();
        let claims = claims
            .filter_map(|(name, place)| Some((name.clone(), self.value(place)?)))
            .collect();
        Ok(Answer {
            person: Person::new(issuer.clone(), subject, session.map(SessionId::new), claims),
            expires: self.expires(config.expires.as_ref())?,
        })
    }

    fn expires(&self, place: Option<&Place>) -> Result<Option<f64>, SessionError> {
        let value = match place.and_then(|place| self.value(place)) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let time = match &value {
            Value::Number(seconds) => seconds.as_f64(),
            Value::String(text) => moment::parse(text),
            _ => None,
        };
        let time = time.ok_or_else(|| Endpoint::down(Outage::Answer("its expiry is no time")))?;
        if time <= Moment::now().unix() {
            return Err(SessionError::Denied("the session expired"));
        }
        Ok(Some(time))
    }

    fn text(&self, place: &Place) -> Option<String> {
        self.value(place).as_ref().and_then(json::name)
    }

    /// What stands at a place; a header that stands twice says nothing.
    fn value(&self, place: &Place) -> Option<Value> {
        let name = match place {
            Place::Json(path) => return path.find(&self.body).cloned(),
            Place::Header(name) => name,
        };
        let mut values = self.headers.get_all(name).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        let text = std::str::from_utf8(only.as_bytes()).ok()?;
        Some(Value::String(text.to_owned()))
    }
}
