//! What the claims of a verified token must say.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::error::Flaw;
use super::super::moment::Moment;
use super::super::{Standing, subject};
use crate::id::{Issuer, SessionId, Subject};
use crate::person::{ClaimPath, Person};

/// The issuer of a token that names none.
const NAMELESS: &str = "jwt";

/// What `OpenID` Connect Back-Channel Logout 1.0 puts into `events`.
pub(super) const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The rules that claims are held to.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: Option<Issuer>,
    pub(super) audience: Vec<String>,
    pub(super) subject: ClaimPath,
    pub(super) session: ClaimPath,
    /// How far ahead of ours an issuer's clock may be.
    pub(super) leeway: Duration,
    /// How long a token may live from its `iat` on, where logouts are taken: one that outlives the memory
    /// of its logout would be good again.
    pub(super) longest: Option<Duration>,
}

impl Rules {
    /// Judges the claims of a token whose signature is verified, as things stand now. They may be a person's,
    /// whose `sub` is the subject that was found: nothing here looks at it.
    pub(super) fn judge(&self, claims: &Map<String, Value>, now: Moment) -> Result<Standing, Flaw> {
        refuse_logout(claims)?;
        let until = self.judge_times(claims, now)?;
        self.judge_audience(claims)?;
        self.judge_issuer(claims)?;
        let until = Some(now.until(until));
        Ok(Standing::Valid { until })
    }

    /// Whom claims describe that were judged.
    pub(super) fn describe(&self, claims: Map<String, Value>) -> Result<Person, Flaw> {
        let issuer = self.judge_issuer(&claims)?;
        let (subject, session) = (self.subject(&claims)?, self.session(&claims));
        Ok(Person::new(issuer, subject, session, claims))
    }

    /// When the token is over. An end has no leeway: the socket would outlive it, or the same token
    /// would open another as soon as the first is closed.
    fn judge_times(&self, claims: &Map<String, Value>, now: Moment) -> Result<f64, Flaw> {
        let expiry = time(claims, "exp")?.ok_or(Flaw::Claim("exp"))?;
        if now.unix() >= expiry {
            return Err(Flaw::Expired);
        }
        let latest = now.unix() + self.leeway.as_secs_f64();
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|begin| begin > latest) {
                return Err(Flaw::Immature);
            }
        }
        self.judge_life(time(claims, "iat")?, expiry)?;
        Ok(expiry)
    }

    fn judge_life(&self, issued: Option<f64>, expiry: f64) -> Result<(), Flaw> {
        let Some(longest) = self.longest else {
            return Ok(());
        };
        let ends_in_time = issued.is_some_and(|issued| expiry - issued <= longest.as_secs_f64());
        ends_in_time.then_some(()).ok_or(Flaw::Lasting)
    }

    fn judge_audience(&self, claims: &Map<String, Value>) -> Result<(), Flaw> {
        if self.audience.is_empty() {
            Ok(())
        } else {
            judge_audience(&self.audience, claims)
        }
    }

    pub(super) fn judge_issuer(&self, claims: &Map<String, Value>) -> Result<Issuer, Flaw> {
        let given = match claims.get("iss") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(Flaw::Claim("iss")),
        };
        match (&self.issuer, given) {
            (Some(own), Some(given)) if own.as_str() == given => Ok(own.clone()),
            (Some(_), _) => Err(Flaw::Issuer),
            (None, given) => Ok(Issuer::new(given.unwrap_or(NAMELESS))),
        }
    }

    /// An address that nobody verified is whatever its owner typed in: no subject.
    fn subject(&self, claims: &Map<String, Value>) -> Result<Subject, Flaw> {
        let beside = self.subject.verification();
        if beside.is_some_and(|beside| beside.find(claims) != Some(&Value::Bool(true))) {
            return Err(Flaw::Claim("email_verified"));
        }
        let text = self.subject.find(claims).and_then(Value::as_str);
        text.and_then(subject::parse).ok_or(Flaw::Subject)
    }

    fn session(&self, claims: &Map<String, Value>) -> Option<SessionId> {
        let id = self.session.find(claims)?.as_str()?;
        (!id.is_empty()).then(|| SessionId::new(id))
    }
}

/// Whether `aud` names one of `own`.
pub(super) fn judge_audience(own: &[String], claims: &Map<String, Value>) -> Result<(), Flaw> {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|name| own.iter().any(|own| own == name))
    };
    let good = match claims.get("aud") {
        Some(Value::Array(names)) => names.iter().any(ours),
        Some(name) => ours(name),
        None => false,
    };
    good.then_some(()).ok_or(Flaw::Audience)
}

fn refuse_logout(claims: &Map<String, Value>) -> Result<(), Flaw> {
    let logout = match claims.get("events") {
        Some(Value::Object(events)) => events.contains_key(LOGOUT_EVENT),
        Some(Value::Array(events)) => events.iter().any(|event| event == LOGOUT_EVENT),
        Some(event) => event == LOGOUT_EVENT,
        None => false,
    };
    if logout { Err(Flaw::Logout) } else { Ok(()) }
}

/// A `NumericDate` (RFC 7519 section 2): seconds since 1970, perhaps with a fraction.
pub(super) fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Flaw> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Flaw::Claim(name)),
    }
}
