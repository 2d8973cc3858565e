//! A request's head, as HTTP/1.1 would have written it: from here on nobody needs to know how it came.

use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::fault::Fault;

/// Reads a head. One that names two hosts is `BadRequest`; a CONNECT that wants no protocol wants a
/// tunnel to somewhere else, and is `MethodNotAllowed`.
pub(super) fn read(mut head: Parts) -> Result<Parts, Fault> {
    if head.method == Method::CONNECT && head.extensions.get::<h2::ext::Protocol>().is_none() {
        return Err(Fault::MethodNotAllowed);
    }
    if let Some(authority) = head.uri.authority() {
        let host = sole_host(authority.as_str(), &head.headers)?;
        head.headers.insert(HOST, host);
    }
    let target = head.uri.path_and_query().cloned();
    head.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    join_cookies(&mut head.headers)?;
    Ok(head)
}

/// What `:authority` says; a `Host` beside it may say nothing else (RFC 9113 section 8.3.1).
fn sole_host(authority: &str, headers: &HeaderMap) -> Result<HeaderValue, Fault> {
    let mut others = headers.get_all(HOST).iter();
    let agrees = |other: &HeaderValue| other.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if authority.contains('@') || !others.all(agrees) {
        return Err(Fault::BadRequest);
    }
    HeaderValue::from_str(authority).map_err(|_| Fault::BadRequest)
}

/// A client may send each cookie in a header of its own, and they mean one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Fault> {
    let crumbs = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let crumbs: Vec<&[u8]> = crumbs.collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let whole = crumbs.join(&b"; "[..]);
    let whole = HeaderValue::from_bytes(&whole).map_err(|_| Fault::BadRequest)?;
    headers.insert(COOKIE, whole);
    Ok(())
}

#[cfg(test)]
mod tests {
    use h2::ext::Protocol;
    use http::Request;

    use super::*;

    fn get(uri: &str, headers: &[(&str, &str)]) -> Result<Parts, Fault> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|_| Fault::NotFound)?;
        read(request.into_parts().0)
    }

    #[test]
    fn a_head_reads_as_if_it_had_come_over_http_1() {
        let crumbs = [
            ("cookie", "a=1"),
            ("cookie", "session=x"),
            ("cookie", "b=2; c=3"),
        ];
        let head = get("https://App.example:8443/qlik/app/x?y=1&z", &crumbs).unwrap();
        assert_eq!(head.uri.to_string(), "/qlik/app/x?y=1&z");
        assert_eq!(head.headers[HOST], "App.example:8443");
        let cookies: Vec<_> = head.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; session=x; b=2; c=3"]);
    }

    #[test]
    fn a_request_has_one_host() {
        let at = |uri, hosts: &[&'static str]| {
            let hosts: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            get(uri, &hosts).map(|head| head.headers.get_all(HOST).iter().count())
        };
        assert_eq!(at("https://a.example/", &["A.example"]), Ok(1));
        assert_eq!(at("/", &["a.example"]), Ok(1));
        assert_eq!(
            at("/", &["a.example", "b.example"]),
            Ok(2),
            "seen by the door"
        );
        assert_eq!(
            at("https://a.example/", &["b.example"]),
            Err(Fault::BadRequest)
        );
        assert_eq!(
            at("https://a.example/", &["a.example", "b.example"]),
            Err(Fault::BadRequest)
        );
        assert_eq!(
            at("https://a.example/", &["a.example:443"]),
            Err(Fault::BadRequest)
        );
        assert_eq!(at("https://ada@a.example/", &[]), Err(Fault::BadRequest));
    }

    #[test]
    fn nobody_is_connected_to_somewhere_else() {
        let connect = |protocol: Option<&'static str>| {
            let mut request = Request::connect("https://a.example/app/x")
                .body(())
                .unwrap();
            if let Some(protocol) = protocol {
                request
                    .extensions_mut()
                    .insert(Protocol::from_static(protocol));
            }
            read(request.into_parts().0).map(|_| ())
        };
        assert_eq!(connect(None), Err(Fault::MethodNotAllowed));
        assert_eq!(connect(Some("websocket")), Ok(()));
    }
}
