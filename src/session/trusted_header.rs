//! Sessions that an authenticating ingress vouches for, in headers that it sets.
//!
//! They are believed from the named peers alone; from everybody else they are as if they were
//! not there. Nobody tells when such a session ends, so that a socket has a longest life.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::{SessionError, Twice};
use super::moment::HORIZON;
use super::{Activity, Client, Knock, Session, Standing, subject};
use crate::config::TrustedHeader;
use crate::id::{Issuer, SessionId};
use crate::peer::{Believed, Peer};
use crate::person::Person;

/// The `trusted-header` check.
#[derive(Debug)]
pub(super) struct TrustedHeaderCheck {
    peers: Vec<Believed>,
    issuer: Issuer,
    subject: HeaderName,
    session: Option<HeaderName>,
    claims: BTreeMap<String, HeaderName>,
    lists: BTreeMap<String, HeaderName>,
    max_age: Duration,
}

impl TrustedHeaderCheck {
    /// Prepares the check.
    pub(super) fn new(config: TrustedHeader) -> Self {
        Self {
            peers: config.peers,
            issuer: Issuer::new(format!("trusted-header:{}", config.subject)),
            subject: config.subject,
            session: config.session,
            claims: config.claims,
            lists: config.lists,
            max_age: config.max_age.min(HORIZON),
        }
    }

    /// Reads who the ingress says it is; `None` when it says nothing, or is not the ingress.
    /// Programs are known by bearer tokens alone.
    pub(super) fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let Some(name) = self.shown(knock)? else {
            return Ok(None);
        };
        let subject = subject::parse(name);
        let subject = subject.ok_or(SessionError::Denied("the subject's header is malformed"))?;
        let session = match &self.session {
            Some(name) => single(knock.headers, name)?.map(SessionId::new),
            None => None,
        };
        let mut claims = serde_json::Map::new();
        for (name, header) in &self.claims {
            let text = single(knock.headers, header)?;
            claims.extend(text.map(|text| (name.clone(), Value::from(text))));
        }
        for (name, header) in &self.lists {
            let text = single(knock.headers, header)?;
            claims.extend(text.map(|text| (name.clone(), list(text))));
        }
        let person = Person::new(self.issuer.clone(), subject, session, claims);
        let until = Some(Instant::now() + self.max_age);
        let (_, standing) = watch::channel(Standing::Valid { until });
        Ok(Some(Session {
            person,
            standing,
            activity: Activity::default(),
            app: None,
        }))
    }

    /// Whether a peer is the ingress.
    /// The subject that a believed peer names.
    pub(super) fn shown<'a>(&self, knock: Knock<'a>) -> Result<Option<&'a str>, SessionError> {
        if knock.client == Client::Program || !self.believes(knock.peer) {
            return Ok(None);
        }
        single(knock.headers, &self.subject)
    }

    fn believes(&self, peer: Peer) -> bool {
        self.peers.iter().any(|believed| believed.covers(peer))
    }
}

/// The text of a header; `None` when it is absent or empty. One that stands twice is refused: which
/// of the two the ingress has set cannot be told.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, SessionError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(SessionError::Ambiguous(Twice::Header));
    }
    let text = std::str::from_utf8(value.as_bytes());
    let text = text.map_err(|_| SessionError::Denied("a session header is no text"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// What stands between commas.
fn list(text: &str) -> Value {
    let items = text.split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::super::Sessions;
    use super::super::testing::{knock_from, sessions};
    use super::*;
    use crate::config::SessionCheck;
    use crate::fault::{Fault, Faulty as _};
    use crate::person::ClaimPath;

    const INGRESS: &str = "10.1.2.3";

    fn route() -> Sessions {
        let name = HeaderName::from_static;
        sessions(vec![SessionCheck::TrustedHeader(TrustedHeader {
            peers: vec![
                Believed::Network("10.1.0.0/16".parse().unwrap()),
                Believed::Network("fd00:1::/64".parse().unwrap()),
            ],
            subject: name("x-user"),
            session: Some(name("x-session")),
            claims: BTreeMap::from([("email".to_owned(), name("x-email"))]),
            lists: BTreeMap::from([("groups".to_owned(), name("x-groups"))]),
            max_age: Duration::from_hours(12),
        })])
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(*name, value);
        }
        headers
    }

    async fn from(peer: &str, lines: &[(&'static str, &str)]) -> Result<Session, SessionError> {
        let (peer, headers) = (peer.parse().unwrap(), headers(lines));
        knock_from(peer, &route(), Client::Browser, &headers).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_ingress_says_who_it_is() {
        let lines = [
            ("x-user", "Zoë|auth0"),
            ("x-session", "canary"),
            ("x-email", "z@example"),
            ("x-groups", "a, b,,c d "),
            ("x-role", "admin"),
        ];
        let session = from(INGRESS, &lines).await.unwrap();
        let person = session.person();
        assert_eq!(person.issuer().as_str(), "trusted-header:x-user");
        assert_eq!(person.subject().as_str(), "Zoë|auth0");
        assert_eq!(person.session().unwrap().expose(), "canary");
        let claim = |name: &str| person.claim(&ClaimPath::new(name)).cloned();
        assert_eq!(claim("email"), Some(json!("z@example")));
        assert_eq!(claim("groups"), Some(json!(["a", "b", "c d"])));
        assert_eq!(claim("x-role"), None);
        let until = Some(Instant::now() + Duration::from_hours(12));
        assert_eq!(*session.standing().borrow(), Standing::Valid { until });
        assert!(!format!("{session:?}").contains("canary"));
    }

    #[tokio::test]
    async fn nobody_else_is_believed_nor_hears_why() {
        for peer in ["10.1.255.255", "::ffff:10.1.0.1", "fd00:1::7"] {
            assert!(from(peer, &[("x-user", "ada")]).await.is_ok(), "{peer}");
        }
        let strangers = [
            "10.2.0.1",
            "127.0.0.1",
            "::1",
            "::ffff:10.2.0.1",
            "fd00:1:0:1::7",
            "::10.1.0.1",
        ];
        let lies = [
            &[("x-user", "ada")][..],
            &[("x-user", "ada"), ("x-user", "eve")],
            &[("x-user", "a\tb")],
            &[("x-user", "ada"), ("x-forwarded-for", INGRESS)],
        ];
        let pairs = strangers
            .iter()
            .flat_map(|peer| lies.map(|lie| (peer, lie)));
        for (peer, lie) in pairs {
            let error = from(peer, lie).await.unwrap_err();
            assert_eq!(error, SessionError::Missing, "{peer}");
        }
    }

    #[tokio::test]
    async fn what_stands_twice_or_is_malformed_is_refused() {
        for twice in ["x-user", "x-session", "x-email", "x-groups"] {
            let lines = [("x-user", "ada"), (twice, "eve"), (twice, "eve")];
            let error = from(INGRESS, &lines).await.unwrap_err();
            assert_eq!(error, SessionError::Ambiguous(Twice::Header), "{twice}");
            assert_eq!(error.fault(), Fault::BadRequest);
        }
        for bad in ["a\tb", "a\u{85}b", &"x".repeat(257)] {
            let error = from(INGRESS, &[("x-user", bad)]).await.unwrap_err();
            assert!(matches!(error, SessionError::Denied(_)), "{bad:?}");
        }
        let mut latin = HeaderMap::new();
        latin.insert("x-user", HeaderValue::from_bytes(b"Zo\xeb").unwrap());
        let peer = INGRESS.parse().unwrap();
        let error = knock_from(peer, &route(), Client::Browser, &latin).await;
        assert!(matches!(error, Err(SessionError::Denied(_))));
    }

    #[tokio::test]
    async fn without_a_subject_there_is_nobody() {
        for lines in [&[][..], &[("x-user", "")], &[("x-session", "s")]] {
            let error = from(INGRESS, lines).await.unwrap_err();
            assert_eq!(error, SessionError::Missing);
        }
        let (peer, headers) = (INGRESS.parse().unwrap(), headers(&[("x-user", "ada")]));
        let program = knock_from(peer, &route(), Client::Program, &headers).await;
        assert_eq!(program.unwrap_err(), SessionError::Missing);
    }
}
