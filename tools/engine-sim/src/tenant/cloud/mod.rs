//! What a tenant of Qlik Cloud has besides tokens for secrets: clients with keys, users, an identity
//! provider for JWTs, an app whose tokens it exchanges, and what may be embedded anonymously.

mod anonymous;
mod assertion;
mod directory;
mod login;
mod users;

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Mutex,
};

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

pub(super) use self::assertion::holds;
pub(super) use self::directory::Directory;
use self::login::{IdentityProvider, Login};
pub(super) use self::login::{admit, forget};
use super::{
    builder::ClientId,
    falter::falter,
    ledger::Entry,
    lock::hold,
    refusal::{Answer, Refusal},
    server,
    shared::Shared,
};
use crate::jwt;

const BODY_LIMIT: usize = 64 * 1024;

/// Where a session is opened with a JWT.
const LOGIN: &str = "/login/jwt-session";
/// Where an anonymous token is had.
const ANONYMOUS: &str = "/oauth/token/anonymous-embed";
/// The users' API.
const USERS: &str = "/api/v1/users";

/// A key, and the algorithms that go with it.
pub(super) type Verifier = (DecodingKey, Vec<Algorithm>);

/// The settings and the memory of all that.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(super) keys: HashMap<ClientId, Verifier>,
    provider: Option<IdentityProvider>,
    pub(super) app: Option<Verifier>,
    pub(super) anonymous: Option<(String, String)>,
    pub(super) directory: Directory,
    logins: Mutex<HashMap<String, Login>>,
    seen: Mutex<HashSet<String>>,
}

impl Cloud {
    pub(super) fn provide(&mut self, issuer: &str, key_id: &str, pem: &str) -> io::Result<()> {
        let key = jwt::verifier(pem)?;
        self.provider = Some(IdentityProvider::new(issuer, key_id, key));
        Ok(())
    }

    /// Whom an app's token is about, when the app signed it.
    pub(super) fn person_of(&self, token: &str) -> Option<String> {
        let (key, algorithms) = self.app.as_ref()?;
        let claims = jwt::verify(token, key, algorithms)?;
        Some(claims.get("sub")?.as_str()?.to_owned())
    }

    /// Notes a `jti`; a second time it is refused.
    fn is_new(&self, claims: &Map<String, Value>) -> bool {
        let jti = claims.get("jti").and_then(Value::as_str);
        jti.is_some_and(|jti| jti.len() >= 16 && hold(&self.seen).insert(jti.to_owned()))
    }
}

/// Answers what is none of the token endpoint's and of the engine's.
pub(super) async fn answer(
    shared: &Shared,
    entry: &Entry,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, io::Error> {
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map_err(|_| server::dropped())?.to_bytes();
    entry.body(&body);
    let path = head.uri.path();
    if [LOGIN, ANONYMOUS].contains(&path) {
        shared.ledger.count(|state| state.token_fetches += 1);
        if let Some(answer) = falter(shared, shared.stage.token()).await? {
            return Ok(answer);
        }
    }
    let answered = route(shared, head, &body);
    Ok(answered.unwrap_or_else(|refusal| refusal.answer(shared.vault.trace())))
}

fn route(shared: &Shared, head: &Parts, body: &Bytes) -> Result<Answer, Refusal> {
    match (&head.method, head.uri.path()) {
        (&Method::POST, LOGIN) => login::open(shared, head),
        (&Method::POST, ANONYMOUS) => anonymous::mint(shared, body),
        (&Method::GET, USERS) => users::find(shared, head),
        (&Method::POST, USERS) => users::create(shared, head, body),
        _ => Err(Refusal::plain(StatusCode::NOT_FOUND)),
    }
}
