//! Sessions that the app itself vouches for: its own endpoint is asked with what the browser sent.
//!
//! Only the named cookies and headers go there. A yes is a 2xx with a subject, nothing less; it is
//! kept a moment for further sockets of the same browser, and asked for again as long as one of
//! them is open. What cannot be asked is never a yes.

mod answer;
mod endpoint;
mod evidence;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderName;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use self::endpoint::Endpoint;
use self::evidence::Evidence;
use super::error::SessionError;
use super::vouching::{Desk, Source as _};
use super::{Client, Knock, Lent, Session};
use crate::config::{CookieName, ForwardAuth};
use crate::id::RouteName;

/// Headers that are not a browser's to send on: credentials of another kind, and the connection's.
const NEVER_SENT: [HeaderName; 10] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The `forward-auth` check.
#[derive(Debug)]
pub(super) struct ForwardAuthCheck {
    route: RouteName,
    cookies: Vec<CookieName>,
    headers: Vec<HeaderName>,
    desk: Arc<Desk<Endpoint>>,
}

impl ForwardAuthCheck {
    /// Prepares the check; fails when a header is named that is never passed on.
    pub(super) fn new(
        route: &RouteName,
        config: ForwardAuth,
        lent: Lent<'_>,
    ) -> Result<Self, SessionError> {
        if let Some(header) = config.headers.iter().find(|name| NEVER_SENT.contains(name)) {
            let words = format!("the header `{header}` is never passed on");
            return Err(SessionError::Setup(words));
        }
        Ok(Self {
            route: route.clone(),
            cookies: config.cookies.clone(),
            headers: config.headers.clone(),
            desk: Arc::new(Desk::new(
                Endpoint::new(route, config, lent.http),
                lent.minded,
            )),
        })
    }

    /// Whether whoever is asked has answered last.
    pub(super) fn is_up(&self) -> bool {
        self.desk.source().health().is_well()
    }

    /// Asks the app about a browser; `None` when it carries nothing to ask about. Programs are
    /// known by bearer tokens alone.
    pub(super) async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        if knock.client == Client::Program {
            return Ok(None);
        }
        match Evidence::collect(knock.headers, &self.cookies, &self.headers)? {
            None => Ok(None),
            Some(evidence) => {
                let print = evidence.fingerprint(&self.route);
                self.desk.admit(print, evidence).await.map(Some)
            }
        }
    }

    /// What of a request the app would be asked about, by name and value.
    pub(super) fn shown<'a>(&'a self, knock: Knock<'a>) -> Result<Vec<&'a [u8]>, SessionError> {
        match knock.client {
            Client::Browser => evidence::parts(knock.headers, &self.cookies, &self.headers),
            Client::Program => Ok(Vec::new()),
        }
    }
}
