//! Tokens minted, users they stand for, and the list of all that is secret.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::lock::hold;

/// Someone a token can stand for.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) subject: String,
    pub(crate) id: String,
    pub(crate) active: bool,
}

impl User {
    pub(crate) fn active(subject: &str, id: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            id: id.to_owned(),
            active: true,
        }
    }

    pub(crate) fn disabled(subject: &str, id: &str) -> Self {
        Self {
            active: false,
            ..Self::active(subject, id)
        }
    }
}

/// What a token was minted for, which decides where it is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// `client_credentials` of a client that administers users: a bearer for their API alone.
    Admin,
    /// `client_credentials`: a bearer that cannot be exchanged.
    Machine,
    /// Impersonation: a bearer that stands for a person.
    Person,
    /// Exchanged for the websocket: taken from the query alone.
    Websocket,
}

#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) user: String,
    pub(crate) purpose: Purpose,
    expires: Instant,
}

/// The secrets of one tenant.
pub(crate) struct Vault {
    tokens: Mutex<HashMap<String, Grant>>,
    secrets: Mutex<Vec<String>>,
    cookie: String,
    trace: String,
    pub(crate) life: Duration,
}

impl Vault {
    pub(crate) fn new(mut secrets: Vec<String>, life: Duration) -> Self {
        let cookie = canary("cookie");
        let trace = canary("trace");
        secrets.extend([cookie.clone(), trace.clone()]);
        Self {
            tokens: Mutex::default(),
            secrets: Mutex::new(secrets),
            cookie,
            trace,
            life,
        }
    }

    /// A new token for `user` that is good for `life`.
    pub(crate) fn mint(&self, user: &str, purpose: Purpose, life: Duration) -> String {
        let token = self.plant("token");
        let grant = Grant {
            user: user.to_owned(),
            purpose,
            expires: Instant::now() + life,
        };
        hold(&self.tokens).insert(token.clone(), grant);
        token
    }

    /// What `token` stands for, as long as it has not expired.
    pub(crate) fn grant(&self, token: &str) -> Option<Grant> {
        let grant = hold(&self.tokens).get(token).cloned()?;
        (Instant::now() < grant.expires).then_some(grant)
    }

    pub(crate) fn expire_all(&self) {
        hold(&self.tokens).clear();
    }

    /// A new secret that nobody but the caller's peer may ever see.
    pub(crate) fn plant(&self, kind: &str) -> String {
        let secret = canary(kind);
        hold(&self.secrets).push(secret.clone());
        secret
    }

    /// Remembers a secret that somebody else made.
    pub(crate) fn keep(&self, secret: &str) {
        let mut secrets = hold(&self.secrets);
        if !secrets.iter().any(|kept| kept == secret) {
            secrets.push(secret.to_owned());
        }
    }

    pub(crate) fn secrets(&self) -> Vec<String> {
        hold(&self.secrets).clone()
    }

    /// The value of the cookie on every answer to an upgrade.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The `traceId` of every refusal.
    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }
}

fn canary(kind: &str) -> String {
    format!("canary-{kind}-{:032x}", rand::random::<u128>())
}
