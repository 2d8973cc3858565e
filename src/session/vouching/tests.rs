//! Evidence that was issued anew, at a desk whose source answers what the test says.

use std::sync::{Arc, Weak};

use serde_json::Map;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance};

use super::super::moment::Moment;
use super::super::{Session, Standing};
use super::*;
use crate::id::{Issuer, RouteName, SessionId, Subject};

const RECHECK: Duration = Duration::from_secs(5);
const CACHE: Duration = Duration::from_secs(1);
const NO: SessionError = SessionError::Denied("the token is not active");

type Verdict = Result<Answer, SessionError>;

/// A source that is asked about tokens, and hands every asking to the test.
#[derive(Debug)]
struct Oracle {
    pace: Pace,
    health: Health,
    askings: mpsc::UnboundedSender<Asking>,
}

#[derive(Debug)]
struct Asking {
    token: Weak<String>,
    verdict: oneshot::Sender<Verdict>,
}

impl Source for Oracle {
    type Evidence = Arc<String>;

    const WHAT: &'static str = "the oracle";

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn can_be_renewed(&self) -> bool {
        true
    }

    async fn ask(&self, token: &Arc<String>) -> Verdict {
        let (verdict, told) = oneshot::channel();
        let token = Arc::downgrade(token);
        self.askings.send(Asking { token, verdict }).unwrap();
        told.await.unwrap()
    }
}

impl Asking {
    fn token(&self) -> String {
        self.token.upgrade().unwrap().to_string()
    }

    fn answer(self, verdict: Verdict) {
        self.verdict.send(verdict).unwrap();
    }
}

struct Bench {
    desk: Arc<Desk<Oracle>>,
    askings: mpsc::UnboundedReceiver<Asking>,
}

impl Bench {
    fn new() -> Self {
        let (sender, askings) = mpsc::unbounded_channel();
        let pace = Pace {
            cache: CACHE,
            recheck: RECHECK,
            grace: RECHECK,
            patience: RECHECK,
            last_look: Duration::ZERO,
        };
        let oracle = Oracle {
            pace,
            health: Health::new(&RouteName::new("test"), Oracle::WHAT),
            askings: sender,
        };
        let desk = Arc::new(Desk::new(oracle, &Arc::default()));
        Self { desk, askings }
    }

    /// Somebody brings a token, before it is known what is said of it.
    fn knock(&self, token: &str) -> JoinHandle<Result<Session, SessionError>> {
        let (desk, token) = (Arc::clone(&self.desk), Arc::new(token.to_owned()));
        let print = Fingerprint::of([token.as_bytes()]);
        tokio::spawn(async move { desk.admit(print, token).await })
    }

    /// The next asking: the clock goes on until it comes.
    async fn asked(&mut self) -> Asking {
        self.askings.recv().await.unwrap()
    }

    /// Somebody brings a token of which the source says this.
    async fn enter(&mut self, token: &str, verdict: Verdict) -> Result<Session, SessionError> {
        let knock = self.knock(token);
        let asking = self.asked().await;
        assert_eq!(asking.token(), token);
        asking.answer(verdict);
        knock.await.unwrap()
    }

    /// The app shows a token that it has issued anew.
    async fn renew(&mut self, token: &str, answer: Answer) -> usize {
        let session = self.enter(token, Ok(answer)).await.unwrap();
        self.desk.renew(&session)
    }

    /// The source is asked about this one next, and says that.
    async fn ask(&mut self, token: &str, verdict: Verdict) {
        let asking = self.asked().await;
        assert_eq!(asking.token(), token);
        asking.answer(verdict);
        settle().await;
    }
}

/// Lets everybody else run until they wait.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn yes(subject: &str, session: Option<&str>, seconds: Option<f64>) -> Answer {
    let session = session.map(SessionId::new);
    Answer {
        person: Person::new(
            Issuer::new("idp"),
            Subject::new(subject),
            session,
            Map::new(),
        ),
        expires: seconds.map(|seconds| Moment::now().unix() + seconds),
    }
}

/// A yes for the session that most of these tests are about.
fn hers(seconds: f64) -> Answer {
    yes("ada", Some("s1"), Some(seconds))
}

fn left(session: &Session) -> Option<u64> {
    match *session.standing().borrow() {
        Standing::Changed | Standing::Ended | Standing::Unknown => Some(0),
        Standing::Valid { until } => until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            left.as_millis().div_ceil(1000).try_into().unwrap()
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_token_carries_on_what_belongs_to_its_session_alone() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    let second = bench.enter("t2", Ok(hers(30.0))).await.unwrap();
    let mut strangers = Vec::new();
    for (token, subject, session) in [
        ("u1", "ada", Some("s2")),
        ("u2", "eve", Some("s1")),
        ("u3", "ada", None),
    ] {
        let answer = yes(subject, session, Some(20.0));
        strangers.push(bench.enter(token, Ok(answer)).await.unwrap());
    }
    assert_eq!(bench.renew("t3", hers(60.0)).await, 2);
    assert_eq!((left(&own), left(&second)), (Some(60), Some(60)));
    assert!(strangers.iter().all(|one| left(one) == Some(20)));
    drop(strangers);
    for token in ["t3", "t3"] {
        bench.ask(token, Ok(hers(60.0))).await;
    }
    bench.ask("t3", Err(NO)).await;
    bench.ask("t3", Err(NO)).await;
    assert!(!own.is_valid() && !second.is_valid());
}

#[tokio::test(start_paused = true)]
async fn without_a_session_id_nothing_is_carried_on() {
    let mut bench = Bench::new();
    let anybody = || yes("ada", None, Some(20.0));
    let session = bench.enter("t1", Ok(anybody())).await.unwrap();
    assert_eq!(bench.renew("t2", yes("ada", None, Some(60.0))).await, 0);
    assert_eq!(bench.renew("t3", hers(60.0)).await, 0);
    assert_eq!(left(&session), Some(20));
    bench.ask("t1", Err(NO)).await;
    assert!(!session.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_for_longer_only() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(60.0))).await.unwrap();
    assert_eq!(bench.renew("t2", hers(30.0)).await, 0);
    assert_eq!(left(&own), Some(60));
    let endless = || yes("ada", Some("s1"), None);
    assert_eq!(bench.renew("t3", endless()).await, 1);
    assert_eq!(left(&own), None);
    assert_eq!(bench.renew("t4", hers(900.0)).await, 0);
    assert_eq!(bench.renew("t5", endless()).await, 1);
    bench.ask("t5", Err(NO)).await;
    assert!(!own.is_valid());
}

#[tokio::test(start_paused = true)]
async fn the_same_token_again_carries_nothing_on() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    assert_eq!(bench.desk.renew(&own), 0);
    assert_eq!(bench.renew("t2", hers(60.0)).await, 1);
    advance(CACHE).await;
    assert_eq!(bench.renew("t2", hers(60.0)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_token_that_was_replaced_meanwhile_is_dropped() {
    for late in [Err(NO), Ok(hers(20.0)), Err(Oracle::down(Outage::Timeout))] {
        let mut bench = Bench::new();
        let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
        let asking = bench.asked().await;
        assert_eq!(asking.token(), "t1");
        assert_eq!(bench.renew("t2", hers(60.0)).await, 1);
        let known = left(&own);
        asking.answer(late);
        settle().await;
        assert_eq!(left(&own), known);
        bench.ask("t2", Err(NO)).await;
        assert!(!own.is_valid());
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_token_opens_nothing_by_a_newer_one() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    assert_eq!(bench.renew("t2", hers(60.0)).await, 1);
    let refused = bench.enter("t1", Err(NO)).await;
    assert_eq!(refused.unwrap_err(), NO);
    assert!(own.is_valid());
    let short = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    assert_eq!((left(&short), left(&own)), (Some(20), Some(60)));
}

#[tokio::test(start_paused = true)]
async fn a_no_counts_at_once_for_whatever_rests_on_the_same_token() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    let second = bench.enter("t2", Ok(hers(60.0))).await.unwrap();
    assert_eq!(bench.desk.renew(&second), 1);
    bench.ask("t2", Err(NO)).await;
    assert!(!own.is_valid() && !second.is_valid());
    // Both had been asked about in the same moment.
    while let Ok(asking) = bench.askings.try_recv() {
        asking.answer(Err(NO));
        settle().await;
    }
    let refused = bench.enter("t2", Err(NO)).await;
    assert_eq!(refused.unwrap_err(), NO);
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_over_comes_back() {
    let mut bench = Bench::new();
    let ended = bench.enter("t1", Ok(hers(900.0))).await.unwrap();
    bench.ask("t1", Err(NO)).await;
    let expired = bench.enter("t2", Ok(hers(2.0))).await.unwrap();
    advance(Duration::from_secs(3)).await;
    assert_eq!(bench.renew("t3", hers(900.0)).await, 0);
    assert!(!ended.is_valid() && !expired.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_carries_nothing_on() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(20.0))).await.unwrap();
    let fresh = bench.enter("t2", Ok(hers(900.0))).await.unwrap();
    for _ in 0..2 {
        let asking = bench.asked().await;
        let verdict = match asking.token().as_str() {
            "t1" => Ok(hers(20.0)),
            _ => Err(NO),
        };
        asking.answer(verdict);
        settle().await;
    }
    let known = left(&own);
    assert_eq!(bench.desk.renew(&fresh), 0);
    assert_eq!((left(&own), own.is_valid()), (known, true));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_renewals_leave_one_token_behind() {
    let mut bench = Bench::new();
    let own = bench.enter("t0", Ok(hers(20.0))).await.unwrap();
    let mut tokens = Vec::new();
    for round in 1..=100_u32 {
        let knock = bench.knock(&format!("t{round}"));
        let asking = bench.asked().await;
        tokens.push(asking.token.clone());
        asking.answer(Ok(hers(20.0 + f64::from(round))));
        let session = knock.await.unwrap().unwrap();
        assert_eq!(bench.desk.renew(&session), 1);
        drop(session);
        advance(CACHE + Duration::from_millis(1)).await;
        settle().await;
        while let Ok(asking) = bench.askings.try_recv() {
            assert_eq!(asking.token(), format!("t{round}"));
            asking.answer(Ok(hers(20.0 + f64::from(round))));
            settle().await;
        }
    }
    let kept: Vec<_> = tokens.iter().map(Weak::strong_count).collect();
    assert_eq!(kept.iter().sum::<usize>(), kept[99]);
    assert_eq!(bench.desk.counts(), (0, 1));
    drop(own);
    advance(CACHE).await;
    settle().await;
    assert_eq!(bench.desk.counts(), (0, 0));
    assert!(tokens.iter().all(|token| token.strong_count() == 0));
}

#[tokio::test(start_paused = true)]
async fn who_came_together_is_asked_about_apart_and_never_late() {
    let mut bench = Bench::new();
    let mut open = Vec::new();
    for number in 0..64 {
        let answer = yes(&format!("user-{number}"), None, None);
        open.push(bench.enter(&format!("t{number}"), Ok(answer)).await);
    }
    let begun = Instant::now();
    let mut moments = std::collections::BTreeSet::new();
    for _ in 0..open.len() {
        let asking = bench.asked().await;
        moments.insert(begun.elapsed().as_millis());
        let subject = asking.token().replace('t', "user-");
        asking.answer(Ok(yes(&subject, None, None)));
        settle().await;
    }
    assert!(moments.len() > 32, "{moments:?}");
    let (first, last) = (moments.first().unwrap(), moments.last().unwrap());
    assert!(*last <= RECHECK.as_millis(), "{last}");
    assert!(*first >= RECHECK.as_millis() * 94 / 100, "{first}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_beyond_the_grace_is_no_end_of_the_session() {
    let mut bench = Bench::new();
    let own = bench.enter("t1", Ok(hers(900.0))).await.unwrap();
    let begun = Instant::now();
    while own.is_valid() {
        let asking = bench.asked().await;
        settle().await;
        // The last is not waited for.
        let _ = asking.verdict.send(Err(Oracle::down(Outage::Timeout)));
        settle().await;
    }
    assert!(begun.elapsed() > RECHECK && begun.elapsed() <= RECHECK * 2);
    assert_eq!(*own.standing().borrow(), Standing::Unknown);
}

#[test]
fn only_what_concerns_everybody_is_a_failure_of_the_source() {
    let table = [
        (Outage::Answer("no JSON"), false),
        (Outage::Status(500), false),
        (Outage::Timeout, false),
        (Outage::Transport("refused".to_owned()), false),
        (Outage::Content("no JSON"), true),
        (Outage::TooLarge, true),
    ];
    for (outage, well) in table {
        let health = Health::new(&RouteName::new("test"), Oracle::WHAT);
        health.learn::<()>(&Err(Oracle::down(outage.clone())));
        assert_eq!(health.is_well(), well, "{outage}");
        health.learn(&Ok(()));
        assert!(health.is_well());
        health.learn::<()>(&Err(Oracle::down(Outage::Status(500))));
        health.learn::<()>(&Err(Oracle::down(outage.clone())));
        assert_eq!(health.is_well(), well, "it has answered: {outage}");
    }
}
