//! `OpenID` Connect Back-Channel Logout 1.0: what a logout token must say (section 2.6).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::warn;

use super::super::error::Flaw;
use super::super::moment::Moment;
use super::super::{Logout, subject};
use super::claims::{LOGOUT_EVENT, Rules, judge_audience, time};
use crate::config::JwtLogout;
use crate::id::{RouteName, SessionId};
use crate::revocation::{Begun, Revocation, Whom};

/// How old a logout may be when it says nothing about its end.
const OLDEST: Duration = Duration::from_mins(10);

/// How many logout tokens are remembered, so that none is used twice; only the issuer can add one.
const MOST: usize = 100_000;

/// The logout tokens that one check takes.
#[derive(Debug)]
pub(super) struct Logouts {
    route: RouteName,
    audience: Vec<String>,
    remember: Duration,
    used: Mutex<HashMap<String, Instant>>,
    said: AtomicBool,
}

impl Logouts {
    pub(super) fn new(route: &RouteName, config: JwtLogout, remember: Duration) -> Self {
        Self {
            route: route.clone(),
            audience: config.audience,
            remember,
            used: Mutex::default(),
            said: AtomicBool::new(false),
        }
    }

    /// A token of the issuer was refused because it could outlive its logout. Said once: so are all that
    /// follow.
    pub(super) fn report_lasting(&self) {
        if !self.said.swap(true, Ordering::Relaxed) {
            warn!(
                route = %self.route,
                "tokens that live longer than `logout_memory`, or have no `iat`, are refused: raise \
                 `logout_memory`, or have shorter ones issued"
            );
        }
    }

    /// Judges the claims of a token whose signature is verified, and uses the token up.
    pub(super) fn judge(
        &self,
        rules: &Rules,
        claims: &Map<String, Value>,
        now: Moment,
    ) -> Result<Logout, Flaw> {
        let issuer = rules.judge_issuer(claims)?;
        judge_audience(&self.audience, claims)?;
        demand_event(claims)?;
        let (begin, expiry) = judge_times(claims, now, rules.leeway)?;
        let whom = whom(claims, begin)?;
        let id = claims
            .get("jti")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty());
        self.use_up(id.ok_or(Flaw::Claim("jti"))?, now.until(expiry))?;
        let revocation = Revocation { issuer, whom };
        Ok(Logout {
            revocation,
            remember: self.remember,
        })
    }

    fn use_up(&self, id: &str, expiry: Instant) -> Result<(), Flaw> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if used.get(id).is_some_and(|until| now < *until) {
            return Err(Flaw::Replayed);
        }
        if used.len() >= MOST {
            used.retain(|_, until| now < *until);
        }
        // Past the bound a replay would go unnoticed; all it could do is to end what is ended.
        if used.len() < MOST {
            used.insert(id.to_owned(), expiry);
        }
        Ok(())
    }
}

/// `events` names the logout, with an object; `nonce` would make it an ID token.
fn demand_event(claims: &Map<String, Value>) -> Result<(), Flaw> {
    let event = claims
        .get("events")
        .and_then(|events| events.get(LOGOUT_EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(Flaw::NoLogout);
    }
    if claims.contains_key("nonce") {
        Err(Flaw::Claim("nonce"))
    } else {
        Ok(())
    }
}

/// When it was issued, and when it is over, leeway included.
fn judge_times(
    claims: &Map<String, Value>,
    now: Moment,
    leeway: Duration,
) -> Result<(f64, f64), Flaw> {
    let leeway = leeway.as_secs_f64();
    let issued = time(claims, "iat")?.ok_or(Flaw::Claim("iat"))?;
    let expiry = time(claims, "exp")?.unwrap_or(issued + OLDEST.as_secs_f64()) + leeway;
    if issued > now.unix() + leeway {
        return Err(Flaw::Immature);
    }
    if now.unix() >= expiry {
        Err(Flaw::Expired)
    } else {
        Ok((issued, expiry))
    }
}

/// By `sid` where there is one, for it says more; else by `sub`, up to the moment of the logout. Both
/// are kept: an app's token may have no `sid` to be told by.
fn whom(claims: &Map<String, Value>, issued: f64) -> Result<Whom, Flaw> {
    let text = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
        Some(_) => Err(Flaw::Claim(name)),
    };
    let sid = text("sid")?.map(SessionId::new);
    let subject = text("sub")?.and_then(subject::parse);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of today"
    )]
    let until = issued as u64;
    let theirs = subject.map(|subject| Begun { subject, until });
    match (sid, theirs) {
        (Some(sid), theirs) => Ok(Whom::Session(sid, theirs)),
        (None, Some(theirs)) => Ok(Whom::Subject(theirs)),
        (None, None) => Err(Flaw::Subject),
    }
}
