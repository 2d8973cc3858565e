//! `POST /login/jwt-session`: a session for whom an identity provider vouches by JWT, and the
//! websocket that comes with its cookies.

use http::{
    HeaderMap, HeaderValue, StatusCode, header::COOKIE, header::SET_COOKIE, request::Parts,
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::super::{
    lock::hold,
    refusal::{Answer, Refusal, reply},
    shared::Shared,
    upgrade::bearer,
};
use super::Verifier;
use crate::jwt;

/// What `aud` must say.
const AUDIENCE: &str = "qlik.api/login/jwt-session";
/// The longest that a JWT may be good, in seconds.
const LONGEST: u64 = 3600;

/// Who vouches for people.
pub(super) struct IdentityProvider {
    issuer: String,
    key_id: String,
    key: Verifier,
}

impl IdentityProvider {
    pub(super) fn new(issuer: &str, key_id: &str, key: Verifier) -> Self {
        Self {
            issuer: issuer.to_owned(),
            key_id: key_id.to_owned(),
            key,
        }
    }
}

/// A session.
pub(super) struct Login {
    user: String,
    signature: String,
    csrf: String,
}

/// Opens a session.
pub(super) fn open(shared: &Shared, head: &Parts) -> Result<Answer, Refusal> {
    let token = bearer(&head.headers).unwrap_or_default();
    shared.vault.keep(token);
    let claims = judge(shared, token)?;
    let user = claims.get("sub").and_then(Value::as_str);
    let plant = |kind| shared.vault.plant(kind);
    let (sid, signature, csrf) = (plant("eas.sid"), plant("eas.sig"), plant("csrf"));
    let cookies = [
        ("eas.sid", sid.clone()),
        ("eas.sid.sig", signature.clone()),
        ("_csrfToken", csrf.clone()),
        ("_csrfToken.sig", plant("csrf.sig")),
        ("other", plant("other")),
    ];
    let login = Login {
        user: user.unwrap_or_default().to_owned(),
        signature,
        csrf,
    };
    hold(&shared.settings.cloud.logins).insert(sid, login);
    let mut answer = reply(StatusCode::OK, &json!({}));
    for (name, value) in cookies {
        let line = format!("{name}={value}; Path=/; HttpOnly; Secure");
        if let Ok(line) = HeaderValue::from_str(&line) {
            answer.headers_mut().append(SET_COOKIE, line);
        }
    }
    Ok(answer)
}

fn judge(shared: &Shared, token: &str) -> Result<Map<String, Value>, Refusal> {
    let cloud = &shared.settings.cloud;
    let refused = || Refusal::plain(StatusCode::UNAUTHORIZED);
    let provider = cloud.provider.as_ref().ok_or_else(refused)?;
    let head = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
    if head.kid.as_ref() != Some(&provider.key_id) {
        return Err(refused());
    }
    let (key, algorithms) = &provider.key;
    let claims = jwt::verify(token, key, algorithms).ok_or_else(refused)?;
    let says = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    for name in ["sub", "name", "email", "jti"] {
        if says(name).is_empty() {
            return Err(Refusal::plain(StatusCode::BAD_REQUEST).coded("INTERNAL-TOKEN-1"));
        }
    }
    let vouched = says("iss") == provider.issuer
        && says("aud") == AUDIENCE
        && says("subType") == "user"
        && claims.get("email_verified") == Some(&Value::Bool(true))
        && is_short(&claims)
        && cloud.is_new(&claims);
    vouched.then_some(claims).ok_or_else(refused)
}

fn is_short(claims: &Map<String, Value>) -> bool {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    let (Some(begin), Some(end)) = (time("nbf"), time("exp")) else {
        return false;
    };
    end.checked_sub(begin).is_some_and(|life| life <= LONGEST)
}

/// The user of the session whose cookies and CSRF token a websocket request carries.
pub(in crate::tenant) fn admit(
    shared: &Shared,
    headers: &HeaderMap,
    query: &str,
) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, csrf) = pairs.find(|(name, _)| name == "qlik-csrf-token")?;
    let mut lines = headers.get_all(COOKIE).iter();
    let line = lines.next()?.to_str().ok()?;
    if lines.next().is_some() {
        return None;
    }
    let cookie = |name: &str| {
        let mut pairs = line.split("; ").filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    let logins = hold(&shared.settings.cloud.logins);
    let login = logins.get(cookie("eas.sid")?)?;
    let matches = login.csrf == csrf && cookie("eas.sid.sig") == Some(login.signature.as_str());
    matches.then(|| login.user.clone())
}

/// Ends every session.
pub(in crate::tenant) fn forget(shared: &Shared) {
    hold(&shared.settings.cloud.logins).clear();
}
