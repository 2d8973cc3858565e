//! Who a request comes from: by cookie, or by the credential that its virtual proxy takes.

use std::sync::Arc;

use http::{
    HeaderMap, Request, Uri,
    header::{COOKIE, ORIGIN},
    request::Parts,
};
use url::form_urlencoded;

use super::{
    estate::{Estate, Named},
    person::{Newcomer, Person},
    sessions::Session,
    virtual_proxy::Kind,
};
use crate::tenant::upgrade::bearer;

/// What a request says, whoever holds its body.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

impl<'a> From<&'a Parts> for Asking<'a> {
    fn from(head: &'a Parts) -> Self {
        Self {
            uri: &head.uri,
            headers: &head.headers,
        }
    }
}

impl<'a, B> From<&'a Request<B>> for Asking<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            uri: request.uri(),
            headers: request.headers(),
        }
    }
}

impl<'a> Asking<'a> {
    pub(super) fn origin(self) -> Option<&'a str> {
        Some(self.headers.get(ORIGIN)?.to_str().unwrap_or_default())
    }

    /// One pair of the query, decoded.
    pub(super) fn pair(self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.uri.query()?.as_bytes());
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }
}

/// Somebody with a session.
pub(super) enum Guest {
    /// The cookie of a session came along.
    Known(Arc<Session>),
    /// A session was opened for the credential.
    New(Arc<Session>),
}

impl Guest {
    pub(super) fn session(&self) -> &Arc<Session> {
        match self {
            Self::Known(session) | Self::New(session) => session,
        }
    }
}

/// The guest of a cookie, or of a credential, for which a session is opened.
pub(super) fn known(estate: &Estate, named: &Named, asking: Asking<'_>) -> Option<Guest> {
    if let Some(session) = by_cookie(estate, named, asking) {
        return Some(Guest::Known(session));
    }
    let newcomer = by_credential(estate, named, asking)?;
    Some(Guest::New(estate.open(named, newcomer, None)))
}

pub(super) fn by_cookie(
    estate: &Estate,
    named: &Named,
    asking: Asking<'_>,
) -> Option<Arc<Session>> {
    let lines = asking.headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('='));
    let (_, id) = values.find(|(name, _)| *name == named.cookie)?;
    estate.sessions.find(&named.prefix, id)
}

fn by_credential(estate: &Estate, named: &Named, asking: Asking<'_>) -> Option<Newcomer> {
    match &named.proxy.kind {
        Kind::Jwt(rules) => {
            let token = bearer(asking.headers)?;
            estate.shared.vault.keep(token);
            rules.newcomer(token)
        }
        Kind::Header { name, directory } => {
            let value = asking.headers.get(name)?.to_str().ok()?;
            let person = match directory {
                Some(directory) => Person::new(directory, value),
                None => Person::parse(value),
            };
            person.map(Newcomer::from)
        }
        Kind::Ticket => {
            let ticket = asking.pair("QlikTicket")?;
            let newcomer = estate.tickets.spend(&ticket, &named.prefix)?;
            estate.count(|tally| tally.tickets_spent += 1);
            Some(newcomer)
        }
        Kind::Session => None,
    }
}
