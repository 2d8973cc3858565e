//! `GET {path}/login?returnto=…`: @qlik/api's cookie mode sends a page there to sign in, and it is
//! led on to the app's own login page. It comes back only to a page of the route's origins.

use http::header::{HeaderValue, LOCATION, REFERRER_POLICY};
use http::{Response, StatusCode};
use url::{Url, form_urlencoded};

use super::reply::{self, Body};
use crate::config::{Origin, Route};
use crate::fault::Fault;

/// The parameter, here and at the login page.
const RETURN_TO: &str = "returnto";

/// Leads to the login page, or nowhere when none is configured.
pub(super) fn redirect(route: &Route, query: Option<&str>) -> Response<Body> {
    let Some(page) = &route.login else {
        return reply::fault(Fault::NotFound);
    };
    let mut page = page.clone();
    if let Some(back) = way_back(&route.origins, query.unwrap_or_default()) {
        page.query_pairs_mut().append_pair(RETURN_TO, back.as_str());
    }
    let Ok(location) = HeaderValue::from_str(page.as_str()) else {
        return reply::fault(Fault::BadRequest);
    };
    let mut response = reply::empty(StatusCode::FOUND);
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The page to come back to: named once, absolute, of one of these origins, and written so that
/// every reader takes it for the same page.
fn way_back(origins: &[Origin], query: &str) -> Option<Url> {
    let mut named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == RETURN_TO);
    let (_, text) = named.next()?;
    let page = Url::parse(&text).ok()?;
    let rest = text.get(page.scheme().len()..)?.strip_prefix("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let odd = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
    let plain = named.next().is_none()
        && !authority.is_empty()
        && !authority.contains('@')
        && !text.contains(odd);
    (plain && origins.iter().any(|origin| origin.holds(&page))).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(returnto: &str) -> Option<String> {
        let origins = ["https://app.example.com", "capacitor://localhost"];
        let origins = origins.map(|origin| Origin::parse(origin).unwrap());
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair(RETURN_TO, returnto).finish();
        way_back(&origins, &query).map(String::from)
    }

    #[test]
    fn a_page_of_the_routes_origins_is_come_back_to() {
        for (page, whole) in [
            ("https://app.example.com/", "https://app.example.com/"),
            ("https://app.example.com", "https://app.example.com/"),
            (
                "https://app.example.com:443/a?b=c%20d&mail=a@b#/e",
                "https://app.example.com/a?b=c%20d&mail=a@b#/e",
            ),
            ("HTTPS://App.Example.com/x", "https://app.example.com/x"),
            ("capacitor://localhost/x", "capacitor://localhost/x"),
        ] {
            assert_eq!(back(page).as_deref(), Some(whole), "{page}");
        }
    }

    #[test]
    fn no_other_page_is() {
        for page in [
            "",
            "/",
            "/home",
            "//app.example.com/",
            "//evil.example",
            "https:app.example.com",
            "https:/app.example.com/",
            "https:///app.example.com/",
            "https:\\\\app.example.com/",
            "https://app.example.com\\@evil.example/",
            "https://evil.example\\@app.example.com/",
            "https://app.example.com@evil.example/",
            "https://ada@app.example.com/",
            "https://ada:pw@app.example.com/",
            "https://@app.example.com/",
            "https://app.example.com.evil.example/",
            "https://app.example.com:8443/",
            "https://evil.example/https://app.example.com/",
            "https://evil.example#https://app.example.com/",
            "http://app.example.com/",
            " https://app.example.com/",
            "https://app.example.com/ ",
            "https://app.example.com/\u{a0}",
            "ht\ttps://app.example.com/",
            "https://app.exam\nple.com/",
            "\u{0}https://app.example.com/",
            "javascript:alert(1)",
            "javascript://app.example.com/%0aalert(1)",
            "data:text/html,x",
            "blob:https://app.example.com/1",
            "https://аpp.example.com/",
            "null",
        ] {
            assert_eq!(back(page), None, "{page:?}");
        }
    }

    #[test]
    fn a_page_named_twice_is_no_page() {
        let origins = [Origin::parse("https://app.example.com").unwrap()];
        let one = "returnto=https%3A%2F%2Fapp.example.com%2F";
        assert!(way_back(&origins, one).is_some());
        assert!(way_back(&origins, &format!("x=1&{one}")).is_some());
        assert!(way_back(&origins, &format!("{one}&{one}")).is_none());
        assert!(way_back(&origins, "").is_none());
    }
}
