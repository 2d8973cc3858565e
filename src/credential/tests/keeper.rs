//! The keeper alone: paused time, no sockets.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, advance, sleep, sleep_until};

use super::super::error::Trouble;
use super::super::explain::At;
use super::super::identity::Identity;
use super::super::keeper::Keeper;
use super::super::mint::{Mint, Minted, Minting};
use super::super::shelf::Landed;
use super::super::tempo::Tempo;
use super::super::{Credential, CredentialError, Outcome, Outcomes, bearer};
use super::support::{PACE, refusal, shown};
use crate::config::Pace;

const LIFE: Duration = Duration::from_secs(1000);
const MINTING: Duration = Duration::from_millis(300);

/// The last moment of the 70 % of a life that follow the fetch, and how long until it is old.
const STILL_FRESH: Duration = Duration::from_millis(700_000 - 300 - 1);
const TO_OLD_AGE: Duration = Duration::from_millis(100_001);

/// What a mint is told to do next.
#[derive(Clone, Copy)]
enum Mood {
    Good,
    Down,
    Final,
    Throttle(u64),
    Panic,
}

struct FakeMint {
    mood: Mutex<Mood>,
    mints: Mutex<Vec<Instant>>,
}

/// A handle on the mint that the keeper owns.
#[derive(Clone)]
struct Handle(Arc<FakeMint>);

impl Handle {
    fn set(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn mints(&self) -> usize {
        self.0.mints.lock().unwrap().len()
    }
}

impl Mint for Handle {
    fn name(&self) -> Cow<'_, str> {
        "fake".into()
    }

    fn mint<'a>(&'a self, _: &'a Identity) -> Minting<'a> {
        Box::pin(self.make())
    }
}

impl Handle {
    async fn make(&self) -> Result<Minted, CredentialError> {
        let number = {
            let mut mints = self.0.mints.lock().unwrap();
            mints.push(Instant::now());
            mints.len()
        };
        sleep(MINTING).await;
        let mood = *self.0.mood.lock().unwrap();
        match mood {
            Mood::Good => Ok(Minted {
                injection: bearer(&format!("token-{number}")).unwrap(),
                life: LIFE,
            }),
            Mood::Down => Err(CredentialError::Down(At::Token, Trouble::NotJson)),
            Mood::Final => Err(CredentialError::Refused(refusal(403))),
            Mood::Throttle(wait) => Err(CredentialError::Throttled {
                refusal: refusal(429),
                wait: Duration::from_secs(wait),
            }),
            Mood::Panic => panic!("the mint broke"),
        }
    }
}

struct World {
    keeper: Keeper,
    mint: Handle,
    outcomes: Arc<Outcomes>,
}

impl World {
    fn new() -> Self {
        Self::at(PACE)
    }

    fn at(pace: Pace) -> Self {
        let mint = Handle(Arc::new(FakeMint {
            mood: Mutex::new(Mood::Good),
            mints: Mutex::default(),
        }));
        let outcomes = Arc::<Outcomes>::default();
        let keeper = Keeper::new(mint.clone(), Tempo::new(pace), None, None);
        Self {
            keeper,
            mint,
            outcomes,
        }
    }

    async fn obtain(&self) -> Landed {
        self.keeper.obtain(ada(), &self.outcomes).await
    }

    async fn token(&self) -> String {
        shown(&self.obtain().await.unwrap())
    }

    async fn renew(&self, refused: &Credential) -> Landed {
        self.keeper
            .renew(ada(), refused.generation, &self.outcomes)
            .await
    }

    /// Waits until every fetch under way has landed.
    async fn settle(&self) {
        sleep(MINTING * 2).await;
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let count = |outcome: Outcome| (outcome.label(), self.outcomes.count(outcome));
        let counts = Outcome::ALL.into_iter().map(count);
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

fn ada() -> Identity {
    Identity::of(["ada"])
}

fn numbered(number: usize) -> Identity {
    Identity::of([&number.to_string()])
}

#[tokio::test(start_paused = true)]
async fn a_herd_of_one_identity_costs_one_fetch() {
    let world = World::new();
    let herd = join_all((0..100).map(|_| world.obtain())).await;
    assert!(
        herd.iter()
            .all(|landed| shown(landed.as_ref().unwrap()) == "Bearer token-1")
    );
    assert_eq!(world.mint.mints(), 1);
    assert_eq!(world.counts(), [("fetched", 1), ("joined", 99)]);
    world.token().await;
    assert_eq!(
        world.counts(),
        [("cached", 1), ("fetched", 1), ("joined", 99)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_herd_of_a_hundred_identities_costs_a_hundred() {
    let world = World::at(Pace {
        per_minute: 100,
        ..PACE
    });
    let herd = (0..1000).map(|number| world.keeper.obtain(numbered(number % 100), &world.outcomes));
    let mut tokens: Vec<_> = join_all(herd).await;
    assert_eq!(world.mint.mints(), 100);
    let mut tokens: Vec<_> = tokens
        .drain(..)
        .map(|landed| shown(&landed.unwrap()))
        .collect();
    assert_eq!(tokens[..100], tokens[900..]);
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn the_same_text_under_another_field_is_another_identity() {
    let world = World::new();
    world
        .keeper
        .obtain(Identity::of(["subject", "x"]), &world.outcomes)
        .await
        .unwrap();
    world
        .keeper
        .obtain(Identity::of(["userId", "x"]), &world.outcomes)
        .await
        .unwrap();
    assert_eq!(world.mint.mints(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_ends_the_fetch_for_nobody() {
    let world = Arc::new(World::new());
    let leaver = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.obtain().await }
    });
    sleep(MINTING / 3).await;
    assert_eq!(world.mint.mints(), 1, "the leaver started it");
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    assert_eq!(world.token().await, "Bearer token-1");
    assert_eq!(world.mint.mints(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_ahead_while_the_old_one_serves() {
    let world = World::new();
    world.token().await;
    // Counted from the moment the token was asked for.
    advance(STILL_FRESH).await;
    assert_eq!(world.token().await, "Bearer token-1");
    world.settle().await;
    assert_eq!(world.mint.mints(), 1, "too early");

    advance(TO_OLD_AGE).await;
    let asked = Instant::now();
    let herd = join_all((0..50).map(|_| world.token())).await;
    assert!(herd.iter().all(|token| token == "Bearer token-1"));
    assert_eq!(asked, Instant::now(), "nobody waits");
    world.settle().await;
    assert_eq!(world.token().await, "Bearer token-2");
    assert_eq!(world.mint.mints(), 2);
    assert_eq!(
        world.counts(),
        [("cached", 52), ("fetched", 1), ("refreshed", 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_asking_fetches_nothing() {
    let world = World::new();
    world.token().await;
    sleep(LIFE * 3).await;
    assert_eq!(world.mint.mints(), 1);
    assert_eq!(
        world.token().await,
        "Bearer token-2",
        "the dead one is not served"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_token_outlives_trouble_until_it_expires() {
    for mood in [Mood::Down, Mood::Final, Mood::Throttle(5)] {
        let world = World::new();
        let start = Instant::now();
        world.token().await;
        world.mint.set(mood);
        sleep_until(start + LIFE * 9 / 10).await;
        while start.elapsed() < LIFE {
            assert_eq!(world.token().await, "Bearer token-1");
            sleep(Duration::from_secs(1)).await;
        }
        assert!(world.obtain().await.is_err());
        assert!(
            (3..=25).contains(&world.mint.mints()),
            "{}",
            world.mint.mints()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn passing_failures_are_asked_about_ever_more_rarely() {
    let world = World::new();
    world.mint.set(Mood::Down);
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(2) {
        assert!(matches!(
            world.obtain().await,
            Err(CredentialError::Down(..))
        ));
        sleep(Duration::from_millis(10)).await;
    }
    let mints = world.mint.0.mints.lock().unwrap().clone();
    let pauses: Vec<u64> = mints
        .windows(2)
        .map(|pair| (pair[1] - (pair[0] + MINTING)).as_secs())
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);

    world.mint.set(Mood::Good);
    sleep(Duration::from_secs(30)).await;
    world.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_is_remembered_for_ten_seconds() {
    let world = World::new();
    world.mint.set(Mood::Final);
    join_all((0..100).map(|_| world.obtain())).await;
    for _ in 0..9 {
        assert!(matches!(
            world.obtain().await,
            Err(CredentialError::Refused(_))
        ));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.mint.mints(), 1);
    assert_eq!(
        world.counts(),
        [("failed_final", 1), ("held", 9), ("joined", 99)]
    );

    world.mint.set(Mood::Good);
    assert!(
        world
            .keeper
            .obtain(numbered(1), &world.outcomes)
            .await
            .is_ok(),
        "others are not meant"
    );
    sleep(Duration::from_secs(1)).await;
    assert!(world.obtain().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_endpoint_to_everybody() {
    let world = World::new();
    let kept = world
        .keeper
        .obtain(numbered(1), &world.outcomes)
        .await
        .unwrap();
    world.mint.set(Mood::Throttle(60));
    assert!(matches!(
        world.obtain().await,
        Err(CredentialError::Throttled { .. })
    ));
    world.mint.set(Mood::Good);
    let closed = Instant::now();
    while closed.elapsed() < Duration::from_secs(59) {
        for identity in [ada(), numbered(2), numbered(3)] {
            let refused = world.keeper.obtain(identity, &world.outcomes).await;
            assert!(matches!(refused, Err(CredentialError::Throttled { .. })));
        }
        let one = world
            .keeper
            .obtain(numbered(1), &world.outcomes)
            .await
            .unwrap();
        assert_eq!(shown(&one), "Bearer token-1", "who has a token keeps it");
        sleep(Duration::from_secs(1)).await;
    }
    let renewed = world
        .keeper
        .renew(numbered(1), kept.generation, &world.outcomes)
        .await;
    assert!(matches!(renewed, Err(CredentialError::Throttled { .. })));
    assert_eq!(world.mint.mints(), 2);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.token().await, "Bearer token-3");
}

#[tokio::test(start_paused = true)]
async fn whoever_renews_second_gets_what_the_first_fetched() {
    let world = World::new();
    let refused = world.obtain().await.unwrap();
    let herd = join_all((0..20).map(|_| world.renew(&refused))).await;
    assert!(
        herd.iter()
            .all(|landed| shown(landed.as_ref().unwrap()) == "Bearer token-2")
    );
    let late = world.renew(&refused).await.unwrap();
    assert_eq!(shown(&late), "Bearer token-2");
    assert_eq!(world.mint.mints(), 2);
    assert_eq!(
        world.counts(),
        [
            ("cached", 1),
            ("fetched", 1),
            ("joined", 19),
            ("renewed", 1)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_served_to_nobody_while_the_next_is_fetched() {
    let world = World::new();
    let refused = world.obtain().await.unwrap();
    let (renewed, asked) = tokio::join!(world.renew(&refused), world.obtain());
    assert_eq!(shown(&renewed.unwrap()), "Bearer token-2");
    assert_eq!(shown(&asked.unwrap()), "Bearer token-2");
}

#[tokio::test(start_paused = true)]
async fn renewing_never_loops() {
    let world = World::new();
    let mut credential = world.obtain().await.unwrap();
    let start = Instant::now();
    let mut refused = 0;
    while start.elapsed() < Duration::from_secs(59) {
        match world.renew(&credential).await {
            Ok(fresh) => credential = fresh,
            Err(error) => {
                assert!(matches!(error, CredentialError::RefusedAgain), "{error}");
                credential = world.obtain().await.unwrap();
                refused += 1;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.mint.mints(), 1 + 1, "one forced fetch a minute");
    assert!(refused > 400);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_leaves_no_refused_token_behind() {
    let world = World::new();
    let refused = world.obtain().await.unwrap();
    world.mint.set(Mood::Down);
    assert!(matches!(
        world.renew(&refused).await,
        Err(CredentialError::Down(..))
    ));
    assert!(matches!(
        world.obtain().await,
        Err(CredentialError::Down(..))
    ));
    world.mint.set(Mood::Good);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.token().await, "Bearer token-3");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_breaks_is_an_error_and_not_the_end() {
    let world = World::new();
    world.mint.set(Mood::Panic);
    let herd = join_all((0..3).map(|_| world.obtain())).await;
    let broken =
        |landed: &Landed| matches!(landed, Err(CredentialError::Down(_, Trouble::BrokenOff)));
    assert!(herd.iter().all(broken));
    world.mint.set(Mood::Good);
    assert_eq!(world.token().await, "Bearer token-2");
}
