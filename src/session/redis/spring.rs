//! Spring Session: the cookie is the id in base64, the session is a hash.
//!
//! Attributes are read where they are text or JSON. Java's own serialisation is never decoded: that
//! is how objects of an attacker's choice come to life.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::super::error::{Outage, SessionError};
use super::super::json;
use super::super::vouching::Source as _;
use super::id;
use super::store::Store;
use crate::id::SessionId;
use crate::person::ClaimPath;

/// When the session was last used, in milliseconds since 1970.
pub(super) const LAST_USED: &str = "lastAccessedTime";

/// How long it may be unused, in seconds; negative for ever.
pub(super) const LONGEST_PAUSE: &str = "maxInactiveInterval";

/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 512;

/// What every stream of Java's serialisation begins with.
const JAVA: [u8; 4] = [0xac, 0xed, 0x00, 0x05];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The id that a cookie names.
pub(super) fn session(cookie: &[u8]) -> Result<SessionId, SessionError> {
    let malformed = SessionError::Cookie("it is no session id in base64");
    let text = Some(cookie).filter(|cookie| cookie.len() <= LONGEST);
    let id = text.and_then(|text| BASE64.decode(text).ok());
    id::parse(&id.ok_or(malformed)?)
}

/// The field of the hash that a place begins in.
pub(super) fn field(place: &ClaimPath) -> String {
    let Some(pointer) = place.as_str().strip_prefix('/') else {
        return place.as_str().to_owned();
    };
    let first = pointer.split('/').next().unwrap_or_default();
    first.replace("~1", "/").replace("~0", "~")
}

/// The content of a hash: each field as the JSON it holds, or as text.
pub(super) fn content(names: &[String], values: Vec<Option<Vec<u8>>>) -> Map<String, Value> {
    let fields = names.iter().zip(values);
    fields
        .filter_map(|(name, value)| Some((name.clone(), read(value?)?)))
        .collect()
}

fn read(value: Vec<u8>) -> Option<Value> {
    let text = String::from_utf8(value).ok()?;
    Some(json::value(text.as_bytes()).unwrap_or(Value::String(text)))
}

/// Refuses a field that only Java can read.
pub(super) fn refuse_java(value: Option<&Option<Vec<u8>>>) -> Result<(), SessionError> {
    match value {
        Some(Some(value)) if value.starts_with(&JAVA) => {
            let what = "the subject is serialised by Java, which is never decoded";
            Err(Store::down(Outage::Content(what)))
        }
        _ => Ok(()),
    }
}

/// When the hash itself says that the session ends, in seconds since 1970, if that can be read.
pub(super) fn expiry(content: &Map<String, Value>) -> Option<f64> {
    let number = |name: &str| content.get(name).and_then(Value::as_f64);
    let pause = number(LONGEST_PAUSE).filter(|pause| *pause >= 0.0)?;
    Some(number(LAST_USED)? / 1000.0 + pause)
}
