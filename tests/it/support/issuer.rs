//! An identity provider: signs sessions and logouts by a key of its own, and publishes that key.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Portal, Recipe, Signer, now};

/// What it calls itself.
pub(crate) const ISSUER: &str = "https://idp.example.com";
/// The client id that logouts are for.
pub(crate) const CLIENT: &str = "my-app";
/// What a logout token's `events` names.
pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An identity provider.
pub(crate) struct Issuer {
    /// Its key set, at `/keys` and at `/spare`.
    pub(crate) portal: Portal,
    signer: Signer,
    logouts: AtomicU64,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let (portal, signer) = (Portal::start().await, Signer::named("idp-1"));
        portal.publish(vec![signer.jwk().clone()]);
        Self {
            portal,
            signer,
            logouts: AtomicU64::new(1),
        }
    }

    /// A route whose sessions are this issuer's, and which takes its logouts.
    pub(crate) fn recipe(&self) -> Recipe {
        Recipe::default().session(&self.check("/keys"))
    }

    /// The session check of such a route.
    pub(crate) fn check(&self, keys: &str) -> String {
        format!(
            "[[route.session]]\nkind = \"jwt\"\ncookie = \"session\"\njwks = \"{}\"\n\
             issuer = \"{ISSUER}\"\naudience = \"analytics\"\nlogout_audience = \"{CLIENT}\"\n",
            self.portal.url(keys)
        )
    }

    /// A session of a person, begun now unless the claims say otherwise.
    pub(crate) fn session(&self, claims: &Value) -> String {
        let session = json!({"iss": ISSUER, "aud": "analytics", "iat": now()});
        self.signer.sign(with(session, claims))
    }

    /// A logout token's claims, each with a `jti` of its own.
    pub(crate) fn logout_claims(&self, changes: &Value) -> Value {
        let id = self.logouts.fetch_add(1, Ordering::Relaxed);
        let claims = json!({
            "iss": ISSUER, "aud": CLIENT, "iat": now(), "exp": now() + 120,
            "jti": format!("logout-{id}"), "events": { EVENT: {} },
        });
        with(claims, changes)
    }

    /// A logout token.
    pub(crate) fn logout(&self, changes: &Value) -> String {
        self.signer.sign(self.logout_claims(changes))
    }

    /// Its public key, as the key set has it.
    pub(crate) fn public_key(&self) -> &Value {
        self.signer.jwk()
    }
}

/// Claims with others put over them; null takes one away.
fn with(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}
