//! The answer of a token endpoint: a token and its life.
//!
//! Pure: no sockets, and the wall clock is a parameter. Shapes: <https://qlik.dev/apis/rest/oauth>
//! and RFC 6749 section 5.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use super::asking::Answer;
use super::bearer;
use super::error::{CredentialError, Trouble};
use super::mint::Minted;
use crate::config::Shown;
use crate::injection::Injection;
use crate::rfc3339;

/// The life of a token whose answer says nothing usable about it.
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);

/// The longest and the shortest life that are believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// A token of type bearer, and how long it is good.
pub(super) struct Grant {
    token: String,
    life: Duration,
}

impl Grant {
    /// Reads a yes.
    pub(super) fn read(answer: &Answer, clock: SystemTime) -> Result<Self, CredentialError> {
        Self::told(answer, clock).map_err(|trouble| CredentialError::Down(answer.at, trouble))
    }

    fn told(answer: &Answer, clock: SystemTime) -> Result<Self, Trouble> {
        let told: Told = answer.json("is not a JSON object with an access_token")?;
        if !told.is_bearer() {
            return Err(Trouble::Malformed(
                "holds a token that is not of type bearer",
            ));
        }
        let life = told.life(clock);
        let token = told.access_token;
        if bearer(&token).is_none() {
            return Err(Trouble::Malformed("holds a token that no header can carry"));
        }
        Ok(Self { token, life })
    }

    /// As it is shown to the engine.
    pub(super) fn shown(self, shown: Shown) -> Minted {
        let injection = match shown {
            Shown::Header => bearer(&self.token).unwrap_or_default(),
            Shown::Query => Injection::nothing().with_query("accessToken", &self.token),
        };
        Minted {
            injection,
            life: self.life,
        }
    }

    /// As `Authorization: Bearer`.
    pub(super) fn into_header(self) -> Minted {
        self.shown(Shown::Header)
    }
}

#[derive(Deserialize)]
struct Told {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
    expires_at: Option<Value>,
}

impl Told {
    fn is_bearer(&self) -> bool {
        let kind = self.token_type.as_deref();
        kind.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"))
    }

    /// How long the token is good. A token said to be born dead is one whose life is not known:
    /// were it believed, everybody who asks would fetch.
    fn life(&self, clock: SystemTime) -> Duration {
        let within = self.expires_in.as_ref().and_then(seconds);
        let until = || {
            self.expires_at
                .as_ref()?
                .as_str()
                .and_then(rfc3339::seconds)
        };
        let life = within.or_else(|| seconds_from(clock, until()?));
        life.map_or(UNKNOWN_LIFE, |life| life.clamp(SHORTEST_LIFE, LONGEST_LIFE))
    }
}

/// A positive number of seconds, given as a number or as text.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }?;
    // Not a number is not positive either.
    let number = (number > 0.0).then(|| number.min(LONGEST_LIFE.as_secs_f64()))?;
    Duration::try_from_secs_f64(number).ok()
}

fn seconds_from(clock: SystemTime, end: f64) -> Option<Duration> {
    let left = end - clock.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Duration::try_from_secs_f64(left)
        .ok()
        .filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(body: &Value) -> Result<Grant, CredentialError> {
        let headers = [("content-type", "application/json; charset=utf-8")];
        let clock = UNIX_EPOCH + Duration::from_secs(1_795_464_116);
        let answer = Answer::told(200, &headers, &body.to_string()).accept(&[])?;
        Grant::read(&answer, clock)
    }

    #[test]
    fn a_life_is_believed_only_as_far_as_it_is_sane() {
        let life = |mut body: Value| {
            body["access_token"] = json!("t");
            grant(&body).unwrap().life
        };
        let secs = Duration::from_secs;
        assert_eq!(life(json!({"expires_in": 21600})), secs(21600));
        assert_eq!(life(json!({"expires_in": "60"})), secs(60));
        assert_eq!(life(json!({"expires_in": 1.5})), secs(1) + secs(1) / 2);
        assert_eq!(
            life(json!({"expires_at": "2026-11-23T20:02:56Z"})),
            secs(60)
        );
        let both = json!({"expires_in": 9, "expires_at": "2026-11-23T20:02:56Z"});
        assert_eq!(life(both), secs(9));
        let second = json!({"expires_in": "soon", "expires_at": "2026-11-23T20:02:56Z"});
        assert_eq!(life(second), secs(60));
        for unknown in [
            json!({}),
            json!({"expires_in": 0}),
            json!({"expires_in": -1}),
            json!({"expires_in": i64::MIN}),
            json!({"expires_in": "NaN"}),
            json!({"expires_in": {}}),
            json!({"expires_at": "2026-11-23T20:01:56Z"}),
            json!({"expires_at": "1969-11-23T20:01:56Z"}),
            json!({"expires_at": "tomorrow"}),
            json!({"expires_at": 7}),
        ] {
            assert_eq!(life(unknown.clone()), UNKNOWN_LIFE, "{unknown}");
        }
        for endless in [
            json!({"expires_in": 1e308}),
            json!({"expires_in": u64::MAX}),
            json!({"expires_in": "inf"}),
            json!({"expires_at": "9999-12-31T23:59:59Z"}),
        ] {
            assert_eq!(life(endless.clone()), LONGEST_LIFE, "{endless}");
        }
    }

    #[test]
    fn a_grant_without_a_bearer_token_is_malformed() {
        for body in [
            json!({}),
            json!([]),
            json!({"access_token": null}),
            json!({"access_token": 7}),
            json!({"access_token": ""}),
            json!({"access_token": "a b"}),
            json!({"access_token": "a\r\nX: y"}),
            json!({"access_token": "é"}),
            json!({"access_token": "a".repeat(20_000)}),
            json!({"access_token": "a", "token_type": "DPoP"}),
        ] {
            let Err(error) = grant(&body) else {
                panic!("{body} was taken")
            };
            let malformed = matches!(error, CredentialError::Down(_, Trouble::Malformed(_)));
            assert!(malformed, "{body}: {error}");
        }
        assert!(grant(&json!({"access_token": "a.b-c", "token_type": "Bearer"})).is_ok());
    }
}
