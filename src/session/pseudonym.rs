//! Names for people whom their session does not name, so that each stays apart from the others.
//!
//! A pseudonym is a keyed hash of the session's id: it stays the same as long as the session does,
//! on every replica that has the key, and leads nobody back to the id.

use std::sync::Arc;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};

use crate::id::{Issuer, SessionId, Subject};

/// Keeps this use of the key apart from every other.
const PURPOSE: &[u8] = b"qix-proxy: pseudonyms of sessions";

/// How many bytes of the hash are kept.
const KEPT: usize = 16;

/// The key behind the pseudonyms.
#[derive(Clone, Debug)]
pub struct Pseudonyms(Arc<hmac::Key>);

impl Pseudonyms {
    /// Derives them from the house's key.
    #[must_use]
    pub fn new(secret: &SecretSlice<u8>) -> Self {
        Self::derived(secret.expose_secret())
    }

    /// Makes some for this process alone; `None` when the system has no randomness to give.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        Some(Self::derived(&bytes))
    }

    fn derived(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let own = hmac::sign(&key, PURPOSE);
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref())))
    }

    /// The subject of a session that names none.
    pub(super) fn subject(&self, issuer: &Issuer, session: &SessionId) -> Subject {
        let mut hash = hmac::Context::with_key(&self.0);
        for part in [issuer.as_str(), session.expose()] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let tag = hash.sign();
        let bytes = tag.as_ref().iter().take(KEPT);
        let hex = bytes.map(|byte| format!("{byte:02x}"));
        Subject::new(hex.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_its_sessions_own_and_stays() {
        let named = |key: &[u8], issuer: &str, session: &str| {
            let pseudonyms = Pseudonyms::new(&key.to_vec().into());
            pseudonyms.subject(&Issuer::new(issuer), &SessionId::new(session))
        };
        let all = [
            named(b"k", "i", "s"),
            named(b"l", "i", "s"),
            named(b"k", "j", "s"),
            named(b"k", "i", "t"),
            named(b"k", "is", ""),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other != one));
            assert_eq!(one.as_str().len(), 2 * KEPT);
        }
        assert_eq!(all[0], named(b"k", "i", "s"));
    }
}
