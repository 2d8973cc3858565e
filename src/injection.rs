//! What the engine leg carries in a person's name. Made by a credential, spent by the dial; it
//! prints as nothing.

use std::fmt;

use http::header::COOKIE;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All that RFC 3986 section 2.3 does not leave as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Headers, cookies and query parameters to put on the upgrade to the engine.
///
/// Header values are marked sensitive when they enter; cookies leave as one `Cookie` header.
#[derive(Clone, Default)]
pub struct Injection {
    headers: Vec<(HeaderName, HeaderValue)>,
    cookies: Option<HeaderValue>,
    query: String,
}

impl Injection {
    /// Nothing at all: an engine that asks for no credential.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.push((name, value));
        self
    }

    /// Adds a cookie; `None` when its name or value is none of RFC 6265 section 4.1.1.
    #[must_use]
    pub fn with_cookie(mut self, name: &str, value: &str) -> Option<Self> {
        if !is_cookie_name(name) || !value.bytes().all(is_cookie_octet) {
            return None;
        }
        let earlier = self.cookies.as_ref().and_then(|line| line.to_str().ok());
        let line = match earlier {
            Some(earlier) => format!("{earlier}; {name}={value}"),
            None => format!("{name}={value}"),
        };
        let mut line = HeaderValue::try_from(line).ok()?;
        line.set_sensitive(true);
        self.cookies = Some(line);
        Some(self)
    }

    /// Adds a query parameter, percent-encoded.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.extend(utf8_percent_encode(name, ESCAPED));
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, ESCAPED));
        self
    }

    /// The headers to send, the one `Cookie` among them.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let headers = self.headers.iter().map(|(name, value)| (name, value));
        headers.chain(self.cookies.iter().map(|line| (&COOKIE, line)))
    }

    /// The cookies, each a name and a value.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.headers().filter(|(name, _)| *name == COOKIE);
        let lines = lines.filter_map(|(_, line)| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split("; "));
        pairs.filter_map(|pair| pair.split_once('='))
    }

    /// The query to send, without its `?`; empty for none.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injection(…)")
    }
}

fn is_cookie_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_leave_as_one_header_and_queries_encoded() {
        let injection = Injection::nothing()
            .with_query("qlik-csrf-token", "a&b=c d/ü")
            .with_query("x", "~y")
            .with_cookie("eas.sid", "a=b")
            .and_then(|injection| injection.with_cookie("_csrf", "c"))
            .unwrap();
        let headers: Vec<_> = injection.headers().collect();
        assert_eq!(
            headers,
            [(&COOKIE, &HeaderValue::from_static("eas.sid=a=b; _csrf=c"))]
        );
        assert!(headers[0].1.is_sensitive());
        let cookies: Vec<_> = injection.cookies().collect();
        assert_eq!(cookies, [("eas.sid", "a=b"), ("_csrf", "c")]);
        let query = "qlik-csrf-token=a%26b%3Dc%20d%2F%C3%BC&x=~y";
        assert_eq!(injection.query(), query);
        assert_eq!(format!("{injection:?}"), "Injection(…)");
    }

    #[test]
    fn a_cookie_cannot_bring_another() {
        for (name, value) in [
            ("", "a"),
            ("a;b", "c"),
            ("a", "b; c=d"),
            ("a", "b\r\nc"),
            ("a", "ü"),
        ] {
            assert!(Injection::nothing().with_cookie(name, value).is_none());
        }
    }
}
