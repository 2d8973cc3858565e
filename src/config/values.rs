//! Small values of the config, each parsed once.

use std::fmt;
use std::sync::Arc;

use url::Url;

/// A browser origin, `scheme://host[:port]`, exactly as a browser sends it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Origin(Arc<str>);

/// Why a text is no origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OriginMistake {
    /// It is `null`.
    #[error("`null` is what any sandboxed page sends: it vouches for nobody")]
    Null,
    /// It is no `scheme://host[:port]` at all.
    #[error("this is no origin")]
    Shapeless,
    /// It is one, but not as a browser writes it.
    #[error("no browser writes its origin like this, and origins are compared byte for byte")]
    Unlike(String),
    /// It is the websocket's URL, not the page's.
    #[error("an origin is the page's, and a page has no websocket URL")]
    Websocket(String),
    /// It has a wildcard.
    #[error("an origin has no wildcard: each one is named")]
    Wildcard,
}

impl Origin {
    /// Takes an origin, `https://app.example.com` or `http://localhost:5173`.
    pub fn parse(text: &str) -> Result<Self, OriginMistake> {
        if text.eq_ignore_ascii_case("null") {
            return Err(OriginMistake::Null);
        }
        if text.contains('*') {
            return Err(OriginMistake::Wildcard);
        }
        let url = Url::parse(text).ok();
        if let Some(url) = url
            .as_ref()
            .filter(|url| matches!(url.scheme(), "ws" | "wss"))
        {
            let page = url.as_str().trim_end_matches('/').replacen("ws", "http", 1);
            return Err(OriginMistake::Websocket(page));
        }
        let written = url.as_ref().and_then(as_a_browser_would);
        let written = written.ok_or(OriginMistake::Shapeless)?;
        if written == text {
            Ok(Self(written.into()))
        } else {
            Err(OriginMistake::Unlike(written))
        }
    }

    /// The origin as a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a page belongs to this origin.
    #[must_use]
    pub fn holds(&self, page: &Url) -> bool {
        as_a_browser_would(page).as_deref() == Some(self.as_str())
    }
}

/// App shells have origins of their own schemes (`capacitor://localhost`), so any scheme goes.
fn as_a_browser_would(url: &Url) -> Option<String> {
    let origin = url.origin();
    if origin.is_tuple() {
        return Some(origin.ascii_serialization());
    }
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let host = host.to_ascii_lowercase();
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{}://{host}{port}", url.scheme()))
}

impl OriginMistake {
    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> String {
        match self {
            Self::Unlike(written) | Self::Websocket(written) => format!("write \"{written}\""),
            Self::Null | Self::Shapeless | Self::Wildcard => {
                "write scheme, host and port (if it is not the default), such as \
                 \"https://app.example.com\" or \"http://localhost:5173\""
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A route's path prefix: decoded segments, none for `/`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RoutePath(Vec<String>);

/// Why a text is no path of a route.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RoutePathMistake {
    /// A segment is `.` or `..`.
    #[error("a path of a route has no `.` or `..` segments")]
    Dots,
    /// A segment is empty, at the end or within.
    #[error("a path of a route has no empty segments")]
    EmptySegment(String),
    /// It holds a character that no path of a route can hold.
    #[error("{0:?} cannot stand in a path of a route")]
    Forbidden(char),
    /// It does not begin with `/`.
    #[error("a path of a route begins with `/`")]
    Relative(String),
}

impl RoutePath {
    /// Takes a decoded path, `/`, `/qlik` or `/analytics/qlik`.
    pub fn parse(text: &str) -> Result<Self, RoutePathMistake> {
        let forbidden = |c: char| "%\\?#".contains(c) || c.is_control();
        if let Some(character) = text.chars().find(|c| forbidden(*c)) {
            return Err(RoutePathMistake::Forbidden(character));
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(RoutePathMistake::Relative(text.to_owned()));
        };
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        if segments
            .iter()
            .any(|segment| segment == "." || segment == "..")
        {
            return Err(RoutePathMistake::Dots);
        }
        if segments.iter().any(String::is_empty) {
            return Err(RoutePathMistake::EmptySegment(tidied(path)));
        }
        Ok(Self(segments))
    }

    /// The segments, none for `/`.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

fn tidied(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", segments.join("/"))
}

impl RoutePathMistake {
    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> String {
        match self {
            Self::Dots => "write the path that is meant, such as \"/qlik\"".to_owned(),
            Self::EmptySegment(path) => format!("write {path:?}"),
            Self::Forbidden('%') => {
                "write the character itself: the path is compared decoded".to_owned()
            }
            Self::Forbidden(_) => "write a plain path, such as \"/qlik\"".to_owned(),
            Self::Relative(text) => format!("write {:?}", tidied(text)),
        }
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.join("/"))
    }
}

/// The name of a cookie (an RFC 6265 token).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CookieName(String);

/// Why a text is no name of a cookie.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CookieNameMistake {
    /// It is empty.
    #[error("a cookie has a name")]
    Empty,
    /// It holds a character that no cookie's name can hold.
    #[error("{0:?} cannot stand in a cookie's name")]
    Forbidden(char),
}

impl CookieName {
    /// Takes the name alone, without `=` and value.
    pub fn parse(text: &str) -> Result<Self, CookieNameMistake> {
        if text.is_empty() {
            return Err(CookieNameMistake::Empty);
        }
        match text.chars().find(|c| !is_token(*c)) {
            Some(character) => Err(CookieNameMistake::Forbidden(character)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A character of an RFC 9110 token.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

impl CookieNameMistake {
    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> String {
        let example = "such as \"session\" or \"__Host-session\"";
        match self {
            Self::Empty => format!("write the cookie's name, {example}"),
            Self::Forbidden(_) => format!("write the name alone, {example}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlike(text: &str) -> Option<String> {
        match Origin::parse(text) {
            Err(OriginMistake::Unlike(written)) => Some(written),
            _ => None,
        }
    }

    #[test]
    fn an_origin_is_taken_exactly_as_a_browser_writes_it() {
        for good in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://[::1]:8080",
            "capacitor://localhost",
            "chrome-extension://abcdefgh",
        ] {
            assert_eq!(Origin::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn an_origin_that_no_browser_writes_is_put_right() {
        for (text, written) in [
            ("https://app.example.com/", "https://app.example.com"),
            ("https://app.example.com/x?y#z", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("http://app.example.com:80", "http://app.example.com"),
            ("HTTPS://App.Example.com", "https://app.example.com"),
            ("https://u:p@app.example.com", "https://app.example.com"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("Capacitor://LocalHost/", "capacitor://localhost"),
            (" https://app.example.com", "https://app.example.com"),
        ] {
            assert_eq!(unlike(text).as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in ["null", "NULL"] {
            assert_eq!(Origin::parse(text), Err(OriginMistake::Null));
        }
        for text in ["*", "https://*.example.com", "https://*"] {
            assert_eq!(Origin::parse(text), Err(OriginMistake::Wildcard));
        }
        for text in [
            "",
            "app.example.com",
            "https://",
            "file:///x",
            "data:x",
            "//x",
        ] {
            assert_eq!(Origin::parse(text), Err(OriginMistake::Shapeless), "{text}");
        }
    }

    #[test]
    fn a_path_is_its_segments() {
        let segments = |text: &str| RoutePath::parse(text).unwrap().segments().to_vec();
        assert!(segments("/").is_empty());
        assert_eq!(segments("/a b/ü"), ["a b", "ü"]);
        assert_eq!(RoutePath::parse("/a/b").unwrap().to_string(), "/a/b");
    }

    #[test]
    fn a_crooked_path_is_refused() {
        for (text, instead) in [
            ("qlik", "write \"/qlik\""),
            ("", "write \"/\""),
            ("/qlik/", "write \"/qlik\""),
            ("//qlik", "write \"/qlik\""),
            ("/a/../b", "write the path that is meant, such as \"/qlik\""),
            (
                "/a%2Fb",
                "write the character itself: the path is compared decoded",
            ),
            ("/a?b", "write a plain path, such as \"/qlik\""),
            ("/a\\b", "write a plain path, such as \"/qlik\""),
        ] {
            assert_eq!(
                RoutePath::parse(text).unwrap_err().instead(),
                instead,
                "{text}"
            );
        }
    }

    #[test]
    fn a_cookie_name_is_a_token() {
        assert_eq!(
            CookieName::parse("__Host-s.1").unwrap().as_str(),
            "__Host-s.1"
        );
        assert_eq!(CookieName::parse(""), Err(CookieNameMistake::Empty));
        for (text, character) in [("a=b", '='), ("a b", ' '), ("a;b", ';'), ("ä", 'ä')] {
            let mistake = CookieNameMistake::Forbidden(character);
            assert_eq!(CookieName::parse(text), Err(mistake));
        }
    }
}
