//! `POST /oauth/token/anonymous-embed`: a token for whoever brings an access code.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::super::{
    refusal::{Answer, Refusal, reply},
    shared::Shared,
    vault::Purpose,
};

const GRANT: &str = "urn:qlik:oauth:anonymous-embed";

pub(super) fn mint(shared: &Shared, body: &Bytes) -> Result<Answer, Refusal> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = shared.settings.cloud.anonymous.as_ref();
    let known = known.is_some_and(|(id, code)| text("client_id") == id && text("eac") == code);
    let tracking = text("tracking_code");
    let lawful = tracking.len() == 40 && tracking.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !known || !lawful || text("grant_type") != GRANT {
        return Err(Refusal::plain(StatusCode::UNAUTHORIZED));
    }
    let user = format!("anonymous-{tracking}");
    let life = shared.vault.life;
    let token = shared.vault.mint(&user, Purpose::Person, life);
    let body = json!({
        "access_token": token, "token_type": "bearer", "expires_in": life.as_secs(),
    });
    Ok(reply(StatusCode::OK, &body))
}
