//! Sessions that stand in the app's own store, a Redis: the cookie names one, the store says
//! whether it is there, whose it is and for how long.
//!
//! Of a store that is `plain`, nothing but the presence of the key is known.
//!
//! The store is read with commands that do not prolong what they read, and only at keys behind the
//! prefix. Nothing is written but the end of a session whose person is at work, where the config
//! says so. What the store holds besides the named places never leaves this room.

mod express;
mod id;
mod spring;
mod store;
#[cfg(test)]
mod tests;
mod touch;

use std::sync::Arc;

use self::store::Store;
use super::error::SessionError;
use super::vouching::{Desk, Fingerprint, Source as _};
use super::{Client, Knock, Lent, Session, cookies};
use crate::config::{CookieName, Redis, RedisFormat};
use crate::id::{RouteName, SessionId};
use crate::line::Line;

/// The `redis` check.
#[derive(Debug)]
pub(super) struct RedisCheck {
    route: RouteName,
    cookie: CookieName,
    desk: Arc<Desk<Store>>,
}

impl RedisCheck {
    /// Prepares the check; the store need not be there yet.
    pub(super) fn new(
        route: &RouteName,
        config: Redis,
        lent: Lent<'_>,
    ) -> Result<Self, SessionError> {
        let line = Line::new(&config.server, config.timeout, lent.tls);
        let line = line.map_err(|error| SessionError::Setup(error.to_string()))?;
        Ok(Self {
            route: route.clone(),
            cookie: config.cookie.clone(),
            desk: Arc::new(Desk::new(
                Store::new(route, config, line, lent.pseudonyms),
                lent.minded,
            )),
        })
    }

    /// Whether whoever is asked has answered last.
    pub(super) fn is_up(&self) -> bool {
        self.desk.source().health().is_well()
    }

    /// Asks the store about a browser; `None` when it carries no such cookie. Programs are known
    /// by bearer tokens alone.
    pub(super) async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let Some(id) = self.shown(knock)? else {
            return Ok(None);
        };
        let print = Fingerprint::of([self.route.as_str().as_bytes(), id.expose().as_bytes()]);
        self.desk.admit(print, id).await.map(Some)
    }

    /// The session that the cookie of a browser names, in whichever of many ways it is written.
    pub(super) fn shown(&self, knock: Knock<'_>) -> Result<Option<SessionId>, SessionError> {
        let cookie = match knock.client {
            Client::Browser => cookies::find(knock.headers, &self.cookie)?,
            Client::Program => None,
        };
        let format = self.desk.source().format();
        cookie.map(|cookie| format.session(cookie)).transpose()
    }
}
