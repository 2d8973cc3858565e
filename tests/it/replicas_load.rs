//! The Redis of sessions, tickets and logouts is stopped, started and hangs while sockets open all the
//! time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine_sim::engine::SALES_APP;
use futures_util::future::{join, join_all};
use tokio::time::sleep;

use crate::support::{Knock, ORIGIN, RealRedis, Recipe, Sibling, World, attempt, soon};

const SIGNED_IN: usize = 12;
const STRANGERS: usize = 12;
const OUTAGES: usize = 3;
/// The longest that any answer may take: a session check and the askings for a ticket have 1 s and
/// 2 s; the rest is for a busy machine.
const LONGEST: Duration = Duration::from_secs(8);

/// How an opening came out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Outcome {
    Open,
    Closed(u16),
}

/// What came out of all openings of some people, and how long the longest took.
#[derive(Debug, Default)]
struct Tally {
    outcomes: BTreeMap<Outcome, usize>,
    longest: Duration,
}

struct Scene {
    redis: RealRedis,
    first: World,
    second: Sibling,
}

impl Scene {
    async fn start() -> Self {
        let redis = RealRedis::start().await;
        let sessions = format!(
            "[[route.session]]\nkind = \"ticket\"\n[[route.session]]\nkind = \"redis\"\n\
             url = \"{}\"\nformat = \"plain\"\ncookie = \"session\"\nprefix = \"sess:\"\n\
             cache = \"0s\"\nrecheck = \"200ms\"\ntimeout = \"1s\"\n",
            redis.url()
        );
        let limits = "[limits]\nfailures_per_minute = 1000000\nopens_per_minute = 1000000\n";
        let process = format!("{}{limits}", redis.table());
        let recipe = || Recipe::default().process(&process).session(&sessions);
        let first = recipe().start().await;
        let second = Sibling::start(&first, &recipe()).await;
        Self {
            redis,
            first,
            second,
        }
    }

    /// The app's sessions, as the app writes them anew after a crash of its store.
    async fn fill(redis: &RealRedis) {
        for number in 0..SIGNED_IN {
            let _: String = redis
                .run(&["SET", &format!("sess:{}", id(number)), "x"])
                .await;
        }
    }
}

fn id(number: usize) -> String {
    format!("session-of-{number:04}-0123456789abcdef")
}

/// One of the two proxies, in turn.
fn at<'a>(second: &Sibling, turn: usize, knock: Knock<'a>) -> Knock<'a> {
    if turn.is_multiple_of(2) {
        knock
    } else {
        second.asked(knock)
    }
}

async fn open(knock: Knock<'_>) -> Outcome {
    match attempt(knock).await {
        Ok(mut browser) => {
            browser.close(1000).await;
            Outcome::Open
        }
        Err(code) => Outcome::Closed(code),
    }
}

/// Opens sockets until it is over, by cookie and by ticket, at both proxies.
async fn come(world: &World, second: &Sibling, cookie: &str, over: &Cell<bool>) -> Tally {
    let mut tally = Tally::default();
    let target = format!("/qlik/app/{SALES_APP}");
    for turn in 0.. {
        if over.get() {
            break;
        }
        let begun = Instant::now();
        let outcome = match turn % 3 {
            0 => by_ticket(world, second, cookie, turn).await,
            _ => open(at(second, turn, world.connect(&target).cookie(cookie))).await,
        };
        tally.longest = tally.longest.max(begun.elapsed());
        *tally.outcomes.entry(outcome).or_default() += 1;
        sleep(Duration::from_millis(10)).await;
    }
    tally
}

/// A ticket of one proxy, used at the other. A status stands for the code that goes with it.
async fn by_ticket(world: &World, second: &Sibling, cookie: &str, turn: usize) -> Outcome {
    let ask = world.http("POST", "/qlik/ticket").origin(ORIGIN);
    let ask = ask.cookie(cookie).with("content-length", "0");
    let answer = at(second, turn, ask).refused().await;
    match answer.status {
        200 => {}
        401 => return Outcome::Closed(4006),
        503 => return Outcome::Closed(4211),
        _ => panic!("{answer:?}"),
    }
    let ticket = answer.json()["ticket"].as_str().unwrap().to_owned();
    let ticket = world.keep_from_log(ticket);
    let target = format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}");
    open(at(second, turn + 1, world.connect(&target))).await
}

/// Stops and starts Redis again and again, and then lets it hang for longer than anybody waits.
async fn trouble(redis: &mut RealRedis, over: &Cell<bool>) {
    for _ in 0..OUTAGES {
        sleep(Duration::from_millis(700)).await;
        redis.stop();
        sleep(Duration::from_millis(700)).await;
        redis.resume().await;
        Scene::fill(redis).await;
    }
    sleep(Duration::from_millis(700)).await;
    redis.freeze();
    sleep(Duration::from_millis(2_500)).await;
    redis.thaw();
    sleep(Duration::from_millis(700)).await;
    over.set(true);
}

#[tokio::test]
async fn redis_stopped_and_started_under_load_lets_nobody_in_wrongly_and_recovers() {
    let mut scene = Scene::start().await;
    Scene::fill(&scene.redis).await;
    let (first, second, over) = (&scene.first, &scene.second, &Cell::new(false));
    let cookies: Vec<String> = (0..SIGNED_IN + STRANGERS).map(id).collect();
    let crowd = join_all(
        cookies
            .iter()
            .map(|cookie| come(first, second, cookie, over)),
    );
    let (tallies, ()) = join(crowd, trouble(&mut scene.redis, over)).await;
    let down = Outcome::Closed(4211);
    let (signed_in, strangers) = tallies.split_at(SIGNED_IN);
    for tally in signed_in {
        assert!(tally.outcomes[&Outcome::Open] > 0, "{tally:?}");
    }
    for tally in strangers {
        assert!(!tally.outcomes.contains_key(&Outcome::Open), "{tally:?}");
    }
    for tally in &tallies {
        let known = [Outcome::Open, Outcome::Closed(4006), down];
        assert!(
            tally.outcomes.keys().all(|outcome| known.contains(outcome)),
            "{tally:?}"
        );
        assert!(
            tally.outcomes.contains_key(&down),
            "an outage is told: {tally:?}"
        );
        assert!(tally.longest < LONGEST, "{tally:?}");
    }
    recovered(first, second, &cookies[0]).await;
}

/// Both proxies let in who is signed in, by cookie and by ticket.
async fn recovered(first: &World, second: &Sibling, cookie: &str) {
    let target = format!("/qlik/app/{SALES_APP}");
    for turn in 0..2 {
        soon(async {
            while open(at(second, turn, first.connect(&target).cookie(cookie))).await
                != Outcome::Open
            {
                sleep(Duration::from_millis(50)).await;
            }
            while by_ticket(first, second, cookie, turn).await != Outcome::Open {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}
