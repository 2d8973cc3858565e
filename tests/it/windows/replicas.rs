//! Proxies that share their credentials: a person has one session, whichever of them looks after it.

use engine_sim::engine::SALES_APP;
use futures_util::future::join_all;

use super::estate::{Estate, Kind, Plan, first_words};
use crate::support::{RealRedis, Sibling, soon};

const SHARED: &str = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"shared\"}";
const REFRESHED: &str = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"refreshed\"}";

#[tokio::test]
async fn a_session_that_another_replica_opened_is_looked_after_as_it_is() {
    let redis = RealRedis::start().await;
    let table = redis.table_for_user().await;
    let keys = "credential_keys = [{ env = \"QIX_IDENTITY_KEY\" }]";
    let process = format!("{table}{keys}\n[limits]\nopens_per_minute = 100000\n");
    let kinds = Kind::ALL.map(|kind| look_after(kind, &process));
    for (kind, sessions) in Kind::ALL.into_iter().zip(join_all(kinds).await) {
        assert_eq!(sessions, 1, "{kind:?}");
    }
}

/// How many sessions there are once the second replica has looked after the first one's.
async fn look_after(kind: Kind, process: &str) -> u64 {
    let estate = Plan::of(kind)
        .with("session_life = \"3s\"")
        .recipe(|recipe| recipe.process(process))
        .start()
        .await;
    let second = Sibling::twin(&estate.world).await;
    estate.open("ada", SALES_APP).await;
    come_to(&second, &estate).await;
    assert_eq!(second.metric(&estate.world, SHARED).await, 1);
    soon(async {
        while second.metric(&estate.world, REFRESHED).await == 0 {
            come_to(&second, &estate).await;
        }
    })
    .await;
    estate.windows.tally().sessions_opened
}

async fn come_to(replica: &Sibling, estate: &Estate) {
    let knock = replica.asked(estate.world.visit("ada", SALES_APP));
    let mut browser = knock.upgraded().await.browser;
    first_words(&mut browser).await;
    browser.close(1000).await;
}
