//! The engine-session identity: what keeps two people who share one Qlik user out of each other's
//! engine session.
//!
//! Qlik shares an engine session between sockets of the same user and the same URL; the URL's
//! `/identity/<x>` therefore carries a keyed hash over everything that makes a person's session of
//! one app their own. It is never taken over a token, which is renewed.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};

use super::Whose;
use crate::id::{AppId, CustomerName, EngineIdentity, SessionId};
use crate::policy::Permit;

/// How many bytes of the hash are kept: 160 bits, where 128 would do.
const KEPT: usize = 20;

/// The key behind the identities.
#[derive(Debug)]
pub struct IdentityKey(hmac::Key);

impl IdentityKey {
    /// Takes the configured key.
    #[must_use]
    pub fn new(secret: &SecretSlice<u8>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()))
    }

    /// Makes one for this process alone; `None` when the system has no randomness to give.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A name under which a log can tell sessions apart, and which leads back to none: a session id
    /// may be a small number that a bare hash would give away.
    #[must_use]
    pub fn name_session(&self, session: &SessionId) -> String {
        let mut hash = hmac::Context::with_key(&self.0);
        hash.update(b"session");
        hash.update(session.expose().as_bytes());
        hex(&hash.sign(), 8)
    }

    /// The identity of a person's session of what they may open.
    ///
    /// The apps that its calls may name count as well: an engine session is found again with its
    /// apps open, and one that was taken away since would be open still.
    #[must_use]
    pub fn identify(&self, whose: Whose<'_>, permit: &Permit) -> EngineIdentity {
        let Whose {
            route,
            home,
            person,
        } = whose;
        let mut hash = hmac::Context::with_key(&self.0);
        let (session, target) = (person.session(), permit.target());
        let mut apps: Vec<&str> = permit.apps().iter().map(AppId::as_str).collect();
        apps.sort_unstable();
        apps.dedup();
        let customer = home.customer.as_ref();
        let whose: [&str; 8] = [
            route.name.as_str(),
            customer.map_or("", CustomerName::as_str),
            home.place.url.as_str(),
            person.issuer().as_str(),
            person.subject().as_str(),
            session.map_or("", |session| session.expose()),
            target.document.as_str(),
            target.identity.as_deref().unwrap_or_default(),
        ];
        for part in whose.into_iter().chain(apps) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        EngineIdentity::new(hex(&hash.sign(), KEPT))
    }
}

/// The first bytes of a tag, in hexadecimal digits.
fn hex(tag: &hmac::Tag, bytes: usize) -> String {
    let kept = tag.as_ref().iter().take(bytes);
    kept.flat_map(|byte| [byte >> 4, byte & 0xF])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
