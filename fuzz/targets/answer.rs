//! No answer is taken for an upgrade that is not one, and no request for a handshake.
#![no_main]

use h2::ext::Protocol;
use http::{Method, Request, Response, Version};
use libfuzzer_sys::fuzz_target;
use qix_proxy_fuzz::ws::{Handshake, upgraded};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OFFERS: [Option<&str>; 3] = [
    None,
    Some("permessage-deflate; client_max_window_bits"),
    Some("permessage-deflate; server_max_window_bits=10; server_no_context_takeover"),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, head)) = bytes.split_first() else {
        return;
    };
    match first % 5 {
        3 => request(head),
        4 => stream(head),
        offers => answer(head, OFFERS[usize::from(offers)]),
    }
});

fn answer(head: &[u8], offers: Option<&str>) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    if !matches!(parsed.parse(head), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let mut response = Response::builder()
        .status(parsed.code.unwrap_or(0))
        .version(version(parsed.version));
    for header in parsed.headers.iter() {
        response = response.header(header.name, header.value);
    }
    let Ok(response) = response.body(()) else {
        return;
    };
    let Ok(extension) = upgraded(&response, KEY, offers) else {
        return;
    };
    let all = |name: &str| -> Vec<&[u8]> {
        let named = parsed.headers.iter();
        let named = named.filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    assert_eq!((parsed.code, parsed.version), (Some(101), Some(1)));
    assert_eq!(all("sec-websocket-accept"), [ACCEPT.as_bytes()]);
    assert!(all("sec-websocket-protocol").is_empty());
    assert!(!all("upgrade").is_empty() && !all("connection").is_empty());
    match extension {
        None => assert!(all("sec-websocket-extensions").is_empty()),
        Some(chosen) => {
            assert_eq!(all("sec-websocket-extensions").len(), 1);
            held(&chosen, offers.unwrap());
        }
    }
}

/// One permessage-deflate, each parameter once, and none that the offers rule out.
fn held(chosen: &str, offers: &str) {
    let mut parameters: Vec<&str> = chosen.split("; ").collect();
    assert_eq!(parameters.remove(0), "permessage-deflate");
    let names = |parameters: &[&str]| -> Vec<String> {
        let names = parameters.iter().map(|it| it.split('=').next().unwrap());
        names.map(str::to_owned).collect()
    };
    let named = names(&parameters);
    assert!(
        (1..named.len()).all(|at| !named[..at].contains(&named[at])),
        "{chosen}"
    );
    let has = |name: &str| named.iter().any(|other| other == name);
    assert!(
        offers.contains("client_max") || !has("client_max_window_bits"),
        "{chosen}"
    );
    if offers.contains("server_max") {
        let small = ["8", "9", "10"].map(|bits| format!("server_max_window_bits={bits}"));
        assert!(
            parameters
                .iter()
                .any(|it| small.iter().any(|small| small == it)),
            "{chosen}"
        );
        assert!(has("server_no_context_takeover"), "{chosen}");
    }
}

/// The same head as a stream of HTTP/2, its request target as the protocol.
fn stream(head: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    if !matches!(parsed.parse(head), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .version(Version::HTTP_2);
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let (mut head, ()) = request.into_parts();
    let protocol = parsed.path.filter(|path| *path != "-");
    let protocol = protocol.map(Protocol::from);
    if let Some(protocol) = protocol.clone() {
        head.extensions.insert(protocol);
    }
    let Ok(handshake) = Handshake::read(&head) else {
        return;
    };
    assert_eq!(head.method, Method::CONNECT);
    assert_eq!(protocol.unwrap().as_str(), "websocket");
    let versions: Vec<_> = head
        .headers
        .get_all("sec-websocket-version")
        .iter()
        .collect();
    assert_eq!(versions, ["13"]);
    assert!(!head.headers.contains_key("content-length"));
    assert_eq!(handshake.accept(), None);
    lawful(handshake.offers());
}

fn request(head: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    if !matches!(parsed.parse(head), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(version(parsed.version));
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let (head, ()) = request.into_parts();
    let Ok(handshake) = Handshake::read(&head) else {
        return;
    };
    assert_eq!(
        (head.method.as_str(), head.version),
        ("GET", Version::HTTP_11)
    );
    for name in ["sec-websocket-key", "sec-websocket-version", "upgrade"] {
        assert_eq!(head.headers.get_all(name).iter().count(), 1, "{name}");
    }
    assert!(!head.headers.contains_key("transfer-encoding"));
    assert_eq!(handshake.accept().map(str::len), Some(28));
    lawful(handshake.offers());
}

fn lawful(offers: Option<&str>) {
    let odd = |byte: u8| !(byte.is_ascii_alphanumeric() || b"-_=;, ".contains(&byte));
    assert!(!offers.unwrap_or_default().bytes().any(odd), "{offers:?}");
}

fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    }
}
