//! The keepers of the whole process: routes that mean the same client share one, and with it what
//! is kept. All that ask in one client's name, for whichever customer, share their pace and what
//! Qlik asked to wait for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::time::timeout;

use super::keeper::{Core, Keeper};
use super::mint::Mint;
use super::pool::Pool;
use super::stay::Ender;
use super::tempo::Tempo;
use crate::config::{Pace, Print};
use crate::id::CustomerName;

/// Every keeper, by what it was set up from.
#[derive(Clone, Default)]
pub struct Keepers {
    /// Whose are asked for; customers never share one.
    customer: Option<CustomerName>,
    /// What they reach out with.
    means: Print,
    all: Arc<All>,
}

#[derive(Default)]
struct All {
    kept: Mutex<Kept>,
    tempi: Mutex<Tempi>,
    /// Those too that nobody asks any more, while what they made is in use.
    cores: Mutex<Vec<Weak<Core>>>,
    pool: Option<Pool>,
    custom: Custom,
}

/// When what was opened at Qlik is ended.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Custom {
    /// As the config says.
    #[default]
    Configured,
    /// As soon as it was used, wherever that ends nothing else of the person's.
    Fleeting,
}

impl Custom {
    fn linger(self, mint: &impl Mint) -> Option<Duration> {
        match self {
            Self::Configured => mint.linger(),
            Self::Fleeting => mint.ends_alone().then_some(Duration::ZERO),
        }
    }
}

/// A keeper of another time may have had other certificates, or another way out.
type Kept = HashMap<(Print, Name), Arc<Keeper>>;

/// A client at another pace is not slowed down, and does not slow down, what was asked before.
type Tempi = HashMap<(Name, Pace), Weak<Tempo>>;

impl Keepers {
    /// Keepers that share what they fetch with other replicas, where there is a pool.
    #[must_use]
    pub fn sharing(pool: Option<Pool>) -> Self {
        let all = All {
            pool,
            ..All::default()
        };
        Self {
            customer: None,
            means: Print::default(),
            all: Arc::new(all),
        }
    }

    /// Keepers for a trial, which leaves nothing open at Qlik that can be ended by itself.
    #[must_use]
    pub fn fleeting() -> Self {
        let all = All {
            custom: Custom::Fleeting,
            ..All::default()
        };
        Self {
            all: Arc::new(all),
            ..Self::default()
        }
    }

    /// The same, for a customer alone, and for those who reach out with the same means.
    #[must_use]
    pub fn of(&self, customer: Option<&CustomerName>, means: Print) -> Self {
        Self {
            customer: customer.cloned(),
            means,
            all: Arc::clone(&self.all),
        }
    }

    /// The keeper of this name and pace; a new one of `mint` when there is none.
    pub(super) fn keeper(&self, name: Name, mint: impl Mint, pace: Pace) -> Arc<Keeper> {
        let account = mint.account().unwrap_or(name);
        let tempo = self.all.tempo(account, pace);
        let name = name.at(pace).within(self.customer.as_ref());
        let mut keepers = self.all.kept();
        let pool = self.all.pool.as_ref().filter(|_| !mint.is_alone());
        let nook = pool.map(|pool| pool.nook(name, account));
        let keeper = keepers.entry((self.means, name));
        Arc::clone(keeper.or_insert_with(|| {
            let linger = self.all.custom.linger(&mint);
            let keeper = Arc::new(Keeper::new(mint, tempo, nook, linger));
            self.all.remember(keeper.core());
            keeper
        }))
    }

    /// How the requests to an account follow each other that no keeper makes.
    pub(super) fn tempo(&self, account: Name, pace: Pace) -> Arc<Tempo> {
        self.all.tempo(account, pace)
    }

    /// From now on, what people's last use is over of is ended at once.
    pub fn close(&self) {
        for core in self.all.cores() {
            core.register().close();
        }
    }

    /// Waits until all that was to be ended at Qlik is; not longer than `limit`.
    pub async fn emptied(&self, limit: Duration) {
        let all = async {
            for core in self.all.cores() {
                core.register().emptied().await;
            }
        };
        if timeout(limit, all).await.is_err() {
            tracing::warn!(
                "sessions at Qlik are left to their time-out: ending them took too long"
            );
        }
    }

    /// Lets go of those that nobody uses any more.
    pub fn tidy(&self) {
        let mut keepers = self.all.kept();
        keepers.retain(|_, keeper| Arc::strong_count(keeper) > 1);
    }
}

impl All {
    fn tempo(&self, account: Name, pace: Pace) -> Arc<Tempo> {
        let mut all = self.tempi.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tempo) = all.get(&(account, pace)).and_then(Weak::upgrade) {
            return tempo;
        }
        all.retain(|_, tempo| tempo.strong_count() > 0);
        let tempo = Tempo::new(pace);
        all.insert((account, pace), Arc::downgrade(&tempo));
        tempo
    }

    fn remember(&self, core: &Arc<Core>) {
        let mut cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        cores.retain(|core| core.strong_count() > 0);
        cores.push(Arc::downgrade(core));
    }

    fn cores(&self) -> Vec<Arc<Core>> {
        let cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        cores.iter().filter_map(Weak::upgrade).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keepers(…)")
    }
}

/// A hash over all that a mint is set up from, secrets included: two mints of one name are the
/// same.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
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

    /// The same at this pace.
    fn at(self, pace: Pace) -> Self {
        let (rate, queue) = (pace.per_minute.to_be_bytes(), pace.queue.as_nanos());
        Self::of(&[b"pace", &self.0, &rate, &queue.to_be_bytes()])
    }

    /// The same for a customer alone, here and among replicas.
    fn within(self, customer: Option<&CustomerName>) -> Self {
        match customer {
            None => self,
            Some(customer) => Self::of(&[b"customer", customer.as_str().as_bytes(), &self.0]),
        }
    }

    /// The hash.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::future::ready;

    use super::super::error::CredentialError;
    use super::super::identity::Identity;
    use super::super::mint::Minting;
    use super::*;

    struct Nobody;

    impl Mint for Nobody {
        fn name(&self) -> Cow<'_, str> {
            "nobody".into()
        }

        fn mint<'a>(&'a self, _: &'a Identity) -> Minting<'a> {
            Box::pin(ready(Err(CredentialError::NoToken)))
        }
    }

    #[test]
    fn nothing_is_left_of_keepers_that_nobody_uses() {
        let (keepers, mut used) = (Keepers::default(), Vec::new());
        let pace = Pace {
            per_minute: 80,
            queue: Duration::ZERO,
        };
        for turn in 0_u32..200 {
            let keeper = keepers.keeper(Name::of(&[&turn.to_be_bytes()]), Nobody, pace);
            match turn % 50 {
                0 => used.push(keeper),
                _ => drop(keeper),
            }
            keepers.tidy();
        }
        assert_eq!(keepers.all.kept().len(), used.len());
        assert_eq!(keepers.all.cores().len(), used.len());
        drop(used);
        keepers.tidy();
        assert!(keepers.all.kept().is_empty() && keepers.all.cores().is_empty());
        keepers.keeper(Name::of(&[]), Nobody, pace);
        assert_eq!(keepers.all.tempi.lock().unwrap().len(), 1);
    }

    #[test]
    fn customers_never_meet_under_a_name() {
        let name = |customer: Option<&str>| {
            let customer = customer.map(CustomerName::new);
            Name::of(&[b"the same", b"client"])
                .within(customer.as_ref())
                .bytes()
        };
        assert_eq!(name(Some("acme")), name(Some("acme")));
        assert_ne!(name(Some("acme")), name(Some("bolt")));
        assert_ne!(name(Some("acme")), name(None));
    }
}
