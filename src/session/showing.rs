//! What a request would be known by, told before anybody looks at it.

use std::borrow::Cow;
use std::fmt;

use super::{Check, Client, Knock, SessionError, Sessions, Ticket, bearer};
use crate::id::SessionId;

/// The credential that decides about a request, and nothing else of it. It shows itself to nobody.
#[derive(Hash)]
pub struct Showing<'a> {
    kind: &'static str,
    parts: Vec<Cow<'a, [u8]>>,
}

impl<'a> Showing<'a> {
    /// A credential of these parts, for the kind of check that looks at them.
    pub(crate) fn new(kind: &'static str, parts: Vec<&'a [u8]>) -> Self {
        let parts = parts.into_iter().map(Cow::Borrowed).collect();
        Self { kind, parts }
    }

    /// A credential that a session's id is, however the request writes it.
    fn naming(kind: &'static str, id: &SessionId) -> Self {
        let id = id.expose().as_bytes().to_vec();
        let parts = vec![Cow::Owned(id)];
        Self { kind, parts }
    }

    /// The kind of check that looks at it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Debug for Showing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Showing(…)")
    }
}

impl Ticket {
    /// How the request that brings it will show it.
    #[must_use]
    pub fn showing(&self) -> Showing<'_> {
        Showing::new(Self::KIND, vec![self.expose().as_bytes()])
    }
}

impl Sessions {
    /// What [`identify`](Self::identify) would go by; `None` where that is nothing, or nothing that
    /// stands there once.
    #[must_use]
    pub fn showing<'a>(&'a self, knock: Knock<'a>) -> Option<Showing<'a>> {
        self.shown(knock).ok().flatten()
    }

    /// What [`recognise`](Self::recognise) would go by.
    #[must_use]
    pub fn showing_plainly<'a>(&'a self, knock: Knock<'a>) -> Option<Showing<'a>> {
        let by_bearer = Knock {
            client: Client::Program,
            ..knock
        };
        match knock.client {
            Client::Browser => match self.shown(by_bearer) {
                Ok(None) => self.showing(knock),
                shown => shown.ok().flatten(),
            },
            Client::Program => self.showing(knock),
        }
    }

    fn shown<'a>(&'a self, knock: Knock<'a>) -> Result<Option<Showing<'a>>, SessionError> {
        let mut checks = self.checks.iter();
        let shown = checks.find_map(|(check, _)| check.shown(knock).transpose());
        shown.transpose()
    }
}

impl Check {
    fn shown<'a>(&'a self, knock: Knock<'a>) -> Result<Option<Showing<'a>>, SessionError> {
        let parts = match self {
            Self::ForwardAuth(check) => check.shown(knock)?,
            Self::Introspection(check) => one(bearer::find(knock, check.cookie())?),
            Self::Jwt(check) => one(bearer::find(knock, check.cookie())?),
            Self::Redis(check) => {
                let id = check.shown(knock)?;
                return Ok(id.map(|id| Showing::naming(self.kind(), &id)));
            }
            Self::Ticket(check) => one(check.shown(knock)?.map(str::as_bytes)),
            Self::TrustedHeader(check) => one(check.shown(knock)?.map(str::as_bytes)),
        };
        let is_shown = !parts.is_empty();
        Ok(is_shown.then(|| Showing::new(self.kind(), parts)))
    }
}

fn one(part: Option<&[u8]>) -> Vec<&[u8]> {
    part.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use http::header::{AUTHORIZATION, COOKIE};
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::super::Upgrade;
    use super::super::testing::{cookie_name, sessions};
    use super::*;
    use crate::config::{Carrier, Jwt, JwtKeys, SessionCheck, TicketRules, TrustedHeader};
    use crate::peer::{Believed, Peer};
    use crate::person::ClaimPath;

    const TICKET: &str = "qix-ticket=t-1";

    /// Tickets, then tokens, then what an ingress says.
    fn route() -> Sessions {
        let jwt = Jwt {
            cookie: Some(cookie_name("session")),
            keys: JwtKeys::Hmac(vec![1; 32].into()),
            algorithms: vec![crate::config::Algorithm::HS256],
            issuer: None,
            audience: Vec::new(),
            subject: ClaimPath::new("sub"),
            session: ClaimPath::new("sid"),
            leeway: Duration::ZERO,
            logout: None,
        };
        let ingress = TrustedHeader {
            peers: vec![Believed::Unix],
            subject: HeaderName::from_static("x-user"),
            session: None,
            claims: [].into(),
            lists: [].into(),
            max_age: Duration::from_hours(1),
        };
        let tickets = TicketRules {
            life: Duration::from_secs(30),
            carriers: vec![Carrier::Query],
        };
        sessions(vec![
            SessionCheck::Ticket(tickets),
            SessionCheck::Jwt(jwt),
            SessionCheck::TrustedHeader(ingress),
        ])
    }

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let lines = lines.iter().cloned();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn page<'a>(headers: &'a HeaderMap, query: &'a str) -> Knock<'a> {
        let upgrade = Upgrade {
            query: Some(query),
            document: "app",
        };
        Knock {
            headers,
            client: Client::Browser,
            peer: Peer::Tcp(Ipv4Addr::LOCALHOST.into()),
            upgrade: Some(upgrade),
        }
    }

    fn known_by(showing: Option<Showing<'_>>) -> Option<(&'static str, String)> {
        let showing = showing?;
        let parts = String::from_utf8(showing.parts.concat()).unwrap();
        Some((showing.kind(), parts))
    }

    #[test]
    fn the_first_kind_that_finds_a_credential_decides_and_nothing_else_counts() {
        let route = route();
        let user = HeaderName::from_static("x-user");
        let both = headers(&[
            (COOKIE, "theme=dark; session=s-1"),
            (AUTHORIZATION, "Bearer b-1"),
            (user, "ada"),
        ]);
        let known = |knock| known_by(route.showing(knock));
        let is = |kind, text: &str| Some((kind, text.to_owned()));
        assert_eq!(known(page(&both, TICKET)), is("ticket", "t-1"));
        assert_eq!(known(page(&both, "")), is("jwt", "s-1"));
        let program = Knock {
            client: Client::Program,
            ..page(&both, "")
        };
        assert_eq!(known(program), is("jwt", "b-1"));
        let plain = Knock {
            upgrade: None,
            ..page(&both, TICKET)
        };
        assert_eq!(known(plain), is("jwt", "s-1"), "no ticket opens it");
        assert_eq!(
            known_by(route.showing_plainly(plain)),
            is("jwt", "b-1"),
            "which it sends on purpose"
        );
    }

    #[test]
    fn headers_count_of_whom_they_are_believed() {
        let route = route();
        let headers = headers(&[
            (HeaderName::from_static("x-user"), "ada"),
            (COOKIE, "theme=1"),
        ]);
        let stranger = page(&headers, "");
        let ingress = Knock {
            peer: Peer::Unix,
            ..stranger
        };
        assert_eq!(known_by(route.showing(stranger)), None);
        let said = Some(("trusted-header", "ada".to_owned()));
        assert_eq!(known_by(route.showing(ingress)), said);
        assert_eq!(known_by(route.showing_plainly(ingress)), said);
    }

    #[test]
    fn what_stands_twice_is_known_by_nothing() {
        let route = route();
        let twice = headers(&[
            (COOKIE, "session=a; session=b"),
            (AUTHORIZATION, "Bearer b"),
        ]);
        assert_eq!(known_by(route.showing(page(&twice, ""))), None);
        let tickets = "qix-ticket=t-1&qix-ticket=t-2";
        let one = headers(&[(COOKIE, "session=a")]);
        assert_eq!(known_by(route.showing(page(&one, tickets))), None);
    }
}
