//! The cookies that an answer sets, as far as they are asked for by name.

use std::time::Duration;

use http::HeaderMap;
use http::header::SET_COOKIE;

/// What an answer sets.
pub(super) struct Jar<'a>(Vec<Cookie<'a>>);

struct Cookie<'a> {
    name: &'a str,
    value: &'a str,
    max_age: Option<Duration>,
}

impl<'a> Jar<'a> {
    /// Reads an answer's headers; what is no cookie is passed over.
    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(SET_COOKIE).iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        Self(lines.filter_map(Cookie::parse).collect())
    }

    /// The name and value of the cookie of this name, unless it is set twice or to nothing.
    pub(super) fn only(&self, name: &str) -> Option<(&'a str, &'a str)> {
        let cookie = self.cookie(name)?;
        (!cookie.value.is_empty()).then_some((cookie.name, cookie.value))
    }

    /// How long the cookie of this name lives, where it says so.
    pub(super) fn life(&self, name: &str) -> Option<Duration> {
        self.cookie(name)?.max_age
    }

    fn cookie(&self, name: &str) -> Option<&Cookie<'a>> {
        let mut found = self.0.iter().filter(|cookie| cookie.name == name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

impl<'a> Cookie<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let max_age = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let named = name.trim().eq_ignore_ascii_case("max-age");
            let seconds = value.trim().parse().ok().filter(|_| named)?;
            Some(Duration::from_secs(seconds))
        });
        Some(Self {
            name: name.trim(),
            value: value.trim(),
            max_age,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_by_name_and_only_once() {
        let mut headers = HeaderMap::new();
        for line in [
            "eas.sid=a=b; Path=/; Max-Age=60; HttpOnly",
            "twice=1",
            "twice=2",
            "empty=; Path=/",
            "no cookie",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(line));
        }
        let jar = Jar::read(&headers);
        assert_eq!(jar.only("eas.sid"), Some(("eas.sid", "a=b")));
        assert_eq!(jar.life("eas.sid"), Some(Duration::from_mins(1)));
        for absent in ["twice", "empty", "no cookie", "eas"] {
            assert_eq!(jar.only(absent), None, "{absent}");
        }
    }
}
