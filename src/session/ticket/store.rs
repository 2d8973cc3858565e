//! The shelf that replicas share, a Redis: a ticket that one gave is taken at another, once.
//!
//! No session lies there, for a session is watched by the replica that has it; but what the page
//! showed, so that the replica which takes the ticket asks again. It is sealed under a key that
//! takes the ticket and the replicas' own key: whoever has the Redis reads none and makes none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{Pipeline, pipe};
use secrecy::{ExposeSecret, SecretSlice};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::super::error::{Outage, SessionError};
use super::letter;
use super::number::{Number, Print};
use super::places::Places;
use super::shelf::{Coming, Found, Holder, Shelf, Stub};
use crate::line::{Line, LineError};

/// Keeps this use of the shared key apart from every other.
const PURPOSE: &[u8] = b"qix-proxy: tickets among replicas";

/// The largest that is put down, in bytes: what a page shows of its session is a token or two.
const LARGEST: usize = 32 << 10;

/// Where replicas keep their tickets.
#[derive(Clone)]
pub struct TicketStore {
    line: Arc<Line>,
    prefix: String,
    key: hmac::Key,
}

impl TicketStore {
    /// Prepares it. Every key there begins with `prefix`; `key` is what the replicas share.
    #[must_use]
    pub fn new(line: Arc<Line>, prefix: &str, key: &SecretSlice<u8>) -> Self {
        let shared = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret());
        let own = hmac::sign(&shared, PURPOSE);
        Self {
            line,
            prefix: format!("{prefix}ticket:"),
            key: hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()),
        }
    }

    fn place(&self, print: &Print) -> String {
        let hash = URL_SAFE_NO_PAD.encode(print.0);
        format!("{}{hash}", self.prefix)
    }

    /// `SET`, only where there is nothing, and not for ever.
    fn putting(&self, print: &Print, sealed: &[u8], life: Duration) -> Pipeline {
        let mut asking = pipe();
        let set = asking.cmd("SET").arg(self.place(print)).arg(sealed);
        // Redis refuses a life of nothing.
        set.arg("NX")
            .arg("PX")
            .arg(life.as_millis().max(1).to_string());
        asking
    }

    /// `GETDEL`, which gives a value to one who asks and to no other.
    fn taking(&self, print: &Print) -> Pipeline {
        let mut asking = pipe();
        asking.cmd("GETDEL").arg(self.place(print));
        asking
    }

    fn seal(&self, number: Number<'_>, mut text: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.cipher(number)?;
        let about = Aad::from(number.print().0);
        let nonce = nonce.seal_in_place_append_tag(about, &mut text).ok()?;
        Some([&nonce.as_ref()[..], &text].concat())
    }

    fn open(&self, number: Number<'_>, mut sealed: Vec<u8>) -> Option<Stub<Holder>> {
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let about = Aad::from(number.print().0);
        let text = self
            .cipher(number)?
            .open_in_place(nonce, about, text)
            .ok()?;
        letter::read(text)
    }

    /// A key for one ticket alone, so that no two letters are sealed under one key.
    fn cipher(&self, number: Number<'_>) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, number.secret(&self.key).as_ref()).ok()
    }
}

impl fmt::Debug for TicketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketStore(…)")
    }
}

/// The shelf that replicas share.
#[derive(Debug)]
pub(super) struct Shared {
    store: TicketStore,
    places: Places,
}

impl Shared {
    pub(super) fn new(store: TicketStore) -> Self {
        let places = Places::default();
        Self { store, places }
    }

    async fn keep(&self, number: Number<'_>, stub: Stub<Found>) -> Result<(), SessionError> {
        let place = self.places.take(stub.holder.session.person())?;
        let until = stub.until;
        let text = letter::write(&stub);
        if text.len() > LARGEST {
            let what = "what it was known by is too large to be kept for a ticket";
            return Err(SessionError::Denied(what));
        }
        let sealed = self.store.seal(number, text);
        let sealed = sealed.ok_or_else(|| down(Outage::Answer("nothing can be sealed")))?;
        let life = until.saturating_duration_since(Instant::now());
        let asking = self.store.putting(&number.print(), &sealed, life);
        let (put,): (Option<String>,) = self.store.line.ask(&asking).await.map_err(away)?;
        // Where it is taken is not known here, so that it counts for as long as it could be.
        tokio::spawn(async move {
            sleep_until(until).await;
            drop(place);
        });
        put.map(drop)
            .ok_or_else(|| down(Outage::Answer("the ticket's place is taken")))
    }

    async fn find(&self, number: Number<'_>) -> Result<Option<Stub<Holder>>, SessionError> {
        let asking = self.store.taking(&number.print());
        let (sealed,): (Option<Vec<u8>>,) = self.store.line.ask(&asking).await.map_err(away)?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let stub = self.store.open(number, sealed);
        if stub.is_none() {
            let route = number.route;
            warn!(%route, "a ticket of the replicas cannot be read; is `identity_key` the same on all?");
        }
        Ok(stub)
    }
}

impl Shelf for Shared {
    fn put<'a>(
        &'a self,
        number: Number<'a>,
        stub: Stub<Found>,
    ) -> Coming<'a, Result<(), SessionError>> {
        Box::pin(self.keep(number, stub))
    }

    fn take<'a>(
        &'a self,
        number: Number<'a>,
    ) -> Coming<'a, Result<Option<Stub<Holder>>, SessionError>> {
        Box::pin(self.find(number))
    }
}

fn away(error: LineError) -> SessionError {
    down(error.into())
}

fn down(outage: Outage) -> SessionError {
    let what = "the replicas' Redis";
    SessionError::Down { what, outage }
}
