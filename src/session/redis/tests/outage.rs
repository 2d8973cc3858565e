//! A Redis that is down, hangs, or comes back.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::super::super::testing::HeldClock;
use super::watch::{look, look_until_ended};
use super::*;

async fn fill(redis: &RealRedis) {
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "3600"]).await;
}

/// Knocks until somebody is let in.
async fn until_in(sessions: &Sessions, cookie: &str) {
    let begun = Instant::now();
    while browse(sessions, cookie).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "it does not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same while the clock is held.
async fn advance_until_in(clock: &HeldClock, sessions: &Sessions, cookie: &str) {
    let begun = std::time::Instant::now();
    while browse(sessions, cookie).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "it does not recover");
        clock.advance(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_nobody_gets_in_meanwhile() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let clock = HeldClock::stop();
    let sessions = route(config(redis.server()));
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    redis.stop();
    for _ in 0..10 {
        clock.advance(RECHECK).await;
        let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
        assert!(matches!(down(&error), Outage::Transport(_)), "{error}");
    }
    assert!(until(&session).is_some());
    redis.resume().await;
    fill(&redis).await;
    advance_until_in(&clock, &sessions, &cookie("abc")).await;
    look(&clock, &redis, 2).await;
    assert!(until(&session).is_some());
    let () = redis.run(&["DEL", "sess:abc"]).await;
    look_until_ended(&clock, &redis, &session).await;
}

#[tokio::test]
async fn a_restart_between_two_askings_is_not_noticed() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let sessions = route(config(redis.server()));
    drop(browse(&sessions, &cookie("abc")).await.unwrap());
    redis.stop();
    redis.resume().await;
    fill(&redis).await;
    assert!(browse(&sessions, &cookie("abc")).await.is_ok());
}

#[tokio::test]
async fn it_ends_when_the_grace_is_over() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let mut config = config(redis.server());
    config.grace = RECHECK * 6;
    let clock = HeldClock::stop();
    let sessions = route(config);
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    redis.stop();
    let begun = Instant::now();
    while standing(&session) != Standing::Unknown {
        assert!(begun.elapsed() < RECHECK * 20, "it does not end");
        clock.advance(RECHECK / 2).await;
        // Whoever knocks waits for the same line as the watch.
        assert!(browse(&sessions, &cookie("abc")).await.is_err());
    }
    assert!(begun.elapsed() >= RECHECK * 6, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_redis_that_hangs_is_not_waited_for() {
    let redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let mut config = config(redis.server());
    config.timeout = RECHECK * 3;
    let clock = HeldClock::stop();
    let sessions = route(config);
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    redis.hang();
    let begun = Instant::now();
    let cookie = cookie("abc");
    let outcome = tokio::select! {
        outcome = browse(&sessions, &cookie) => outcome,
        () = go_on(&clock) => unreachable!(),
    };
    assert_eq!(down(&outcome.unwrap_err()), &Outage::Timeout);
    assert!(begun.elapsed() < RECHECK * 10, "{:?}", begun.elapsed());
    assert!(until(&session).is_some());
    redis.go_on();
    advance_until_in(&clock, &sessions, &cookie).await;
    assert!(until(&session).is_some());
}

/// Lets time go by.
async fn go_on(clock: &HeldClock) {
    loop {
        clock.advance(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_redis_that_was_never_there_may_come() {
    let mut redis = RealRedis::start(&[]).await;
    redis.stop();
    let sessions = route(config(redis.server()));
    let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
    assert!(matches!(down(&error), Outage::Transport(_)));
    redis.resume().await;
    fill(&redis).await;
    until_in(&sessions, &cookie("abc")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_started_under_load_it_lets_in_who_belongs_and_nobody_else() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let sessions = Arc::new(route(config(redis.server())));
    let counts = Arc::new(Counts::default());
    let (over, open) = tokio::sync::watch::channel(());
    let mut crowd = JoinSet::new();
    for number in 0..40 {
        let (sessions, counts, open) = (Arc::clone(&sessions), Arc::clone(&counts), open.clone());
        crowd.spawn(async move {
            let known = number % 2 == 0;
            let id = Some("abc".to_owned()).filter(|_| known);
            let id = id.unwrap_or_else(|| format!("no-{number}"));
            let outcome = knock_on(&open, &sessions, &cookie(&id), &counts).await;
            (known, outcome)
        });
    }
    drop(open);
    for _ in 0..3 {
        further(&counts.admitted).await;
        redis.stop();
        further(&counts.down).await;
        redis.resume().await;
        fill(&redis).await;
    }
    further(&counts.admitted).await;
    drop(over);
    for (known, (admitted, longest)) in crowd.join_all().await {
        assert_eq!(admitted > 0, known, "{admitted}");
        assert!(longest < PATIENCE, "{longest:?}");
    }
}

/// How all who knock fared.
#[derive(Default)]
struct Counts {
    admitted: AtomicUsize,
    down: AtomicUsize,
}

/// Waits until everybody has fared so once more.
async fn further(count: &AtomicUsize) {
    let before = count.load(Ordering::Relaxed);
    let begun = Instant::now();
    while count.load(Ordering::Relaxed) < before + 40 {
        assert!(begun.elapsed() < PATIENCE, "nobody fares so any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Knocks until all is over; how often somebody gets in, and how long the longest answer takes.
async fn knock_on(
    open: &tokio::sync::watch::Receiver<()>,
    sessions: &Sessions,
    cookie: &str,
    counts: &Counts,
) -> (usize, Duration) {
    let (mut admitted, mut longest) = (0, Duration::ZERO);
    while open.has_changed().is_ok() {
        let begun = Instant::now();
        let outcome = browse(sessions, cookie).await;
        longest = longest.max(begun.elapsed());
        admitted += usize::from(outcome.is_ok());
        match outcome {
            Ok(_) => counts.admitted.fetch_add(1, Ordering::Relaxed),
            Err(SessionError::Down { .. }) => counts.down.fetch_add(1, Ordering::Relaxed),
            Err(_) => 0,
        };
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (admitted, longest)
}
