//! Small values of the config, each parsed once.

use std::fmt;

/// A browser origin, `scheme://host[:port]`, exactly as a browser sends it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// The origin as a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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

impl RoutePath {
    /// A path of these segments.
    #[cfg(test)]
    pub(crate) fn of(segments: &[&str]) -> Self {
        Self(segments.iter().map(|&text| text.to_owned()).collect())
    }

    /// The segments, none for `/`.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

/// The name of a cookie (an RFC 6265 token).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CookieName(String);

impl CookieName {
    /// Takes a name; `None` for what is no token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        (!text.is_empty() && text.bytes().all(token)).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
