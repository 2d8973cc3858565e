//! The keepers of the whole process: routes that mean the same client share one, and with it what
//! is kept and what Qlik asked to wait for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};

use super::keeper::Keeper;
use super::mint::Mint;
use super::pool::Pool;
use crate::config::Pace;

/// Every keeper, by what it was set up from.
#[derive(Default)]
pub struct Keepers {
    kept: Mutex<HashMap<Name, Arc<Keeper>>>,
    pool: Option<Pool>,
}

impl Keepers {
    /// Keepers that share what they fetch with other replicas, where there is a pool.
    #[must_use]
    pub fn sharing(pool: Option<Pool>) -> Self {
        Self {
            kept: Mutex::default(),
            pool,
        }
    }

    /// The keeper of this name; a new one of `mint` when there is none.
    pub(super) fn keeper(&self, name: Name, mint: impl Mint, pace: Pace) -> Arc<Keeper> {
        let mut keepers = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = self.pool.as_ref().filter(|_| !mint.is_alone());
        let nook = pool.map(|pool| pool.nook(&name));
        let keeper = keepers.entry(name);
        Arc::clone(keeper.or_insert_with(|| Arc::new(Keeper::new(mint, pace, nook))))
    }
}

impl fmt::Debug for Keepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keepers(…)")
    }
}

/// A hash over all that a mint is set up from, secrets included: two mints of one name are the
/// same.
#[derive(Eq, Hash, PartialEq)]
pub(super) struct Name([u8; 32]);

impl Name {
    /// Names what is set up from these parts.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut name = [0; 32];
        name.copy_from_slice(context.finish().as_ref());
        Self(name)
    }

    /// The hash.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
    }
}
