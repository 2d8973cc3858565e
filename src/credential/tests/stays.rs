//! What a keeper ends after the last use of it: paused time, no sockets.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{advance, sleep, timeout};

use super::super::identity::Identity;
use super::super::keeper::Keeper;
use super::super::mint::{Ending, Mint, Minted, Minting};
use super::super::stay::Ender;
use super::super::tempo::Tempo;
use super::super::{Credential, CredentialError, Outcome, Outcomes, bearer};
use super::support::PACE;

const LINGER: Duration = Duration::from_mins(5);
/// A moment before it is over.
const ALMOST: Duration = Duration::from_millis(299_999);
const ENDING: Duration = Duration::from_secs(2);

/// How ends go.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Mood {
    Good,
    Hangs,
    Panics,
    Refuses,
}

#[derive(Clone)]
struct Doorman(Arc<Mutex<Story>>);

struct Story {
    mood: Mood,
    lines: Vec<String>,
}

impl Doorman {
    fn says(&self, line: &str, identity: &Identity) {
        let line = format!("{line} {}", identity.value(0));
        self.0.lock().unwrap().lines.push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().lines.clone()
    }

    async fn make(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        self.says("made", identity);
        sleep(Duration::from_secs(1)).await;
        Ok(Minted {
            injection: bearer("token").unwrap(),
            life: Duration::from_hours(1),
        })
    }

    async fn finish(&self, identity: &Identity) -> Result<bool, CredentialError> {
        self.says("ending", identity);
        sleep(ENDING).await;
        let mood = self.0.lock().unwrap().mood;
        match mood {
            Mood::Good => self.says("ended", identity),
            Mood::Hangs => std::future::pending().await,
            Mood::Panics => panic!("the doorman fell"),
            Mood::Refuses => return Err(CredentialError::BadKey),
        }
        Ok(true)
    }
}

impl Mint for Doorman {
    fn name(&self) -> Cow<'_, str> {
        "doorman".into()
    }

    fn end<'a>(&'a self, identity: &'a Identity) -> Ending<'a> {
        Box::pin(self.finish(identity))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.make(identity))
    }
}

struct House {
    keeper: Keeper,
    doorman: Doorman,
    outcomes: Arc<Outcomes>,
}

impl House {
    fn new(mood: Mood) -> Self {
        let lines = Vec::new();
        let doorman = Doorman(Arc::new(Mutex::new(Story { mood, lines })));
        Self {
            keeper: Keeper::new(doorman.clone(), Tempo::new(PACE), None, Some(LINGER)),
            doorman,
            outcomes: Arc::default(),
        }
    }

    async fn come(&self, name: &str) -> Credential {
        let identity = Identity::of([name]);
        self.keeper.obtain(identity, &self.outcomes).await.unwrap()
    }
}

async fn pass(time: Duration) {
    // Whoever shall sleep must have fallen asleep before.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    advance(time).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_ended_some_time_after_the_last_of_all_uses() {
    let house = House::new(Mood::Good);
    let (first, second) = (house.come("ada").await, house.come("ada").await);
    let copy = first.stay();
    drop((first, second));
    pass(LINGER * 2).await;
    assert_eq!(house.doorman.lines(), ["made ada"], "a copy is in use");
    drop(copy);
    pass(ALMOST).await;
    assert_eq!(house.doorman.lines(), ["made ada"]);
    pass(Duration::from_millis(2)).await;
    pass(ENDING).await;
    assert_eq!(
        house.doorman.lines(),
        ["made ada", "ending ada", "ended ada"]
    );
    assert_eq!(house.outcomes.count(Outcome::Ended), 1);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_in_time_finds_it() {
    let house = House::new(Mood::Good);
    for _ in 0..5 {
        drop(house.come("ada").await);
        pass(ALMOST).await;
    }
    let _back = house.come("ada").await;
    pass(LINGER * 2).await;
    assert_eq!(house.doorman.lines(), ["made ada"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_it_is_ended_waits_and_gets_another() {
    let house = House::new(Mood::Good);
    drop(house.come("ada").await);
    pass(LINGER).await;
    assert_eq!(house.doorman.lines(), ["made ada", "ending ada"]);
    let (_ada, _bob) = tokio::join!(house.come("ada"), house.come("bob"));
    let lines = [
        "made ada",
        "ending ada",
        "made bob",
        "ended ada",
        "made ada",
    ];
    assert_eq!(house.doorman.lines(), lines);
    pass(LINGER * 2).await;
    assert_eq!(house.doorman.lines(), lines);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_fails_keeps_nobody_out() {
    for mood in [Mood::Hangs, Mood::Refuses, Mood::Panics] {
        let house = House::new(mood);
        drop(house.come("ada").await);
        pass(LINGER).await;
        let again = timeout(Duration::from_secs(15), house.come("ada"));
        let _ada = again.await.unwrap();
        assert_eq!(
            house.doorman.lines(),
            ["made ada", "ending ada", "made ada"]
        );
        let counted = u64::from(mood != Mood::Panics);
        assert_eq!(house.outcomes.count(Outcome::Unended), counted);
        // The next one is looked after all the same.
        drop(house.come("bob").await);
        pass(LINGER).await;
        assert_eq!(house.doorman.lines().last().unwrap(), "ending bob");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_at_once_what_lingers_and_what_is_left_after() {
    let house = House::new(Mood::Good);
    drop(house.come("ada").await);
    let bob = house.come("bob").await;
    pass(Duration::from_secs(1)).await;
    let register = house.keeper.core().register();
    register.close();
    timeout(ENDING * 2, register.emptied()).await.unwrap();
    assert_eq!(house.outcomes.count(Outcome::Ended), 1);
    drop(bob);
    timeout(ENDING * 2, register.emptied()).await.unwrap();
    assert_eq!(house.outcomes.count(Outcome::Ended), 2);
}

#[tokio::test(start_paused = true)]
async fn hundreds_are_ended_a_few_at_a_time() {
    let house = House::new(Mood::Good);
    for number in 0..50 {
        drop(house.come(&number.to_string()).await);
    }
    pass(LINGER).await;
    let ending = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| line.starts_with("ending"))
            .count()
    };
    assert_eq!(ending(&house.doorman.lines()), 16);
    for _ in 0..4 {
        pass(ENDING).await;
    }
    assert_eq!(house.outcomes.count(Outcome::Ended), 50);
}
