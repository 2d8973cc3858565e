//! What is written down for another replica, before it is sealed.
//!
//! Pure but for the wall clock, by which alone replicas can tell each other a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::super::explain::{At, Refusal, Said};
use super::super::generation::Generation;
use super::super::mint::Minted;
use crate::injection::Injection;

/// A credential that another replica fetched.
pub(in crate::credential) struct Found {
    /// How it is shown to the engine.
    pub(in crate::credential) injection: Injection,
    /// Tells it from all others.
    pub(in crate::credential) generation: Generation,
    /// For how long it has been good.
    pub(in crate::credential) age: Duration,
    /// For how long it is good still.
    pub(in crate::credential) left: Duration,
}

/// That the endpoint asked another replica to leave it alone.
pub(in crate::credential) struct Pause {
    /// What it said.
    pub(in crate::credential) refusal: Arc<Refusal>,
    /// For how long still.
    pub(in crate::credential) wait: Duration,
}

/// Header values are base64; times are seconds since 1970.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    headers: Vec<(String, String)>,
    query: String,
    generation: Generation,
    asked: f64,
    until: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PauseLetter {
    at: At,
    status: u16,
    code: Option<String>,
    until: f64,
}

/// Writes a credential that was asked for at this time.
pub(super) fn write(minted: &Minted, generation: Generation, asked: SystemTime) -> Vec<u8> {
    let headers = minted.injection.headers();
    let asked = unix(asked);
    let letter = Letter {
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), STANDARD.encode(value)))
            .collect(),
        query: minted.injection.query().to_owned(),
        generation,
        asked,
        until: asked + minted.life.as_secs_f64(),
    };
    // Texts and numbers are always JSON.
    serde_json::to_vec(&letter).unwrap_or_default()
}

/// Reads a credential; `None` when it is no letter.
pub(super) fn read(text: &[u8], now: SystemTime) -> Option<Found> {
    let letter: Letter = serde_json::from_slice(text).ok()?;
    let mut injection = Injection::nothing();
    for (name, value) in &letter.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(&STANDARD.decode(value).ok()?).ok()?;
        injection = injection.with_header(name, value);
    }
    for pair in letter.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let plain = |text| percent_decode_str(text).decode_utf8().ok();
        injection = injection.with_query(&plain(name)?, &plain(value)?);
    }
    let now = unix(now);
    Some(Found {
        injection,
        generation: letter.generation,
        age: seconds(now - letter.asked),
        left: seconds(letter.until - now),
    })
}

/// Writes that the endpoint wants to be left alone.
pub(super) fn write_pause(refusal: &Refusal, wait: Duration) -> Vec<u8> {
    let letter = PauseLetter {
        at: refusal.who(),
        status: refusal.status().as_u16(),
        code: refusal.code().map(str::to_owned),
        until: unix(SystemTime::now()) + wait.as_secs_f64(),
    };
    serde_json::to_vec(&letter).unwrap_or_default()
}

/// Reads such a letter.
pub(super) fn read_pause(text: &[u8], now: SystemTime) -> Option<Pause> {
    let letter: PauseLetter = serde_json::from_slice(text).ok()?;
    let said = Said {
        code: letter.code,
        ..Said::default()
    };
    let status = StatusCode::from_u16(letter.status).ok()?;
    Some(Pause {
        refusal: Arc::new(Refusal::new(status, &said, &[]).at(letter.at)),
        wait: seconds(letter.until - unix(now)),
    })
}

fn unix(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64()
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_as_it_was_written() {
        let injection = Injection::nothing()
            .with_header(
                http::header::AUTHORIZATION,
                HeaderValue::from_static("Bearer t"),
            )
            .with_query("qlik-csrf-token", "a&b=c d/ü")
            .with_query("x", "~")
            .with_cookie("eas.sid", "a=b")
            .unwrap();
        let life = Duration::from_mins(10);
        let minted = Minted { injection, life };
        let (asked, generation) = (SystemTime::now(), Generation::fresh());
        let text = write(&minted, generation, asked);
        let found = read(&text, asked + Duration::from_mins(4)).unwrap();
        let shown = |injection: &Injection| {
            let headers = injection.headers();
            let headers: Vec<_> = headers.map(|(n, v)| (n.clone(), v.clone())).collect();
            (headers, injection.query().to_owned())
        };
        assert_eq!(shown(&found.injection), shown(&minted.injection));
        let mut headers = found.injection.headers();
        assert!(headers.all(|(_, value)| value.is_sensitive()));
        assert_eq!(found.generation, generation);
        let near = |one: Duration, other: Duration| one.abs_diff(other).as_millis() < 5;
        assert!(near(found.age, Duration::from_mins(4)));
        assert!(near(found.left, Duration::from_mins(6)));
        let later = read(&text, asked + Duration::from_hours(1)).unwrap();
        assert!(later.left.is_zero());
        assert!(read(b"{}", asked).is_none());
    }
}
