//! A Redis that is down, hangs, or comes back.

use tokio::task::JoinSet;

use super::*;

/// Every asking ends in this time, and a Redis that is back is found in it.
const SOON: Duration = Duration::from_secs(4);

async fn fill(redis: &RealRedis) {
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "3600"]).await;
}

async fn until_in(sessions: &Sessions, cookie: &str) {
    let begun = Instant::now();
    while browse(sessions, cookie).await.is_err() {
        assert!(begun.elapsed() < SOON, "it does not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_nobody_gets_in_meanwhile() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let sessions = route(config(redis.server()));
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    redis.stop();
    for _ in 0..10 {
        let begun = Instant::now();
        let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
        assert!(matches!(down(&error), Outage::Transport(_)), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(RECHECK).await;
    }
    assert!(until(&session).is_some());
    redis.resume().await;
    fill(&redis).await;
    until_in(&sessions, &cookie("abc")).await;
    tokio::time::sleep(RECHECK * 3).await;
    assert!(until(&session).is_some());
    let () = redis.run(&["DEL", "sess:abc"]).await;
    until_ended(&session, SOON).await;
}

#[tokio::test]
async fn a_restart_between_two_askings_is_not_noticed() {
    let mut redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let sessions = route(config(redis.server()));
    drop(browse(&sessions, &cookie("abc")).await.unwrap());
    tokio::time::sleep(RECHECK * 3).await;
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
    config.grace = Duration::from_millis(600);
    let session = browse(&route(config), &cookie("abc")).await.unwrap();
    redis.stop();
    let begun = Instant::now();
    until_ended(&session, SOON).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_redis_that_hangs_is_not_waited_for() {
    let redis = RealRedis::start(&[]).await;
    fill(&redis).await;
    let mut config = config(redis.server());
    config.timeout = Duration::from_millis(300);
    let sessions = route(config);
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    let () = redis.run(&["CLIENT", "PAUSE", "4000", "ALL"]).await;
    let begun = Instant::now();
    let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
    assert_eq!(down(&error), &Outage::Timeout);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert!(until(&session).is_some());
    until_in(&sessions, &cookie("abc")).await;
    assert!(until(&session).is_some());
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
    let end = Instant::now() + Duration::from_secs(4);
    let mut crowd = JoinSet::new();
    for number in 0..40 {
        let sessions = Arc::clone(&sessions);
        crowd.spawn(async move {
            let known = number % 2 == 0;
            let id = Some("abc".to_owned()).filter(|_| known);
            let id = id.unwrap_or_else(|| format!("no-{number}"));
            (known, knock_until(end, &sessions, &cookie(&id)).await)
        });
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        redis.stop();
        tokio::time::sleep(Duration::from_millis(400)).await;
        redis.resume().await;
        fill(&redis).await;
    }
    for (known, (admitted, longest)) in crowd.join_all().await {
        assert_eq!(admitted > 0, known, "{admitted}");
        assert!(longest < Duration::from_secs(3), "{longest:?}");
    }
    until_in(&sessions, &cookie("abc")).await;
}

/// How often somebody gets in, and how long the longest answer takes.
async fn knock_until(end: Instant, sessions: &Sessions, cookie: &str) -> (usize, Duration) {
    let (mut admitted, mut longest) = (0, Duration::ZERO);
    while Instant::now() < end {
        let begun = Instant::now();
        let outcome = browse(sessions, cookie).await;
        longest = longest.max(begun.elapsed());
        admitted += usize::from(outcome.is_ok());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (admitted, longest)
}
