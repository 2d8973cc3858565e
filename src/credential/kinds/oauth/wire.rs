//! The words spoken with a token endpoint: what a request holds and what an answer means.
//!
//! Pure: no sockets, and the wall clock is a parameter. Shapes: <https://qlik.dev/apis/rest/oauth>
//! and RFC 6749 section 5.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ClientAuth, OAuth};
use crate::credential::bearer;
use crate::credential::error::{CredentialError, Trouble};
use crate::credential::explain::{Refusal, Said};
use crate::credential::identity::Identity;
use crate::credential::mint::Minted;
use crate::rfc3339;

/// The largest answer that is read, in bytes.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024;

/// The life of a token whose answer says nothing usable about it.
const UNKNOWN_LIFE: Duration = Duration::from_mins(5);

/// The longest and the shortest life that are believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// How long a 429 without a usable `Retry-After` closes the endpoint.
const UNKNOWN_WAIT: Duration = Duration::from_secs(10);

/// The longest and the shortest wait that a 429 can ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The body of a token request. No `Debug`: it may hold the secret.
#[derive(Serialize)]
pub(super) struct TokenRequest<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    grant_type: &'static str,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_lookup: Option<UserLookup<'a>>,
}

impl<'a> TokenRequest<'a> {
    /// What to ask for an identity.
    pub(super) fn new(oauth: &'a OAuth, identity: &'a Identity) -> Self {
        let user_lookup = UserLookup::new(identity);
        Self {
            client_id: &oauth.client_id,
            client_secret: match oauth.client_auth {
                ClientAuth::Basic => None,
                ClientAuth::Body => Some(oauth.client_secret.expose_secret()),
            },
            grant_type: match user_lookup {
                None => "client_credentials",
                Some(_) => "urn:qlik:oauth:user-impersonation",
            },
            scope: &oauth.scope,
            user_lookup,
        }
    }
}

#[derive(Serialize)]
struct UserLookup<'a> {
    field: &'a str,
    value: &'a str,
}

impl<'a> UserLookup<'a> {
    fn new(identity: &'a Identity) -> Option<Self> {
        (!identity.is_shared()).then(|| Self {
            field: identity.value(0),
            value: identity.value(1),
        })
    }
}

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `None`: it is larger than is read.
    pub(super) body: Option<Vec<u8>>,
}

impl Answer {
    /// What it means. None of `secrets` gets into an error.
    pub(super) fn read(
        &self,
        clock: SystemTime,
        secrets: &[String],
    ) -> Result<Minted, CredentialError> {
        if self.status.is_success() {
            return self.grant(clock).map_err(CredentialError::Down);
        }
        if self.status.is_redirection() {
            return Err(CredentialError::Down(Trouble::Redirected));
        }
        let refusal = Arc::new(Refusal::new(self.status, &self.complaint(), secrets));
        Err(match self.status {
            StatusCode::TOO_MANY_REQUESTS => CredentialError::Throttled {
                refusal,
                wait: self.retry_after(),
            },
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
                CredentialError::Down(Trouble::Refused(refusal))
            }
            status if status.is_client_error() => CredentialError::Refused(refusal),
            _ => CredentialError::Down(Trouble::Refused(refusal)),
        })
    }

    fn grant(&self, clock: SystemTime) -> Result<Minted, Trouble> {
        let body = self.body.as_deref().ok_or(Trouble::TooLarge)?;
        if !self.is_json() {
            return Err(Trouble::NotJson);
        }
        // What serde says about a mistake can quote the token.
        let grant: Grant = serde_json::from_slice(body)
            .map_err(|_| Trouble::Malformed("is not a JSON object with an access_token"))?;
        if !grant.is_bearer() {
            return Err(Trouble::Malformed(
                "holds a token that is not of type bearer",
            ));
        }
        let injection = bearer(&grant.access_token)
            .ok_or(Trouble::Malformed("holds a token that no header can carry"))?;
        let life = grant.life(clock);
        Ok(Minted { injection, life })
    }

    fn complaint(&self) -> Said {
        let body = self.body.as_deref().filter(|_| self.is_json());
        let complaint = body.and_then(|body| serde_json::from_slice::<Complaint>(body).ok());
        complaint.map(Said::from).unwrap_or_default()
    }

    fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    }

    fn retry_after(&self) -> Duration {
        let wait = self.headers.get(RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        wait.map_or(UNKNOWN_WAIT, Duration::from_secs)
            .clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
    expires_at: Option<Value>,
}

impl Grant {
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

/// An error body, as Qlik writes it or as RFC 6749 does.
#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    errors: Vec<QlikError>,
    #[serde(rename = "traceId")]
    trace_id: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct QlikError {
    code: Option<String>,
    title: Option<String>,
}

impl From<Complaint> for Said {
    fn from(complaint: Complaint) -> Self {
        let (code, title) = match complaint.errors.into_iter().next() {
            Some(error) => (error.code, error.title),
            None => (complaint.error, complaint.error_description),
        };
        let trace_id = complaint.trace_id;
        Self {
            code,
            title,
            trace_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|&(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Some(body.as_bytes().to_vec()),
        }
    }

    fn grant(body: &Value) -> Result<Minted, CredentialError> {
        let headers = [("content-type", "application/json; charset=utf-8")];
        let clock = UNIX_EPOCH + Duration::from_secs(1_795_464_116);
        answer(200, &headers, &body.to_string()).read(clock, &[])
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
            let malformed = matches!(error, CredentialError::Down(Trouble::Malformed(_)));
            assert!(malformed, "{body}: {error}");
        }
        assert!(grant(&json!({"access_token": "a.b-c", "token_type": "Bearer"})).is_ok());
    }

    #[test]
    fn a_429_names_its_wait() {
        let wait = |headers: &[(&'static str, &str)]| match answer(429, headers, "")
            .read(UNIX_EPOCH, &[])
        {
            Err(CredentialError::Throttled { wait, .. }) => wait.as_secs(),
            _ => unreachable!(),
        };
        assert_eq!(wait(&[("retry-after", "13")]), 13);
        assert_eq!(wait(&[("retry-after", "0")]), 1);
        assert_eq!(wait(&[("retry-after", "99999999999")]), 300);
        assert_eq!(wait(&[("retry-after", "-4")]), 10);
        assert_eq!(
            wait(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]),
            10
        );
        assert_eq!(wait(&[]), 10);
    }

    #[test]
    fn errors_are_read_in_both_dialects() {
        let json = [("content-type", "application/json")];
        for (body, code) in [
            (
                json!({"errors": [{"code": "OAUTH-14", "title": "x"}], "traceId": "1"}),
                "OAUTH-14",
            ),
            (
                json!({"error": "invalid_client", "error_description": "x"}),
                "invalid_client",
            ),
        ] {
            let read = answer(400, &json, &body.to_string()).read(UNIX_EPOCH, &[]);
            let Err(CredentialError::Refused(refusal)) = read else {
                panic!("{body} is a refusal for good")
            };
            assert_eq!(refusal.code(), Some(code));
        }
    }
}
