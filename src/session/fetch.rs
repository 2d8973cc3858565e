//! Asking the app's identity side over HTTP: bounded in time and in size, in its own words on
//! failure, and never with a URL, a header or a body in them.

use std::error::Error;
use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use url::Url;

use super::error::Outage;
use crate::id::Issuer;

/// The most that is kept of a transport's words.
const WORDS: usize = 200;

/// Sends a request; `limit` covers the reading of the answer too.
pub(super) async fn send(request: RequestBuilder, limit: Duration) -> Result<Response, Outage> {
    request.timeout(limit).send().await.map_err(outage)
}

/// Reads an answer's body of at most `largest` bytes.
pub(super) async fn body(mut response: Response, largest: usize) -> Result<Vec<u8>, Outage> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(outage)? {
        if body.len() + chunk.len() > largest {
            return Err(Outage::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Who vouches for people when an endpoint does: the endpoint, without its query.
pub(super) fn issuer(url: &Url) -> Issuer {
    let origin = url.origin().ascii_serialization();
    Issuer::new(format!("{origin}{}", url.path()))
}

fn outage(error: reqwest::Error) -> Outage {
    if error.is_timeout() {
        return Outage::Timeout;
    }
    let error = error.without_url();
    let mut deepest: &dyn Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let words = deepest.to_string();
    Outage::Transport(words.escape_debug().take(WORDS).collect())
}
