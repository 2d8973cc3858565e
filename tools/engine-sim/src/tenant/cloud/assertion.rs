//! `private_key_jwt` (RFC 7523): a client says who it is by a JWT of its own.

use serde_json::{Map, Value};

use super::super::{builder::ClientId, shared::Shared};
use crate::jwt;

/// How long an assertion may be good, in seconds.
const LONGEST: u64 = 300;

/// Whether `assertion` says that this is the client, to this endpoint, for the first time.
pub(in crate::tenant) fn holds(shared: &Shared, client: &str, assertion: &str) -> bool {
    shared.vault.keep(assertion);
    let cloud = &shared.settings.cloud;
    let key = cloud.keys.get(&ClientId(client.to_owned()));
    let claims = key.and_then(|(key, algorithms)| jwt::verify(assertion, key, algorithms));
    claims.is_some_and(|claims| {
        let says = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        says("iss") == client
            && says("sub") == client
            && says("aud").ends_with("/oauth/token")
            && is_short(&claims)
            && cloud.is_new(&claims)
    })
}

fn is_short(claims: &Map<String, Value>) -> bool {
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    let (Some(issued), Some(end)) = (time("iat"), time("exp")) else {
        return false;
    };
    end.checked_sub(issued).is_some_and(|life| life <= LONGEST)
}
