//! Customers whose credentials one client fetches: one pace for all of them, and nothing else in common.

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::super::identity::Identity;
use super::super::keeper::Keeper;
use super::super::keepers::Name;
use super::super::mint::{Mint, Minted, Minting};
use super::super::{Credential, CredentialError, Keepers};
use super::support::refusal;
use crate::config::{Pace, Print};
use crate::id::CustomerName;
use crate::injection::Injection;

/// A mint that never fails unless it is told to.
#[derive(Clone, Default)]
struct Client(Arc<AtomicUsize>, Arc<AtomicBool>);

impl Mint for Client {
    fn name(&self) -> Cow<'_, str> {
        "client".into()
    }

    fn account(&self) -> Option<Name> {
        Some(Name::of(&[b"one client"]))
    }

    fn mint<'a>(&'a self, _: &'a Identity) -> Minting<'a> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let throttled = self.1.load(Ordering::Relaxed);
        Box::pin(ready(if throttled {
            let (refusal, wait) = (refusal(429), Duration::from_secs(13));
            Err(CredentialError::Throttled { refusal, wait })
        } else {
            let (injection, life) = (Injection::nothing(), Duration::from_hours(1));
            Ok(Minted { injection, life })
        }))
    }
}

const PACE: Pace = Pace {
    per_minute: 3,
    queue: Duration::ZERO,
};

fn keeper_of(keepers: &Keepers, customer: &str, mint: &Client) -> Arc<Keeper> {
    let customer = CustomerName::new(customer);
    let keepers = keepers.of(Some(&customer), Print::of_text(customer.as_str()));
    keepers.keeper(Name::of(&[b"a mint"]), mint.clone(), PACE)
}

async fn obtain(keeper: &Keeper, person: &str) -> Result<Credential, CredentialError> {
    keeper.obtain(Identity::of([person]), &Arc::default()).await
}

#[tokio::test(start_paused = true)]
async fn customers_of_one_client_keep_one_pace_and_share_nothing_they_fetched() {
    let (keepers, mint) = (Keepers::default(), Client::default());
    let [acme, bolt] = ["acme", "bolt"].map(|name| keeper_of(&keepers, name, &mint));
    obtain(&acme, "ada").await.unwrap();
    obtain(&bolt, "ada").await.unwrap();
    assert_eq!(mint.0.load(Ordering::Relaxed), 2, "each has its own");
    obtain(&acme, "bob").await.unwrap();
    let refused = obtain(&bolt, "bob").await.unwrap_err();
    assert!(
        matches!(refused, CredentialError::Queued { .. }),
        "{refused}"
    );
    assert_eq!(mint.0.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn what_one_customer_is_asked_to_wait_all_of_the_client_wait() {
    let (keepers, mint) = (Keepers::default(), Client::default());
    let [acme, bolt] = ["acme", "bolt"].map(|name| keeper_of(&keepers, name, &mint));
    mint.1.store(true, Ordering::Relaxed);
    for keeper in [&acme, &bolt] {
        let refused = obtain(keeper, "ada").await.unwrap_err();
        assert!(
            matches!(refused, CredentialError::Throttled { .. }),
            "{refused}"
        );
    }
    assert_eq!(mint.0.load(Ordering::Relaxed), 1);
}
