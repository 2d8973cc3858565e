//! What a request showed of its session, so that another replica can look at it again.
//!
//! Of a request, only the cookies and headers that a check of its route looks at are kept.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Client, Knock, cookies};
use crate::config::{CookieName, SessionCheck};
use crate::peer::Peer;

/// The cookies and headers that the checks of a route look at.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    cookies: Vec<CookieName>,
    headers: Vec<HeaderName>,
}

impl Wanted {
    /// What these checks look at.
    pub(super) fn of(checks: &[SessionCheck]) -> Self {
        let mut wanted = Self::default();
        for check in checks {
            wanted.add(check);
        }
        wanted
    }

    fn add(&mut self, check: &SessionCheck) {
        match check {
            SessionCheck::ForwardAuth(config) => {
                self.cookies.extend(config.cookies.iter().cloned());
                self.headers.extend(config.headers.iter().cloned());
            }
            SessionCheck::Introspection(config) => self.add_token(config.cookie.as_ref()),
            SessionCheck::Jwt(config) => self.add_token(config.cookie.as_ref()),
            SessionCheck::Redis(config) => self.cookies.push(config.cookie.clone()),
            SessionCheck::Ticket(_) => {}
            SessionCheck::TrustedHeader(config) => {
                self.headers.push(config.subject.clone());
                self.headers.extend(config.session.iter().cloned());
                self.headers.extend(config.claims.values().cloned());
                self.headers.extend(config.lists.values().cloned());
            }
        }
        self.headers.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        self.headers.dedup();
    }

    fn add_token(&mut self, cookie: Option<&CookieName>) {
        self.cookies.extend(cookie.cloned());
        self.headers.push(AUTHORIZATION);
    }
}

/// What a request showed of its session. It shows itself to nobody.
pub(super) struct Shown {
    pub(super) headers: HeaderMap,
    pub(super) client: Client,
    pub(super) peer: Peer,
}

impl Shown {
    /// Keeps what is wanted of a request that a check has found good. A cookie that stands twice is
    /// one that no check has looked at, or the request would have been refused.
    pub(super) fn of(wanted: &Wanted, knock: Knock<'_>) -> Self {
        let mut headers = HeaderMap::new();
        for name in &wanted.headers {
            for value in knock.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        for name in &wanted.cookies {
            let value = cookies::find(knock.headers, name).ok().flatten();
            let pair = value.map(|value| [name.as_str().as_bytes(), b"=", value].concat());
            // Made of parts of header values, so it always is one.
            let pair = pair.and_then(|pair| HeaderValue::from_bytes(&pair).ok());
            if let Some(pair) = pair.filter(|_| !holds(&headers, name)) {
                headers.append(COOKIE, pair);
            }
        }
        Self {
            headers,
            client: knock.client,
            peer: knock.peer,
        }
    }

    /// The request again, as far as it is kept; nothing but a plain one.
    pub(super) fn knock(&self) -> Knock<'_> {
        Knock {
            headers: &self.headers,
            client: self.client,
            peer: self.peer,
            upgrade: None,
        }
    }
}

/// Two checks may look at one cookie.
fn holds(headers: &HeaderMap, name: &CookieName) -> bool {
    matches!(cookies::find(headers, name), Ok(Some(_)))
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::testing::cookie_name;
    use super::*;

    #[test]
    fn what_no_check_looks_at_is_not_kept() {
        let tenant = HeaderName::from_static("x-tenant");
        let wanted = Wanted {
            cookies: ["sid", "sid", "twice", "absent"].map(cookie_name).into(),
            headers: vec![AUTHORIZATION, tenant.clone()],
        };
        let lines = [
            (COOKIE, "theme=dark; sid=a=b; twice=1"),
            (COOKIE, "twice=2"),
            (tenant.clone(), "one"),
            (tenant.clone(), "two"),
            (HeaderName::from_static("x-other"), "canary"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        let knock = Knock {
            headers: &headers,
            client: Client::Browser,
            peer: Peer::Tcp(Ipv4Addr::LOCALHOST.into()),
            upgrade: None,
        };
        let shown = Shown::of(&wanted, knock);
        assert_eq!(shown.headers.len(), 3, "{:?}", shown.headers);
        assert_eq!(shown.headers[COOKIE], "sid=a=b");
        let tenants: Vec<_> = shown.headers.get_all(tenant).iter().collect();
        assert_eq!(tenants, ["one", "two"]);
        assert_eq!(format!("{shown:?}"), "Shown(…)");
    }
}
