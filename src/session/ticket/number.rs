//! A ticket's text, as the shelves see it: what it is known by, and what it alone can open.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;

use crate::id::RouteName;

/// The text of a ticket on its route. It shows itself to nobody.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    pub(super) route: &'a RouteName,
    pub(super) text: &'a str,
}

/// What a ticket is known by: never by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Print(pub(super) [u8; 32]);

impl Number<'_> {
    /// What a shelf knows the ticket by: its hash, with its route.
    pub(super) fn print(&self) -> Print {
        Print(hash(self.parts()))
    }

    /// A secret that takes both the ticket and the key.
    pub(super) fn secret(&self, key: &hmac::Key) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        for part in self.parts() {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }

    fn parts(&self) -> [&[u8]; 2] {
        [self.route.as_str().as_bytes(), self.text.as_bytes()]
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(…)")
    }
}

/// The SHA-256 of parts that no other parts have.
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
