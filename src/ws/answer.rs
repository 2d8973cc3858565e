//! The answer to an opening handshake, as the one who asked must read it (RFC 6455 section 4.1).

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderName, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{deflate, lists};

/// Why an answer is not the upgrade that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotUpgraded {
    /// It is a 101, and wrong in this.
    #[error("{0}")]
    Flaw(&'static str),
    /// It is anything but a 101.
    #[error("{0}")]
    Status(StatusCode),
}

/// Holds an answer against the key and the permessage-deflate offers that it is to answer; the
/// extension it chose among them.
pub fn upgraded<B>(
    response: &Response<B>,
    key: &str,
    offers: Option<&str>,
) -> Result<Option<String>, NotUpgraded> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(NotUpgraded::Status(response.status()));
    }
    if response.version() != Version::HTTP_11 {
        return Err(NotUpgraded::Flaw("it is of HTTP/1.0"));
    }
    let headers = response.headers();
    let switched = lists(headers, &UPGRADE, "websocket") && lists(headers, &CONNECTION, "upgrade");
    if !switched {
        return Err(NotUpgraded::Flaw("it switched to something else"));
    }
    let accept = derive_accept_key(key.as_bytes());
    if only(headers, &SEC_WEBSOCKET_ACCEPT) != Some(accept.as_str()) {
        return Err(NotUpgraded::Flaw("its accept key is wrong"));
    }
    if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        let flaw = "it chose a subprotocol that was not offered";
        return Err(NotUpgraded::Flaw(flaw));
    }
    if !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Ok(None);
    }
    let answer = only(headers, &SEC_WEBSOCKET_EXTENSIONS).zip(offers);
    let chosen = answer.and_then(|(answer, offers)| deflate::chosen(answer, offers));
    let flaw = "it chose an extension that was not offered, or not so";
    chosen.ok_or(NotUpgraded::Flaw(flaw)).map(Some)
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
