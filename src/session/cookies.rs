//! Cookies by name, as exact bytes.
//!
//! A name that stands twice is refused rather than resolved: which of the two the app would take
//! is its own affair, and a cookie set from a neighbouring host must not become somebody's session.

use http::HeaderMap;
use http::header::COOKIE;

use super::error::{SessionError, Twice};
use crate::config::CookieName;

/// The value of a cookie; `None` when it is absent or empty.
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    name: &CookieName,
) -> Result<Option<&'a [u8]>, SessionError> {
    let mut values = pairs(headers)
        .filter(|(given, _)| *given == name.as_str().as_bytes())
        .map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(SessionError::Ambiguous(Twice::Cookie));
    }
    Ok(first.filter(|value| !value.is_empty()))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(pair)
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = text.split_at(equals);
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::testing::cookie_name;
    use super::*;

    fn found(lines: &[&'static str], name: &str) -> Result<Option<String>, SessionError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        let value = find(&headers, &cookie_name(name))?;
        Ok(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let lines = ["a=1; sid=x=y\"z ;  SID=other", "b; mysid=no"];
        assert_eq!(found(&lines, "sid"), Ok(Some("x=y\"z".to_owned())));
        assert_eq!(found(&lines, "SID"), Ok(Some("other".to_owned())));
        assert_eq!(found(&lines, "b"), Ok(None));
        assert_eq!(found(&["sid="], "sid"), Ok(None));
        assert_eq!(found(&[], "sid"), Ok(None));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let refused = Err(SessionError::Ambiguous(Twice::Cookie));
        assert_eq!(found(&["sid=1; sid=1"], "sid"), refused);
        assert_eq!(found(&["sid=1", "x=2; sid=3"], "sid"), refused);
        assert_eq!(found(&["sid=; sid=3"], "sid"), refused);
    }
}
