//! Replicas that share what they fetch, over a real Redis: who fetches, who does not, and what Redis
//! gets to see.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::SecretSlice;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, advance, sleep, timeout};

use super::super::identity::Identity;
use super::super::keeper::Keeper;
use super::super::keepers::Name;
use super::super::mint::{Mint, Minted, Minting};
use super::super::pool::Pool;
use super::super::shelf::Landed;
use super::super::tempo::Tempo;
use super::super::{Credential, CredentialError, Outcome, Outcomes, bearer};
use super::support::{refusal, shown};
use crate::config::{Pace, RedisServer};
use crate::line::Line;
use crate::line::testing::RealRedis;

const ENOUGH: Duration = Duration::from_mins(1);
const REPLICAS: usize = 10;
const PEOPLE: usize = 1000;

/// Where all replicas fetch.
#[derive(Clone)]
struct Endpoint(Arc<Desk>);

struct Desk {
    /// How often each person's was fetched.
    fetches: Mutex<HashMap<String, usize>>,
    delay: Mutex<Duration>,
    throttles: Mutex<bool>,
    life: Duration,
    asked: Notify,
}

impl Endpoint {
    fn new(life: Duration) -> Self {
        Self(Arc::new(Desk {
            fetches: Mutex::default(),
            delay: Mutex::default(),
            throttles: Mutex::default(),
            life,
            asked: Notify::new(),
        }))
    }

    fn take(&self, delay: Duration) {
        *self.0.delay.lock().unwrap() = delay;
    }

    fn fetches(&self) -> usize {
        self.0.fetches.lock().unwrap().values().sum()
    }

    async fn answer(&self, person: &str) -> Result<Minted, CredentialError> {
        let number = {
            let mut fetches = self.0.fetches.lock().unwrap();
            let number = fetches.entry(person.to_owned()).or_default();
            *number += 1;
            *number
        };
        self.0.asked.notify_one();
        let delay = *self.0.delay.lock().unwrap();
        sleep(delay).await;
        if *self.0.throttles.lock().unwrap() {
            return Err(CredentialError::Throttled {
                refusal: refusal(429),
                wait: Duration::from_secs(30),
            });
        }
        Ok(Minted {
            injection: bearer(&format!("canary-token-{person}-{number}"))
                .unwrap()
                .with_query("csrf", "canary-query"),
            life: self.0.life,
        })
    }
}

impl Mint for Endpoint {
    fn name(&self) -> Cow<'_, str> {
        "endpoint".into()
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.answer(identity.value(0)))
    }
}

struct Replica {
    keeper: Keeper,
    outcomes: Arc<Outcomes>,
}

impl Replica {
    fn new(redis: &RealRedis, endpoint: &Endpoint, keys: &[&str]) -> Self {
        Self::at(&redis.server(), endpoint, keys)
    }

    fn at(server: &RedisServer, endpoint: &Endpoint, keys: &[&str]) -> Self {
        let pace = Pace {
            per_minute: 1_000_000,
            queue: Duration::from_mins(1),
        };
        Self::at_pace(pace, server, endpoint, keys)
    }

    fn at_pace(pace: Pace, server: &RedisServer, endpoint: &Endpoint, keys: &[&str]) -> Self {
        let _ = crate::tls::provider().install_default();
        let tls = Arc::new(crate::tls::client_config(rustls::RootCertStore::empty()));
        let line = Line::new(server, Duration::from_secs(2), &tls).unwrap();
        let keys: Vec<_> = keys.iter().copied().map(key).collect();
        let pool = Pool::new(Arc::new(line), "test:", &key("canary-identity-key"), &keys);
        let name = Name::of(&[b"canary-client-secret"]);
        let nook = pool.nook(name, name);
        Self {
            keeper: Keeper::new(
                endpoint.clone(),
                Tempo::new(pace),
                Some(nook),
                Some(Duration::ZERO),
            ),
            outcomes: Arc::default(),
        }
    }

    async fn obtain(&self, person: &str) -> Landed {
        let asking = self.keeper.obtain(Identity::of([person]), &self.outcomes);
        timeout(ENOUGH, asking).await.unwrap()
    }

    async fn credential(&self, person: &str) -> Credential {
        self.obtain(person).await.unwrap()
    }

    async fn renew(&self, person: &str, refused: &Credential) -> Credential {
        let identity = Identity::of([person]);
        let asking = self
            .keeper
            .renew(identity, refused.generation, &self.outcomes);
        timeout(ENOUGH, asking).await.unwrap().unwrap()
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.count(outcome)
    }
}

fn key(text: &str) -> SecretSlice<u8> {
    text.as_bytes().to_vec().into()
}

const KEY: &[&str] = &["canary-credential-key"];

struct World {
    redis: RealRedis,
    endpoint: Endpoint,
    replicas: Vec<Replica>,
}

impl World {
    async fn of(replicas: usize) -> Self {
        Self::living(replicas, Duration::from_hours(1)).await
    }

    async fn living(replicas: usize, life: Duration) -> Self {
        let (redis, endpoint) = (RealRedis::start(&[]).await, Endpoint::new(life));
        let replica = |_| Replica::new(&redis, &endpoint, KEY);
        let replicas = (0..replicas).map(replica).collect();
        Self {
            redis,
            endpoint,
            replicas,
        }
    }

    /// The keys in Redis that hold a credential, once there are so many and nothing is claimed.
    async fn kept(&self, many: usize) -> Vec<String> {
        let end = Instant::now() + ENOUGH;
        loop {
            let keys: Vec<String> = self.redis.run(&["KEYS", "*"]).await;
            if keys.len() == many && !keys.iter().any(|key| key.contains("lock")) {
                return keys;
            }
            assert!(Instant::now() < end, "{keys:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn ten_replicas_and_a_thousand_people_cost_a_thousand_fetches() {
    let world = World::of(REPLICAS).await;
    world.endpoint.take(Duration::from_millis(50));
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let pairs = people.iter().flat_map(|person| {
        let replicas = world.replicas.iter();
        replicas.map(move |replica| async move { shown(&replica.credential(person).await) })
    });
    let tokens = join_all(pairs).await;
    assert_eq!(world.endpoint.fetches(), PEOPLE);
    for (tokens, person) in tokens.chunks(REPLICAS).zip(&people) {
        let own = format!("Bearer canary-token-{person}-1");
        assert!(tokens.iter().all(|token| *token == own), "{tokens:?}");
    }
    let shared: u64 = world
        .replicas
        .iter()
        .map(|it| it.count(Outcome::Shared))
        .sum();
    assert_eq!(shared, (PEOPLE * (REPLICAS - 1)) as u64);
    world.kept(PEOPLE).await;
}

/// However long it takes.
async fn ask(replica: Arc<Replica>, person: String) -> String {
    let identity = Identity::of([person.as_str()]);
    let landed = replica.keeper.obtain(identity, &replica.outcomes).await;
    shown(&landed.unwrap())
}

/// Time that goes on by itself nowhere, and slowly enough for a real Redis: a claim in there lasts four
/// seconds of its own.
async fn pass(time: Duration) {
    const STEP: Duration = Duration::from_millis(250);
    let end = Instant::now() + time;
    while Instant::now() < end {
        advance(STEP).await;
        let breath = || std::thread::sleep(Duration::from_millis(4));
        spawn_blocking(breath).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_waits_for_another_replicas_turn_waits_until_it_has_come() {
    let (redis, endpoint) = (
        RealRedis::start(&[]).await,
        Endpoint::new(Duration::from_hours(1)),
    );
    let pace = Pace {
        per_minute: 5,
        queue: Duration::from_mins(1),
    };
    let replica = || Replica::at_pace(pace, &redis.server(), &endpoint, KEY);
    let replicas = [replica(), replica(), replica()].map(Arc::new);
    // A blocking task keeps paused time from going on by itself.
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let blocking = spawn_blocking(move || gate.recv());
    tokio::time::pause();
    let people: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
    let mut askings = Vec::new();
    for replica in &replicas {
        let people = people.iter().cloned();
        askings.extend(people.map(|person| tokio::spawn(ask(Arc::clone(replica), person))));
        // The first has claimed all of them before the others come.
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(endpoint.fetches(), 5, "and five wait for their turns");
    pass(Duration::from_secs(65)).await;
    let tokens: Vec<String> = join_all(askings)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(endpoint.fetches(), 10, "{tokens:?}");
    assert!(tokens.iter().all(|token| token.ends_with("-1")));
    drop(release);
    blocking.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn redis_sees_no_secret_and_nobody() {
    let world = World::of(1).await;
    world.replicas[0].credential("canary-subject").await;
    let keys = world.kept(1).await;
    for key in keys {
        assert!(!key.contains("canary"), "{key}");
        let value: Vec<u8> = world.redis.run(&["GET", &key]).await;
        assert!(value.len() > 60);
        assert!(!String::from_utf8_lossy(&value).contains("canary"));
        let life: i64 = world.redis.run(&["PTTL", &key]).await;
        assert!((3_500_000..=3_600_000).contains(&life), "{life}");
    }
}

#[tokio::test]
async fn what_was_refused_is_fetched_once_for_all() {
    let world = World::of(3).await;
    let asked = world.replicas.iter().map(|it| it.credential("ada"));
    let first = join_all(asked).await;
    assert_eq!(world.endpoint.fetches(), 1);
    let renewed = world.replicas.iter().zip(&first);
    let renewed = join_all(renewed.map(|(it, refused)| it.renew("ada", refused))).await;
    assert_eq!(world.endpoint.fetches(), 2);
    for credential in &renewed {
        assert_eq!(shown(credential), "Bearer canary-token-ada-2");
    }
    world.kept(1).await;
    let newcomer = Replica::new(&world.redis, &world.endpoint, KEY);
    let given = newcomer.credential("ada").await;
    assert_eq!(shown(&given), "Bearer canary-token-ada-2");
}

#[tokio::test]
async fn one_refreshes_ahead_for_all() {
    let world = World::living(4, Duration::from_secs(10)).await;
    join_all(world.replicas.iter().map(|it| it.credential("ada"))).await;
    sleep(Duration::from_millis(8200)).await;
    let end = Instant::now() + ENOUGH;
    for replica in &world.replicas {
        while shown(&replica.credential("ada").await) != "Bearer canary-token-ada-2" {
            assert!(Instant::now() < end);
            sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(world.endpoint.fetches(), 2);
}

async fn fetch(replica: Replica) {
    let _ = replica.obtain("ada").await;
}

#[tokio::test]
async fn who_dies_while_fetching_is_followed_by_another() {
    let world = World::of(1).await;
    world.endpoint.take(ENOUGH);
    let endpoint = world.endpoint.clone();
    let (server, dying) = (world.redis.server(), endpoint.clone());
    let (died, dead) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let replica = Replica::at(&server, &dying, KEY);
            tokio::spawn(fetch(replica));
            dying.0.asked.notified().await;
            // Several words of its owner later, the claim still holds.
            sleep(Duration::from_secs(6)).await;
        });
        runtime.shutdown_background();
        died.send(()).unwrap();
    });
    spawn_blocking(move || dead.recv().unwrap()).await.unwrap();
    endpoint.take(Duration::ZERO);
    assert_eq!(world.endpoint.fetches(), 1);
    let lock: Vec<String> = world.redis.run(&["KEYS", "*lock*"]).await;
    assert_eq!(lock.len(), 1, "a fetch of six seconds keeps its claim");
    let given = world.replicas[0].credential("ada").await;
    assert_eq!(shown(&given), "Bearer canary-token-ada-2");
}

#[tokio::test]
async fn without_redis_each_fetches_for_itself() {
    let mut world = World::of(2).await;
    let before = world.replicas[0].credential("ada").await;
    world.kept(1).await;
    world.redis.stop();
    let own = world.replicas[1].credential("ada").await;
    assert_eq!(world.endpoint.fetches(), 2);
    assert_ne!(shown(&own), shown(&before));
    assert_eq!(world.replicas[1].count(Outcome::Unshared), 1);
    let kept = world.replicas[0].credential("ada").await;
    assert_eq!(shown(&kept), shown(&before));
    world.redis.resume().await;
    let end = Instant::now() + ENOUGH;
    for number in 0.. {
        let person = format!("p{number}");
        for replica in &world.replicas {
            replica.credential(&person).await;
        }
        if world.replicas[1].count(Outcome::Shared) > 0 {
            break;
        }
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_redis_that_hangs_keeps_nobody_waiting_for_long() {
    let world = World::of(1).await;
    world.replicas[0].credential("ada").await;
    world.kept(1).await;
    let _: String = world.redis.run(&["CLIENT", "PAUSE", "60000"]).await;
    let begun = Instant::now();
    world.replicas[0].credential("bob").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn keys_change_one_after_the_other() {
    let world = World::of(0).await;
    let (old, new) = ("key of last year", "key of this year");
    let replica = |keys: &[&str]| Replica::new(&world.redis, &world.endpoint, keys);
    let given = async |keys: &[&str], person: &str| {
        let shared = replica(keys);
        shared.credential(person).await;
        shared.count(Outcome::Shared)
    };
    assert_eq!(given(&[old], "ada").await, 0);
    world.kept(1).await;
    assert_eq!(given(&[old, new], "ada").await, 1);
    assert_eq!(given(&[new, old], "ada").await, 1);
    assert_eq!(given(&[new, old], "bob").await, 0);
    world.kept(2).await;
    assert_eq!(given(&[old, new], "bob").await, 1);
    assert_eq!(given(&[new], "bob").await, 1);
    assert_eq!(world.endpoint.fetches(), 2);
    let stranger = replica(&["another"]);
    stranger.credential("ada").await;
    assert_eq!(stranger.count(Outcome::Strange), 1);
    assert_eq!(stranger.count(Outcome::Shared), 0);
    assert_eq!(world.endpoint.fetches(), 3);
}

#[tokio::test]
async fn what_others_put_there_lets_nobody_in() {
    let world = World::of(2).await;
    let [first, second] = [&world.replicas[0], &world.replicas[1]];
    first.credential("ada").await;
    let ada = world.kept(1).await.remove(0);
    first.credential("bob").await;
    let bob = world.kept(2).await.into_iter().find(|key| *key != ada);
    let bob = bob.unwrap();
    let _: i64 = world.redis.run(&["COPY", &ada, &bob, "REPLACE"]).await;
    let given = second.credential("bob").await;
    assert_eq!(shown(&given), "Bearer canary-token-bob-2");
    assert_eq!(second.count(Outcome::Strange), 1);
    world.kept(2).await;
    for garbage in ["", "{}", "\u{1}garbage garbage garbage garbage garbage"] {
        let _: String = world.redis.run(&["SET", &ada, garbage]).await;
        let newcomer = Replica::new(&world.redis, &world.endpoint, KEY);
        let before = world.endpoint.fetches();
        newcomer.credential("ada").await;
        assert_eq!(world.endpoint.fetches(), before + 1, "{garbage}");
        world.kept(2).await;
    }
    let _: i64 = world.redis.run(&["DEL", &ada]).await;
    let _: i64 = world.redis.run(&["LPUSH", &ada, "x"]).await;
    let newcomer = Replica::new(&world.redis, &world.endpoint, KEY);
    newcomer.credential("ada").await;
    assert_eq!(newcomer.count(Outcome::Unshared), 1);
}

#[tokio::test]
async fn what_is_past_is_not_taken_however_long_redis_keeps_it() {
    let world = World::living(2, Duration::from_secs(3)).await;
    world.replicas[0].credential("ada").await;
    let key = world.kept(1).await.remove(0);
    let _: i64 = world.redis.run(&["PERSIST", &key]).await;
    sleep(Duration::from_secs(3)).await;
    let given = world.replicas[1].credential("ada").await;
    assert_eq!(shown(&given), "Bearer canary-token-ada-2");
}

#[tokio::test]
async fn what_the_endpoint_asks_one_to_wait_all_wait() {
    let world = World::of(2).await;
    world.replicas[1].credential("ada").await;
    world.kept(1).await;
    *world.endpoint.0.throttles.lock().unwrap() = true;
    let told = world.replicas[0].obtain("bob").await;
    assert!(matches!(told, Err(CredentialError::Throttled { .. })));
    assert_eq!(world.endpoint.fetches(), 2);
    world.kept(2).await;
    let heard = world.replicas[1].obtain("cyd").await;
    let Err(CredentialError::Throttled { wait, .. }) = heard else {
        panic!("it asked all the same")
    };
    assert!(wait > Duration::from_secs(20) && wait <= Duration::from_secs(30));
    assert_eq!(world.endpoint.fetches(), 2);
    // What another has fetched is nobody's to wait for.
    let given = world.replicas[0].credential("ada").await;
    assert_eq!(shown(&given), "Bearer canary-token-ada-1");
}

#[tokio::test]
async fn what_another_replica_may_use_is_not_ended_with_the_last_use_here() {
    let world = World::of(1).await;
    let shared = world.replicas[0].credential("ada").await;
    assert_eq!(format!("{:?}", shared.stay()), "Stay(false)");
    let pace = Pace {
        per_minute: 1,
        queue: Duration::ZERO,
    };
    let alone = Keeper::new(
        world.endpoint.clone(),
        Tempo::new(pace),
        None,
        Some(Duration::ZERO),
    );
    let outcomes = Arc::default();
    let own = alone
        .obtain(Identity::of(["ada"]), &outcomes)
        .await
        .unwrap();
    assert_eq!(format!("{:?}", own.stay()), "Stay(true)");
}
