//! Sessions that are opaque tokens: the authorisation server is asked about them (RFC 7662).
//!
//! The token goes to the one configured endpoint and nowhere else. Only `active: true` is a yes, for
//! an access token that is nobody else's to use, of our issuer and for us where the config says so.

mod answer;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::server::{AuthorisationServer, Token};
use super::error::SessionError;
use super::vouching::{Desk, Fingerprint, Source as _};
use super::{Knock, Lent, Session, bearer};
use crate::config::{CookieName, Introspection};
use crate::id::RouteName;

/// The `introspection` check.
#[derive(Debug)]
pub(super) struct IntrospectionCheck {
    route: RouteName,
    cookie: Option<CookieName>,
    desk: Arc<Desk<AuthorisationServer>>,
}

impl IntrospectionCheck {
    /// Prepares the check.
    pub(super) fn new(route: &RouteName, config: Introspection, lent: Lent<'_>) -> Self {
        Self {
            route: route.clone(),
            cookie: config.cookie.clone(),
            desk: Arc::new(Desk::new(
                AuthorisationServer::new(route, config, lent.http),
                lent.minded,
            )),
        }
    }

    /// Whether whoever is asked has answered last.
    pub(super) fn is_up(&self) -> bool {
        self.desk.source().health().is_well()
    }

    /// The cookie that carries a browser's token.
    pub(super) fn cookie(&self) -> Option<&CookieName> {
        self.cookie.as_ref()
    }

    /// Asks about a client's token; `None` when it brings none.
    pub(super) async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let Some(text) = bearer::find(knock, self.cookie.as_ref())? else {
            return Ok(None);
        };
        let token = Token::parse(text)?;
        let print = Fingerprint::of([self.route.as_str().as_bytes(), text]);
        self.desk.admit(print, token).await.map(Some)
    }

    /// Lets what an older token of the same app session has opened live by the token of this one;
    /// says how many sockets and tickets do.
    pub(super) fn renew(&self, session: &Session) -> usize {
        self.desk.renew(session)
    }
}
