//! Whoever is at work is not cut: the end of the session moves on as the app would move it, and only
//! then.

use serde_json::Map;

use super::super::super::vouching::Answer;
use super::super::touch;
use super::formats::{ID, Index, USER, save, session_cookie, spring_config};
use super::*;
use crate::id::{Issuer, Subject};
use crate::person::Person;

const HALF_AN_HOUR: Duration = Duration::from_mins(30);
const TTL: [&str; 2] = ["PTTL", "sess:abc"];

fn touching(redis: &RealRedis) -> Redis {
    let mut config = config(redis.server());
    config.touch = Some(HALF_AN_HOUR);
    config
}

#[tokio::test]
async fn work_moves_the_end_on_and_nothing_else_does() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "60"]).await;
    let session = browse(&route(touching(&redis)), &cookie("abc"))
        .await
        .unwrap();
    let looks = redis.used("getrange").await;
    until_used(&redis, "getrange", looks + 4).await;
    assert_eq!(redis.used("pexpire").await, 0);
    let idle: u64 = redis.run(&TTL).await;
    assert!(idle < 60_000, "{idle}");
    session.activity().note();
    until_so(&redis, &TTL, |ttl| ttl > 1_790_000).await;
    let mut standing = session.standing();
    let far = Instant::now() + Duration::from_mins(29);
    let moved =
        |standing: &Standing| matches!(standing, Standing::Valid { until } if *until > Some(far));
    standing.wait_for(moved).await.unwrap();
    let looks = redis.used("getrange").await;
    until_used(&redis, "getrange", looks + 4).await;
    assert_eq!(
        redis.used("pexpire").await,
        1,
        "once for all work between two looks"
    );
}

#[tokio::test]
async fn an_end_that_is_further_off_stays_and_none_is_made() {
    let redis = RealRedis::start(&[]).await;
    let sessions = route(touching(&redis));
    for ttl in [Some("7200"), None] {
        let () = redis.run(&["SET", "sess:abc", ADA]).await;
        if let Some(ttl) = ttl {
            let () = redis.run(&["EXPIRE", "sess:abc", ttl]).await;
        }
        let session = browse(&sessions, &cookie("abc")).await.unwrap();
        session.activity().note();
        let looks = redis.used("getrange").await;
        until_used(&redis, "getrange", looks + 3).await;
        assert_eq!(redis.used("pexpire").await, 0, "{ttl:?}");
    }
}

#[tokio::test]
async fn work_brings_no_session_back() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "60"]).await;
    let session = browse(&route(touching(&redis)), &cookie("abc"))
        .await
        .unwrap();
    let activity = session.activity();
    activity.note();
    let () = redis
        .run(&["SET", "sess:abc", r#"{"cookie":{}}"#, "EX", "60"])
        .await;
    activity.note();
    until_ended(&session).await;
    let left: i64 = redis.run(&TTL).await;
    assert!(left <= 60_000, "nobody is logged in to it any more: {left}");
}

#[tokio::test]
async fn where_it_is_not_asked_for_work_moves_nothing() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "60"]).await;
    let session = browse(&route(config(redis.server())), &cookie("abc"))
        .await
        .unwrap();
    session.activity().note();
    until_used(&redis, "getrange", 4).await;
    assert_eq!(redis.used("pexpire").await, 0);
}

#[tokio::test]
async fn a_store_that_forbids_it_keeps_who_is_in() {
    let acl = "--user proxy on >canary-password ~sess:* -@all +getrange +pttl +select";
    let acl: Vec<&str> = acl.split(' ').collect();
    let redis = RealRedis::start(&acl).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "60"]).await;
    let mut config = touching(&redis);
    config.server = redis.server_for("proxy", "canary-password");
    let session = browse(&route(config), &cookie("abc")).await.unwrap();
    session.activity().note();
    until_used(&redis, "getrange", 5).await;
    assert!(until(&session).is_some());
}

#[tokio::test]
async fn of_a_spring_session_the_last_use_moves_too() {
    let redis = RealRedis::start(&[]).await;
    let key = format!("spring:session:sessions:{ID}");
    let beside = format!("spring:session:sessions:expires:{ID}");
    for index in [Index::None, Index::Kept] {
        save(&redis, &[USER]).await;
        let () = redis.run(&["SET", &beside, "", "EX", "60"]).await;
        let used: i64 = redis.run(&["HGET", &key, "lastAccessedTime"]).await;
        let earlier = (used - 600_000).to_string();
        let () = redis
            .run(&["HSET", &key, "lastAccessedTime", &earlier])
            .await;
        let () = redis.run(&["EXPIRE", &key, "1000"]).await;
        let mut config = spring_config(&redis, "/sessionAttr:user/id", index);
        config.touch = Some(HALF_AN_HOUR);
        let session = browse(&route(config), &session_cookie(ID)).await.unwrap();
        session.activity().note();
        until_so(&redis, &["HGET", &key, "lastAccessedTime"], |at| at >= used).await;
        let (least, most) = match index {
            Index::None => (1_790_000, 1_800_000),
            Index::Kept => (2_090_000, 2_100_000),
        };
        until_so(&redis, &["PTTL", &key], |ttl| (least..=most).contains(&ttl)).await;
        if index == Index::Kept {
            until_so(&redis, &["PTTL", &beside], |ttl| ttl > 1_790_000).await;
        }
    }
}

#[tokio::test]
async fn of_a_spring_session_that_is_gone_no_hash_is_left() {
    let redis = RealRedis::start(&[]).await;
    let (issuer, subject) = (Issuer::new("i"), Subject::new("ada"));
    let answer = Answer {
        person: Person::new(issuer, subject, None, Map::new()),
        expires: Some(0.0),
    };
    let telling = touch::hash("spring:session:sessions:gone", HALF_AN_HOUR, &answer);
    redis.pipe(&telling).await;
    assert_eq!(redis.used("eval").await, 1);
    assert_eq!(redis.used("hset").await, 0);
    assert_eq!(redis.run::<u64>(&["DBSIZE"]).await, 0);
}
