//! As long as a socket is open its key is looked at, and the session ends with it.

use super::super::super::testing::HeldClock;
use super::*;

async fn open(redis: &RealRedis) -> (HeldClock, Sessions, Session) {
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "3600"]).await;
    let clock = HeldClock::stop();
    let sessions = route(config(redis.server()));
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    (clock, sessions, session)
}

/// Lets so many looks at the session fall due, and waits for each.
pub(super) async fn look(clock: &HeldClock, redis: &RealRedis, times: usize) {
    for _ in 0..times {
        let looks = redis.used("getrange").await;
        while redis.used("getrange").await == looks {
            clock.advance(RECHECK / 4).await;
        }
    }
}

/// Lets time go by, as long as it takes and Redis is asked, until the session is over.
pub(super) async fn look_until_ended(clock: &HeldClock, redis: &RealRedis, session: &Session) {
    let begun = Instant::now();
    while standing(session) != Standing::Ended {
        assert!(begun.elapsed() < RECHECK * 50, "it does not end");
        clock.advance(RECHECK / 4).await;
        redis.used("getrange").await;
    }
}

#[tokio::test]
async fn a_logout_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (clock, sessions, session) = open(&redis).await;
    look(&clock, &redis, 3).await;
    assert!(until(&session).is_some());
    let () = redis.run(&["DEL", "sess:abc"]).await;
    look_until_ended(&clock, &redis, &session).await;
    let again = browse(&sessions, &cookie("abc")).await;
    assert!(matches!(again.unwrap_err(), SessionError::Denied(_)));
}

#[tokio::test]
async fn somebody_who_logs_out_within_the_session_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (clock, _, session) = open(&redis).await;
    let () = redis.run(&["SET", "sess:abc", r#"{"cookie":{}}"#]).await;
    look_until_ended(&clock, &redis, &session).await;
}

#[tokio::test]
async fn somebody_else_in_the_same_session_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (clock, _, session) = open(&redis).await;
    let eve = ADA.replace("ada", "eve");
    let () = redis.run(&["SET", "sess:abc", &eve]).await;
    look_until_ended(&clock, &redis, &session).await;
}

/// A session whose key lives so many milliseconds, and that is looked at once a minute.
async fn short(redis: &RealRedis, lasting: u64) -> (HeldClock, Session) {
    let lasting = lasting.to_string();
    let () = redis.run(&["SET", "sess:abc", ADA, "PX", &lasting]).await;
    let clock = HeldClock::stop();
    let mut config = config(redis.server());
    config.recheck = Duration::from_mins(1);
    let session = browse(&route(config), &cookie("abc")).await.unwrap();
    (clock, session)
}

#[tokio::test]
async fn it_ends_with_its_time_to_live_whatever_the_recheck() {
    const LASTING: u64 = 2000;
    let redis = RealRedis::start(&[]).await;
    let (clock, session) = short(&redis, LASTING).await;
    let end = until(&session).unwrap();
    assert!(end <= Instant::now() + Duration::from_millis(LASTING + 501));
    until_so(&redis, &["EXISTS", "sess:abc"], |there| there == 0).await;
    assert!(until(&session).is_some(), "nobody has looked");
    clock.advance(Duration::from_millis(LASTING)).await;
    until_ended(&session).await;
    assert!(Instant::now() < end, "the store was asked at the very end");
}

#[tokio::test]
async fn a_session_that_slides_goes_on_even_at_the_last_moment() {
    const LASTING: u64 = 20_000;
    let redis = RealRedis::start(&[]).await;
    let (clock, session) = short(&redis, LASTING).await;
    let first = until(&session).unwrap();
    let () = redis.run(&["PEXPIRE", "sess:abc", "600000"]).await;
    clock.advance(Duration::from_millis(LASTING)).await;
    let later = first + Duration::from_secs(500);
    testing::until(|| until(&session).unwrap() > later).await;
    assert!(Instant::now() < first, "the socket would be closed by now");
}

#[tokio::test]
async fn looking_prolongs_nothing_and_writes_nothing() {
    let redis = RealRedis::start(&[]).await;
    let (clock, _, session) = open(&redis).await;
    let before: u64 = redis.run(&["PTTL", "sess:abc"]).await;
    let mut standing = session.standing();
    standing.mark_unchanged();
    look(&clock, &redis, 4).await;
    let after: u64 = redis.run(&["PTTL", "sess:abc"]).await;
    assert!(after < before, "{before} {after}");
    assert!(!standing.has_changed().unwrap(), "the end is where it was");
    let statistics: String = redis.run(&["INFO", "commandstats"]).await;
    let used = statistics.lines().filter_map(|line| line.split(':').next());
    let used = used.filter_map(|name| name.strip_prefix("cmdstat_"));
    let known = [
        "getrange",
        "pttl",
        "set",
        "info",
        "hello",
        "client|setinfo",
        "command",
    ];
    for name in used {
        assert!(known.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn the_watch_ends_with_the_last_socket() {
    let redis = RealRedis::start(&[]).await;
    let (clock, _, session) = open(&redis).await;
    look(&clock, &redis, 1).await;
    drop(session);
    let before = redis.used("getrange").await;
    for _ in 0..5 {
        clock.advance(RECHECK).await;
        assert_eq!(redis.used("getrange").await, before);
    }
}
