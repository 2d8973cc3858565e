//! What of a browser's request the app is asked about.

use std::iter;

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::cookies;
use super::super::error::{SessionError, Twice};
use super::super::vouching::Fingerprint;
use crate::config::CookieName;
use crate::id::RouteName;

/// The named cookies and headers of a request, and nothing else of it. It shows itself to nobody:
/// every value is marked as sensitive.
#[derive(Clone, Debug)]
pub(super) struct Evidence(Vec<(HeaderName, HeaderValue)>);

impl Evidence {
    /// Collects what is named; `None` when nothing of it is there.
    pub(super) fn collect(
        request: &HeaderMap,
        cookies: &[CookieName],
        headers: &[HeaderName],
    ) -> Result<Option<Self>, SessionError> {
        let mut found = Vec::new();
        found.extend(cookie(request, cookies)?.map(|value| (COOKIE, value)));
        for name in headers {
            let value = single(request, name)?.cloned();
            found.extend(value.map(|value| (name.clone(), value)));
        }
        for (_, value) in &mut found {
            value.set_sensitive(true);
        }
        Ok((!found.is_empty()).then_some(Self(found)))
    }

    /// The headers to ask with.
    pub(super) fn headers(&self) -> HeaderMap {
        self.0.iter().cloned().collect()
    }

    /// Names this evidence on a route.
    pub(super) fn fingerprint(&self, route: &RouteName) -> Fingerprint {
        let values = self
            .0
            .iter()
            .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        Fingerprint::of(iter::once(route.as_str().as_bytes()).chain(values))
    }
}

/// The names and values of what would be collected.
pub(super) fn parts<'a>(
    request: &'a HeaderMap,
    cookies: &'a [CookieName],
    headers: &'a [HeaderName],
) -> Result<Vec<&'a [u8]>, SessionError> {
    let mut parts = Vec::new();
    for name in cookies {
        let value = cookies::find(request, name)?;
        parts.extend(
            value
                .into_iter()
                .flat_map(|value| [name.as_str().as_bytes(), value]),
        );
    }
    for name in headers {
        let value = single(request, name)?;
        let value = value.map(HeaderValue::as_bytes);
        parts.extend(
            value
                .into_iter()
                .flat_map(|value| [name.as_str().as_bytes(), value]),
        );
    }
    Ok(parts)
}

/// A `Cookie` header with the named cookies, byte for byte, in the order of the config.
fn cookie(request: &HeaderMap, names: &[CookieName]) -> Result<Option<HeaderValue>, SessionError> {
    let mut line = Vec::new();
    for name in names {
        let Some(value) = cookies::find(request, name)? else {
            continue;
        };
        if !line.is_empty() {
            line.extend_from_slice(b"; ");
        }
        line.extend_from_slice(name.as_str().as_bytes());
        line.push(b'=');
        line.extend_from_slice(value);
    }
    // Made of parts of header values, so it always is one.
    Ok(HeaderValue::from_bytes(&line)
        .ok()
        .filter(|line| !line.is_empty()))
}

fn single<'a>(
    request: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, SessionError> {
    let mut values = request.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(SessionError::Ambiguous(Twice::Header));
    }
    Ok(first.filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::cookie_name;
    use super::*;

    const TENANT: HeaderName = HeaderName::from_static("x-tenant");

    fn collect(lines: &[(HeaderName, &'static str)]) -> Result<Option<Evidence>, SessionError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        let names = [cookie_name("sid"), cookie_name("csrf")];
        Evidence::collect(&headers, &names, &[TENANT])
    }

    fn print(lines: &[(HeaderName, &'static str)]) -> Fingerprint {
        let evidence = collect(lines).unwrap().unwrap();
        evidence.fingerprint(&RouteName::new("r"))
    }

    #[test]
    fn only_what_is_named_is_collected() {
        let lines = [
            (COOKIE, "csrf=\"q\"; theme=dark; sid=a b"),
            (TENANT, "t"),
            (HeaderName::from_static("x-other"), "o"),
        ];
        let headers = collect(&lines).unwrap().unwrap().headers();
        assert_eq!(headers.len(), 2);
        assert_eq!(headers[COOKIE], "sid=a b; csrf=\"q\"");
        assert_eq!(headers[TENANT], "t");
        assert!(collect(&[(COOKIE, "theme=dark; sid=")]).unwrap().is_none());
    }

    #[test]
    fn what_stands_twice_is_refused() {
        let cookies = collect(&[(COOKIE, "csrf=1; csrf=2")]);
        assert_eq!(cookies.unwrap_err(), SessionError::Ambiguous(Twice::Cookie));
        let headers = collect(&[(TENANT, "t"), (TENANT, "t")]);
        assert_eq!(headers.unwrap_err(), SessionError::Ambiguous(Twice::Header));
    }

    #[test]
    fn a_fingerprint_tells_all_evidence_apart() {
        let prints = [
            print(&[(COOKIE, "sid=a")]),
            print(&[(COOKIE, "sid=b")]),
            print(&[(COOKIE, "csrf=a")]),
            print(&[(COOKIE, "sid=a; csrf=b")]),
            print(&[(COOKIE, "sid=a"), (TENANT, "b")]),
            print(&[(TENANT, "sid=a")]),
        ];
        for (index, one) in prints.iter().enumerate() {
            assert!(prints[..index].iter().all(|other| other != one));
        }
        assert_eq!(prints[3], print(&[(COOKIE, "csrf=b; x=y; sid=a")]));
        let elsewhere = collect(&[(COOKIE, "sid=a")]).unwrap().unwrap();
        assert_ne!(prints[0], elsewhere.fingerprint(&RouteName::new("s")));
    }

    #[test]
    fn it_shows_itself_to_nobody() {
        let evidence = collect(&[(COOKIE, "sid=secret"), (TENANT, "secret")]);
        assert!(!format!("{evidence:?}").contains("secret"));
    }
}
