//! As long as a socket is open its key is looked at, and the session ends with it.

use super::*;

const WITHIN: Duration = Duration::from_secs(2);

async fn open(redis: &RealRedis, seconds: &str) -> (Sessions, Session) {
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", seconds]).await;
    let sessions = route(config(redis.server()));
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    (sessions, session)
}

#[tokio::test]
async fn a_logout_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (sessions, session) = open(&redis, "3600").await;
    tokio::time::sleep(RECHECK * 3).await;
    assert!(until(&session).is_some());
    let () = redis.run(&["DEL", "sess:abc"]).await;
    until_ended(&session, WITHIN).await;
    let again = browse(&sessions, &cookie("abc")).await;
    assert!(matches!(again.unwrap_err(), SessionError::Denied(_)));
}

#[tokio::test]
async fn somebody_who_logs_out_within_the_session_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (_, session) = open(&redis, "3600").await;
    let () = redis.run(&["SET", "sess:abc", r#"{"cookie":{}}"#]).await;
    until_ended(&session, WITHIN).await;
}

#[tokio::test]
async fn somebody_else_in_the_same_session_ends_it() {
    let redis = RealRedis::start(&[]).await;
    let (_, session) = open(&redis, "3600").await;
    let eve = ADA.replace("ada", "eve");
    let () = redis.run(&["SET", "sess:abc", &eve]).await;
    until_ended(&session, WITHIN).await;
}

#[tokio::test]
async fn it_ends_with_its_time_to_live_whatever_the_recheck() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "PX", "700"]).await;
    let mut config = config(redis.server());
    config.recheck = Duration::from_mins(1);
    let begun = Instant::now();
    let session = browse(&route(config), &cookie("abc")).await.unwrap();
    let end = until(&session).unwrap() - begun;
    assert!(end <= Duration::from_millis(700 + 1000), "{end:?}");
    until_ended(&session, WITHIN).await;
    assert!(begun.elapsed() >= Duration::from_millis(650));
    assert!(begun.elapsed() < end, "the store was asked at the very end");
}

#[tokio::test]
async fn a_session_that_slides_goes_on_even_at_the_last_moment() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "PX", "3000"]).await;
    let mut config = config(redis.server());
    config.recheck = Duration::from_mins(1);
    let session = browse(&route(config), &cookie("abc")).await.unwrap();
    let first = until(&session).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let () = redis.run(&["PEXPIRE", "sess:abc", "60000"]).await;
    let mut standing = session.standing();
    standing.changed().await.unwrap();
    assert!(Instant::now() < first, "the socket would be closed by now");
    assert!(until(&session).unwrap() > first + Duration::from_secs(50));
}

#[tokio::test]
async fn looking_prolongs_nothing_and_writes_nothing() {
    let redis = RealRedis::start(&[]).await;
    let (_, session) = open(&redis, "3600").await;
    let before: u64 = redis.run(&["PTTL", "sess:abc"]).await;
    let mut standing = session.standing();
    standing.mark_unchanged();
    tokio::time::sleep(RECHECK * 8).await;
    let after: u64 = redis.run(&["PTTL", "sess:abc"]).await;
    assert!(before - after >= 700, "{before} {after}");
    assert!(redis.used("getrange").await >= 4);
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
    let (_, session) = open(&redis, "3600").await;
    drop(session);
    tokio::time::sleep(RECHECK * 3).await;
    let before = redis.used("getrange").await;
    tokio::time::sleep(RECHECK * 5).await;
    assert_eq!(redis.used("getrange").await, before);
}
