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
use crate::id::CustomerName;

/// Every keeper, by what it was set up from.
#[derive(Clone, Default)]
pub struct Keepers {
    /// Whose are asked for; customers never share one.
    customer: Option<CustomerName>,
    all: Arc<Mutex<Kept>>,
    pool: Option<Pool>,
}

type Kept = HashMap<(Option<CustomerName>, Name), Arc<Keeper>>;

impl Keepers {
    /// Keepers that share what they fetch with other replicas, where there is a pool.
    #[must_use]
    pub fn sharing(pool: Option<Pool>) -> Self {
        Self {
            pool,
            ..Self::default()
        }
    }

    /// The same, for a customer alone.
    #[must_use]
    pub fn of(&self, customer: Option<&CustomerName>) -> Self {
        Self {
            customer: customer.cloned(),
            ..self.clone()
        }
    }

    /// The keeper of this name; a new one of `mint` when there is none.
    pub(super) fn keeper(&self, name: Name, mint: impl Mint, pace: Pace) -> Arc<Keeper> {
        let mut keepers = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = self.pool.as_ref().filter(|_| !mint.is_alone());
        let nook = pool.map(|pool| pool.nook(&name.within(self.customer.as_ref())));
        let keeper = keepers.entry((self.customer.clone(), name));
        Arc::clone(keeper.or_insert_with(|| Arc::new(Keeper::new(mint, pace, nook))))
    }

    /// Lets go of those that nobody uses any more.
    pub fn tidy(&self) {
        let mut keepers = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.retain(|_, keeper| Arc::strong_count(keeper) > 1);
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

    /// The name among those of a customer, or of nobody in particular.
    fn within(&self, customer: Option<&CustomerName>) -> Self {
        let customer = customer.map_or("", CustomerName::as_str);
        Self::of(&[customer.as_bytes(), &self.0])
    }

    /// The hash.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
    }
}
