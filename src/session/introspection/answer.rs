//! What the authorisation server's answer must say (RFC 7662 section 2.2).

use serde_json::{Map, Value};

use super::super::error::{Flaw, Outage, SessionError};
use super::super::moment::Moment;
use super::super::vouching::{Answer, Source as _};
use super::super::{fetch, json, subject};
use super::server::AuthorisationServer;
use crate::config::Introspection;
use crate::id::{Issuer, SessionId, Subject};
use crate::person::{ClaimPath, Person};

/// How far the server's clock may be ahead, in seconds.
const LEEWAY: f64 = 30.0;

/// The rules that an answer is held to.
#[derive(Debug)]
pub(super) struct Rules {
    issuer: Option<Issuer>,
    endpoint: Issuer,
    audience: Vec<String>,
    subject: ClaimPath,
    session: ClaimPath,
}

impl Rules {
    /// Takes them from the config.
    pub(super) fn new(config: &Introspection) -> Self {
        Self {
            issuer: config.issuer.clone(),
            endpoint: fetch::issuer(&config.url),
            audience: config.audience.clone(),
            subject: config.subject.clone(),
            session: config.session.clone(),
        }
    }

    /// Judges an answer.
    pub(super) fn judge(&self, body: &[u8]) -> Result<Answer, SessionError> {
        let unreadable = || AuthorisationServer::down(Outage::Answer("no unambiguous JSON object"));
        let claims = json::object(body).ok_or_else(unreadable)?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(SessionError::Denied("the token is not active"));
        }
        judge_use(&claims)?;
        let expires = judge_times(&claims)?;
        self.judge_origin(&claims)?;
        let subject = self.subject(&claims)?;
        let session = self.session.find(&claims).and_then(json::name);
        let issuer = self.issuer.as_ref().unwrap_or(&self.endpoint).clone();
        let person = Person::new(issuer, subject, session.map(SessionId::new), claims);
        Ok(Answer { person, expires })
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

    fn judge_origin(&self, claims: &Map<String, Value>) -> Result<(), Flaw> {
        let issuer = claims.get("iss").and_then(Value::as_str);
        if let Some(own) = &self.issuer
            && issuer != Some(own.as_str())
        {
            return Err(Flaw::Issuer);
        }
        let ours = |value: &Value| {
            let named = value.as_str();
            named.is_some_and(|name| self.audience.iter().any(|own| own == name))
        };
        let good = match claims.get("aud") {
            _ if self.audience.is_empty() => true,
            Some(Value::Array(names)) => names.iter().any(ours),
            Some(name) => ours(name),
            None => false,
        };
        good.then_some(()).ok_or(Flaw::Audience)
    }
}

/// Refuses what is no access token, and one that only the holder of a key may use: nothing here
/// sees that key.
fn judge_use(claims: &Map<String, Value>) -> Result<(), SessionError> {
    let says = |key: &str, words: &[&str]| match claims.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(words.iter().any(|word| text.eq_ignore_ascii_case(word))),
        Some(_) => Some(false),
    };
    let of_type = says("token_type", &["bearer", "access_token"]).unwrap_or(true);
    let of_use = says("token_use", &["access", "access_token"]).unwrap_or(true);
    let other = says("typ", &["refresh", "offline", "id", "logout"]).unwrap_or(false);
    let is_access_token = of_type && of_use && !other;
    if !is_access_token {
        return Err(SessionError::Denied("it is no access token"));
    }
    if claims.get("cnf").is_some_and(|key| !key.is_null()) {
        return Err(SessionError::Denied("the token is bound to a key"));
    }
    Ok(())
}

/// When the token expires.
fn judge_times(claims: &Map<String, Value>) -> Result<Option<f64>, Flaw> {
    let time = |name: &'static str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Flaw::Claim(name)),
    };
    let now = Moment::now().unix();
    let expires = time("exp")?;
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Flaw::Expired);
    }
    if time("nbf")?.is_some_and(|begin| begin > now + LEEWAY) {
        return Err(Flaw::Immature);
    }
    Ok(expires)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_a_subject_only_when_verified() {
        let judged = |path: &str, claims: &Value| {
            let rules = Rules {
                issuer: None,
                endpoint: Issuer::new("https://idp.example/introspect"),
                audience: Vec::new(),
                subject: ClaimPath::new(path),
                session: ClaimPath::new("sid"),
            };
            let judged = rules.judge(claims.to_string().as_bytes());
            judged.map(|answer| answer.person.subject().as_str().to_owned())
        };
        let email = "ada@example.com";
        let unverified = Err(Flaw::Claim("email_verified").into());
        for said in [json!(false), json!("true"), json!(null)] {
            let claims = json!({"active": true, "email": email, "email_verified": said});
            assert_eq!(judged("email", &claims), unverified);
            assert_eq!(judged("/email", &claims), unverified);
        }
        let silent = json!({"active": true, "email": email});
        assert_eq!(judged("email", &silent), unverified);
        let verified = json!({"active": true, "email": email, "email_verified": true});
        assert_eq!(judged("email", &verified), Ok(email.to_owned()));
    }
}
