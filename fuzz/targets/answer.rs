//! No answer is taken for an upgrade that is not one, and no request for a handshake.
#![no_main]

use http::{Request, Response, Version};
use libfuzzer_sys::fuzz_target;
use qix_proxy_fuzz::ws::{Handshake, upgraded};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OFFERS: &str = "permessage-deflate; client_max_window_bits";

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, head)) = bytes.split_first() else {
        return;
    };
    if first & 1 == 0 {
        answer(head, (first & 2 != 0).then_some(OFFERS));
    } else {
        request(head);
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
            assert!(offers.is_some() && all("sec-websocket-extensions").len() == 1);
            assert!(chosen.starts_with("permessage-deflate") && !chosen.contains(','));
        }
    }
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
    if let Some(offers) = handshake.offers() {
        let odd = |byte: u8| !(byte.is_ascii_alphanumeric() || b"-_=;, ".contains(&byte));
        assert!(!offers.bytes().any(odd), "{offers}");
    }
}

fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    }
}
