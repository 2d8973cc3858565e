//! The opening handshake as a client sends it: over HTTP/1.1 (RFC 6455 section 4.2.1) or over HTTP/2
//! (RFC 8441 section 5).

use h2::ext::Protocol;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Version, request};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::deflate;
use crate::fault::Fault;

/// A lawful request to open a websocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Handshake {
    accept: Option<String>,
    offers: Option<String>,
}

impl Handshake {
    /// Reads a request head. What is no websocket request at all is `UpgradeRequired`; one that is
    /// ambiguous or broken is `BadRequest`.
    pub fn read(head: &request::Parts) -> Result<Self, Fault> {
        match head.version {
            Version::HTTP_2 => Self::read_stream(head),
            _ => Self::read_upgrade(head),
        }
    }

    /// An upgrade of the connection.
    fn read_upgrade(head: &request::Parts) -> Result<Self, Fault> {
        if head.method != Method::GET {
            return Err(Fault::MethodNotAllowed);
        }
        let headers = &head.headers;
        let asks = lists(headers, &CONNECTION, "upgrade") && lists(headers, &UPGRADE, "websocket");
        if !asks || head.version != Version::HTTP_11 {
            return Err(Fault::UpgradeRequired);
        }
        if single(headers, &SEC_WEBSOCKET_VERSION)? != Some("13") {
            return Err(Fault::UpgradeRequired);
        }
        if single(headers, &UPGRADE)?.is_none() || has_body(headers)? {
            return Err(Fault::BadRequest);
        }
        let key = single(headers, &SEC_WEBSOCKET_KEY)?.filter(|key| is_key(key));
        let key = key.ok_or(Fault::BadRequest)?;
        Ok(Self {
            accept: Some(derive_accept_key(key.as_bytes())),
            offers: offered(headers),
        })
    }

    /// A stream of an HTTP/2 connection, by extended CONNECT: there is no key, for no cache or proxy
    /// of old could take it for something else.
    fn read_stream(head: &request::Parts) -> Result<Self, Fault> {
        let protocol = head.extensions.get::<Protocol>();
        match (&head.method, protocol.map(Protocol::as_str)) {
            (&Method::CONNECT, Some("websocket")) => {}
            (&Method::CONNECT, None) => return Err(Fault::MethodNotAllowed),
            (&Method::CONNECT | &Method::GET, _) => return Err(Fault::UpgradeRequired),
            _ => return Err(Fault::MethodNotAllowed),
        }
        if single(&head.headers, &SEC_WEBSOCKET_VERSION)? != Some("13") {
            return Err(Fault::UpgradeRequired);
        }
        if head.headers.contains_key(CONTENT_LENGTH) {
            return Err(Fault::BadRequest);
        }
        Ok(Self {
            accept: None,
            offers: offered(&head.headers),
        })
    }

    /// The value of `Sec-WebSocket-Accept`; `None` over HTTP/2, which has none.
    #[must_use]
    pub fn accept(&self) -> Option<&str> {
        self.accept.as_deref()
    }

    /// The permessage-deflate offers, written anew.
    #[must_use]
    pub fn offers(&self) -> Option<&str> {
        self.offers.as_deref()
    }
}

/// Whether a comma-separated header holds a token, in any case.
#[must_use]
pub fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Fault::BadRequest),
        (Some(_), Some(_)) => Err(Fault::BadRequest),
    }
}

fn has_body(headers: &HeaderMap) -> Result<bool, Fault> {
    let length = single(headers, &CONTENT_LENGTH)?;
    Ok(headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != "0"))
}

/// A nonce of 16 bytes in Base64: 22 characters and two signs of padding.
fn is_key(key: &str) -> bool {
    let digits = key.trim_end_matches('=');
    key.len() == 24
        && digits.len() == 22
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn offered(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let offers: Vec<String> = values
        .filter_map(|value| value.to_str().ok())
        .filter_map(deflate::offers)
        .collect();
    (!offers.is_empty()).then(|| offers.join(", "))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn read(headers: &[(&str, &str)]) -> Result<Handshake, Fault> {
        let mut request = Request::get("/app/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|_| Fault::NotFound)?;
        Handshake::read(&request.into_parts().0)
    }

    #[test]
    fn the_standards_own_example_is_accepted() {
        assert_eq!(
            read(&GOOD).unwrap().accept(),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn anything_else_is_refused_by_what_is_wrong() {
        let without = |name: &str| -> Vec<(&str, &str)> {
            GOOD.into_iter()
                .filter(|(other, _)| *other != name)
                .collect()
        };
        let with = |name: &'static str, value: &'static str| {
            let mut headers = without(name);
            headers.push((name, value));
            read(&headers).unwrap_err()
        };
        let twice = |name: &'static str, value: &'static str| {
            let mut headers = GOOD.to_vec();
            headers.push((name, value));
            read(&headers).unwrap_err()
        };
        assert_eq!(read(&without("connection")), Err(Fault::UpgradeRequired));
        assert_eq!(read(&without("upgrade")), Err(Fault::UpgradeRequired));
        assert_eq!(with("upgrade", "h2c"), Fault::UpgradeRequired);
        assert_eq!(with("sec-websocket-version", "8"), Fault::UpgradeRequired);
        assert_eq!(twice("sec-websocket-version", "8"), Fault::BadRequest);
        assert_eq!(
            twice("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            Fault::BadRequest
        );
        assert_eq!(twice("upgrade", "websocket"), Fault::BadRequest);
        assert_eq!(with("sec-websocket-key", "short"), Fault::BadRequest);
        assert_eq!(
            with("sec-websocket-key", "dGhlIHNhbXBsZSBub25j!Q=="),
            Fault::BadRequest
        );
        assert_eq!(twice("content-length", "5"), Fault::BadRequest);
        assert_eq!(twice("transfer-encoding", "chunked"), Fault::BadRequest);
    }

    fn read_stream(bend: impl FnOnce(&mut Request<()>)) -> Result<Handshake, Fault> {
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        request
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
        let thirteen = HeaderValue::from_static("13");
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, thirteen);
        bend(&mut request);
        Handshake::read(&request.into_parts().0)
    }

    #[test]
    fn a_stream_asks_by_extended_connect_alone() {
        assert_eq!(read_stream(|_| ()).unwrap().accept(), None);
        let protocol = |name: &'static str| {
            read_stream(|request| {
                request.extensions_mut().insert(Protocol::from_static(name));
            })
        };
        for other in ["WebSocket", "websocket2", "connect-udp", ""] {
            assert_eq!(protocol(other), Err(Fault::UpgradeRequired), "{other}");
        }
        let bare = read_stream(|request| {
            request.extensions_mut().remove::<Protocol>();
        });
        assert_eq!(bare, Err(Fault::MethodNotAllowed));
        let get = read_stream(|request| *request.method_mut() = Method::GET);
        assert_eq!(get, Err(Fault::UpgradeRequired));
        let post = read_stream(|request| *request.method_mut() = Method::POST);
        assert_eq!(post, Err(Fault::MethodNotAllowed));
        let with = |name: HeaderName, value: &'static str| {
            read_stream(|request| {
                let value = HeaderValue::from_static(value);
                request.headers_mut().append(name, value);
            })
        };
        assert_eq!(with(SEC_WEBSOCKET_VERSION, "13"), Err(Fault::BadRequest));
        assert_eq!(with(CONTENT_LENGTH, "0"), Err(Fault::BadRequest));
        // What belongs to an upgrade says nothing here.
        assert!(with(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==").is_ok());
    }
}
