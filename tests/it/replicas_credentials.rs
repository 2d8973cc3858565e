//! Several proxies that share what they fetch: a person costs one fetch, wherever they come in.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};
use futures_util::{StreamExt, stream};

use crate::support::{RealRedis, Recipe, Sibling, World, soon};

const PROXIES: usize = 10;
const PEOPLE: usize = 200;

/// A Redis and ten proxies that share it.
struct Scene {
    redis: RealRedis,
    first: World,
    others: Vec<Sibling>,
}

impl Scene {
    async fn start() -> Self {
        let redis = RealRedis::start().await;
        let keys = "credential_keys = [{ env = \"QIX_IDENTITY_KEY\" }]\n";
        let process = format!("{}{keys}", redis.table_for_user().await);
        let recipe = || Recipe::default().process(&process).impersonating();
        let first = recipe().start().await;
        let mut others = Vec::new();
        for _ in 1..PROXIES {
            others.push(Sibling::start(&first, &recipe()).await);
        }
        Self {
            redis,
            first,
            others,
        }
    }
}

#[tokio::test]
async fn ten_proxies_fetch_once_a_person() {
    let scene = Scene::start().await;
    let world = &scene.first;
    world
        .tenant
        .script(Script::Token(TokenFault::Delay { ms: 100 }));
    let visits = (0..PEOPLE * 3).map(|number| {
        let (person, turn) = (number / 3, number % 3);
        let knock = world.visit(&format!("person-{person}"), SALES_APP);
        let place = (person * 3 + turn * 4) % PROXIES;
        let other = place.checked_sub(1).map(|place| &scene.others[place]);
        match other {
            None => knock,
            Some(other) => other.asked(knock),
        }
        .open()
    });
    let open: Vec<_> = stream::iter(visits).buffered(60).collect().await;
    assert_eq!(world.tenant.state().token_fetches, PEOPLE as u64);
    let mut shared = 0;
    for other in &scene.others {
        let name = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"shared\"}";
        shared += other.metric(world, name).await;
    }
    assert!(shared > 0);
    let keys: Vec<String> = scene.redis.run(&["KEYS", "*credential:*"]).await;
    assert!(keys.len() >= PEOPLE);
    for key in keys {
        let value: Vec<u8> = scene.redis.run(&["GET", &key]).await;
        let text = String::from_utf8_lossy(&value);
        for secret in [
            &world.secrets.client,
            &world.secrets.identity_key,
            "person-",
        ] {
            assert!(!text.contains(secret) && !key.contains(secret));
        }
        assert!(!text.contains("Bearer"));
    }
    drop(open);
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
}
