//! Many new people at once: who waits how long, and that Qlik never has to say 429.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::super::error::Trouble;
use super::super::explain::At;
use super::super::explain::{Refusal, Said};
use super::super::identity::Identity;
use super::super::keeper::Keeper;
use super::super::mint::{Mint, Minted, Minting};
use super::super::tempo::Tempo;
use super::super::{CredentialError, Outcome, Outcomes, bearer};
use super::support::PACE;
use crate::fault::{Fault, Faulty};

const MINUTE: Duration = Duration::from_mins(1);

/// Qlik's own limit (tier 2).
const LIMIT: usize = 100;

/// A mint that takes a second, and says 429 to whoever is the hundred-and-first within a minute.
#[derive(Clone, Default)]
struct Tier2(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    asked: Vec<Instant>,
    throttled: usize,
    down: bool,
}

impl Mint for Tier2 {
    fn name(&self) -> Cow<'_, str> {
        "tier 2".into()
    }

    fn mint<'a>(&'a self, _: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let answer = self.answer();
            sleep(Duration::from_secs(1)).await;
            answer
        })
    }
}

impl Tier2 {
    fn answer(&self) -> Result<Minted, CredentialError> {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        ledger.asked.push(now);
        if ledger.down {
            return Err(CredentialError::Down(At::Token, Trouble::NotJson));
        }
        let recent = ledger.asked.iter().filter(|&&asked| now - asked < MINUTE);
        if recent.count() > LIMIT {
            ledger.throttled += 1;
            let (status, said) = (StatusCode::TOO_MANY_REQUESTS, Said::default());
            let refusal = Arc::new(Refusal::new(status, &said, &[]));
            let wait = MINUTE;
            return Err(CredentialError::Throttled { refusal, wait });
        }
        Ok(Minted {
            injection: bearer("token").ok_or(CredentialError::BadKey)?,
            life: Duration::from_hours(6),
        })
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }
}

/// One page that comes again when it was told to.
struct Visit {
    /// How long the proxy kept it waiting for its answers.
    waited: Duration,
    /// How often it was sent away.
    sent_away: u32,
    /// When it was in.
    done: Duration,
}

async fn visit(keeper: &Keeper, outcomes: &Arc<Outcomes>, number: usize) -> Visit {
    let start = Instant::now();
    let (mut waited, mut sent_away) = (Duration::ZERO, 0);
    loop {
        let asked = Instant::now();
        let landed = keeper.obtain(Identity::of([&number.to_string()]), outcomes);
        let landed = landed.await;
        waited += asked.elapsed();
        let Err(error) = landed else {
            let done = start.elapsed();
            return Visit {
                waited,
                sent_away,
                done,
            };
        };
        assert!(matches!(error, CredentialError::Queued { .. }), "{error}");
        assert_eq!(error.fault(), Fault::CredentialDown);
        assert_eq!(asked.elapsed(), Duration::ZERO, "told at once");
        sent_away += 1;
        sleep(error.retry_after().unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_new_people_get_in_without_one_429() {
    let mint = Tier2::default();
    let keeper = Keeper::new(mint.clone(), Tempo::new(PACE), None, None);
    let outcomes = Arc::<Outcomes>::default();
    let people = (0..1000).map(|number| visit(&keeper, &outcomes, number));
    let visits = join_all(people).await;

    assert_eq!(mint.0.lock().unwrap().throttled, 0, "never a 429");
    assert_eq!(mint.asked(), 1000, "one fetch a person");
    let table = table(&visits);
    println!("{table}");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&table), "README.md shows another table");
    assert_eq!(outcomes.count(Outcome::SentAway), 920);
    assert_eq!(outcomes.count(Outcome::Queued), 0);
}

/// A row a minute: those who got in within it fared alike.
fn table(visits: &[Visit]) -> String {
    let mut table =
        String::from("| new people | kept waiting | sent away | in within |\n|---|---|---|---|\n");
    let mut before = 0;
    for minute in 0..13 {
        let span = MINUTE * minute..MINUTE * (minute + 1);
        let mut row = visits.iter().filter(|visit| span.contains(&visit.done));
        let first = row.next().unwrap();
        let (waited, away) = (first.waited.as_secs(), first.sent_away);
        let others = row.map(|v| assert_eq!((v.waited.as_secs(), v.sent_away), (waited, away)));
        let all = before + 1 + others.count();
        let away = ["–", "once"][away as usize];
        let (from, end) = (before + 1, minute + 1);
        writeln!(
            table,
            "| {from} – {all} | {waited} s | {away} | {end} min |"
        )
        .unwrap();
        before = all;
    }
    assert_eq!(before, visits.len());
    table
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_turn_soon_waits_for_it() {
    let keeper = Keeper::new(Tier2::default(), Tempo::new(PACE), None, None);
    let outcomes = Arc::<Outcomes>::default();
    let crowd = (0..80).map(|number| visit(&keeper, &outcomes, number));
    join_all(crowd).await;
    sleep(Duration::from_secs(45)).await;
    let late = visit(&keeper, &outcomes, 80).await;
    assert_eq!((late.waited.as_secs(), late.sent_away), (15, 0));
    assert_eq!(outcomes.count(Outcome::Queued), 1);
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_early_keeps_the_place_it_was_promised() {
    let keeper = Keeper::new(Tier2::default(), Tempo::new(PACE), None, None);
    let outcomes = Arc::<Outcomes>::default();
    let crowd = (0..80).map(|number| visit(&keeper, &outcomes, number));
    let late = async {
        let ask = || keeper.obtain(Identity::of(["late"]), &outcomes);
        for second in 0..45 {
            let refused = ask().await.unwrap_err();
            let wait = Duration::from_secs(60 - second);
            assert_eq!(refused.retry_after(), Some(wait));
            sleep(Duration::from_secs(1)).await;
        }
        assert!(ask().await.is_ok(), "there is room in the queue by now");
    };
    tokio::join!(join_all(crowd), late);
}

#[tokio::test(start_paused = true)]
async fn a_mint_that_is_down_is_tried_by_one_at_a_time() {
    let mint = Tier2::default();
    mint.0.lock().unwrap().down = true;
    let keeper = Keeper::new(mint.clone(), Tempo::new(PACE), None, None);
    let outcomes = Arc::<Outcomes>::default();
    let start = Instant::now();
    let mut number = 0;
    while start.elapsed() < Duration::from_mins(5) {
        let few =
            (number..number + 10).map(|n| keeper.obtain(Identity::of([&n.to_string()]), &outcomes));
        assert!(join_all(few).await.iter().all(Result::is_err));
        number += 10;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(number > 1000);
    let asked = mint.asked();
    assert!(
        (15..30).contains(&asked),
        "{asked} fetches for {number} people"
    );
    mint.0.lock().unwrap().down = false;
    sleep(Duration::from_secs(31)).await;
    assert!(keeper.obtain(Identity::of(["x"]), &outcomes).await.is_ok());
}
