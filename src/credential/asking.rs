//! Asking Qlik over HTTP: one request, one answer, every wait and every body limited.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{CredentialError, Trouble};
use super::explain::{At, Refusal, Said, sentence};

/// The largest answer that is read, in bytes.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024;

/// How long a 429 without a usable `Retry-After` closes the endpoint.
const UNKNOWN_WAIT: Duration = Duration::from_secs(10);

/// The longest and the shortest wait that an answer can ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Sends a request and reads its answer within `timeout`. None of `secrets` gets into an error.
pub(super) async fn send(
    at: At,
    request: reqwest::RequestBuilder,
    timeout: Duration,
    secrets: &[String],
) -> Result<Answer, CredentialError> {
    let request = request.header(ACCEPT, "application/json");
    exchange(at, request, timeout, secrets).await
}

/// The same, of one who does not say what they want to hear.
pub(super) async fn exchange(
    at: At,
    request: reqwest::RequestBuilder,
    timeout: Duration,
    secrets: &[String],
) -> Result<Answer, CredentialError> {
    let request = request.timeout(timeout);
    let answer = read(request).await.map_err(|error| {
        let trouble = if error.is_timeout() {
            Trouble::Slow(timeout)
        } else {
            let error = error.without_url();
            let cause = deepest_cause(&error).to_string();
            Trouble::Unreachable(sentence(&cause, secrets).into())
        };
        CredentialError::Down(at, trouble)
    })?;
    Ok(Answer { at, ..answer })
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = match read_body(&mut response).await {
        Ok(body) => body,
        Err(error) if status.is_success() => return Err(error),
        // A refusal says enough by its status.
        Err(_) => None,
    };
    Ok(Answer {
        status,
        headers,
        body,
        at: At::default(),
    })
}

/// The body, or nothing when it is larger than any answer that is meant.
async fn read_body(response: &mut reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What lies below the words of every layer in between.
fn deepest_cause(error: &reqwest::Error) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `None`: it is larger than is read.
    pub(super) body: Option<Vec<u8>>,
    /// Whose it is.
    pub(super) at: At,
}

impl Answer {
    /// The answer, if it is a yes. None of `secrets` gets into an error.
    pub(super) fn accept(self, secrets: &[String]) -> Result<Self, CredentialError> {
        if self.status.is_success() {
            return Ok(self);
        }
        if self.status.is_redirection() {
            return Err(CredentialError::Down(self.at, Trouble::Redirected));
        }
        let refusal = Refusal::new(self.status, &self.complaint(), secrets);
        let refusal = Arc::new(refusal.at(self.at));
        if let Some(error) = self.passing(&refusal) {
            return Err(error);
        }
        Err(if self.status.is_client_error() {
            CredentialError::Refused(refusal)
        } else {
            CredentialError::Down(self.at, Trouble::Refused(refusal))
        })
    }

    /// What this refusal tells of, if it may pass.
    pub(super) fn passing(&self, refusal: &Arc<Refusal>) -> Option<CredentialError> {
        let wait = match (self.status, self.retry_after()) {
            (StatusCode::TOO_MANY_REQUESTS, wait) => Some(wait.unwrap_or(UNKNOWN_WAIT)),
            (StatusCode::SERVICE_UNAVAILABLE, wait) => wait,
            (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY, _) => None,
            (status, _) if status.is_server_error() => None,
            _ => return None,
        };
        let refusal = Arc::clone(refusal);
        Some(match wait {
            Some(wait) => CredentialError::Throttled { refusal, wait },
            None => CredentialError::Down(self.at, Trouble::Refused(refusal)),
        })
    }

    /// What the answer says in JSON; `otherwise` is said of one that is none of these.
    pub(super) fn json<T: DeserializeOwned>(&self, otherwise: &'static str) -> Result<T, Trouble> {
        let body = self.body.as_deref().ok_or(Trouble::TooLarge)?;
        if !self.is_json() {
            return Err(Trouble::NotJson);
        }
        // What serde says about a mistake can quote a token.
        serde_json::from_slice(body).map_err(|_| Trouble::Malformed(otherwise))
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

    fn retry_after(&self) -> Option<Duration> {
        let wait = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        let wait = Duration::from_secs(wait.trim().parse().ok()?);
        Some(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }
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
impl Answer {
    /// What a token endpoint says.
    pub(super) fn told(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|&(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Some(body.as_bytes().to_vec()),
            at: At::Token,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_429_names_its_wait() {
        let wait =
            |headers: &[(&'static str, &str)]| match Answer::told(429, headers, "").accept(&[]) {
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
            let read = Answer::told(400, &json, &body.to_string()).accept(&[]);
            let Err(CredentialError::Refused(refusal)) = read else {
                panic!("{body} is a refusal for good")
            };
            assert_eq!(refusal.code(), Some(code));
        }
    }
}
