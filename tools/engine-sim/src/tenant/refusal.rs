//! Refusals in the shape that Qlik documents: `{"errors":[{code,title,detail,status}],"traceId"}`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE, header::RETRY_AFTER};
use http_body_util::Full;
use serde_json::{Value, json};

/// What every HTTP answer of the tenant is.
pub(crate) type Answer = Response<Full<Bytes>>;

/// One documented error.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: String,
    title: String,
    detail: Option<String>,
    retry_after: Option<u64>,
}

impl Refusal {
    /// An error whose code says no more than its status.
    pub(crate) fn plain(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let code = format!("HTTP-{}", status.as_u16());
        Self {
            status,
            code,
            title,
            detail: None,
            retry_after: None,
        }
    }

    pub(crate) fn coded(self, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            ..self
        }
    }

    pub(crate) fn titled(self, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..self
        }
    }

    pub(crate) fn detailed(self, detail: &str) -> Self {
        Self {
            detail: Some(detail.to_owned()),
            ..self
        }
    }

    /// The seed case: a machine client's token cannot be exchanged.
    pub(crate) fn no_exchange() -> Self {
        Self::plain(StatusCode::UNAUTHORIZED)
            .coded("OAUTH-5")
            .detailed("Cannot perform exchange with given Oauth configuration.")
    }

    pub(crate) fn unknown_client() -> Self {
        Self::plain(StatusCode::BAD_REQUEST)
            .coded("OAUTH-14")
            .titled("Invalid client_id")
            .detailed("OAuth client is not authorized")
    }

    pub(crate) fn rate_limit(seconds: u64) -> Self {
        let detail = format!("You need to wait {seconds} seconds until limit is lifted.");
        Self {
            retry_after: Some(seconds),
            ..Self::plain(StatusCode::TOO_MANY_REQUESTS)
                .titled("API rate limit reached.")
                .detailed(&detail)
        }
    }

    pub(crate) fn answer(&self, trace: &str) -> Answer {
        let mut error = json!({
            "code": self.code, "title": self.title, "status": self.status.as_str(),
        });
        if let Some(detail) = &self.detail {
            error["detail"] = Value::from(detail.as_str());
        }
        let mut answer = reply(self.status, &json!({ "errors": [error], "traceId": trace }));
        if let Some(seconds) = self.retry_after {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// A JSON answer.
pub(crate) fn reply(status: StatusCode, body: &Value) -> Answer {
    typed(status, "application/json", body.to_string())
}

/// An answer of any type.
pub(crate) fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
