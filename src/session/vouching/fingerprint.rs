//! Evidence by its hash, so that no cookie and no token is a key of any map.

use aws_lc_rs::digest::{Context, SHA256};

/// Evidence by its SHA-256.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(in crate::session) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Names what these parts, in this order, make up.
    pub(in crate::session) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut print = [0; 32];
        print.copy_from_slice(context.finish().as_ref());
        Self(print)
    }

    /// One number of 256, as good as drawn by lot.
    pub(in crate::session) fn lot(self) -> u8 {
        self.0[0]
    }
}
