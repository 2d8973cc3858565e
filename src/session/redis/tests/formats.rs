//! Spring Session's hashes, and stores of which only the keys are known.

use base64::engine::general_purpose::STANDARD;

use super::super::super::moment::Moment;
use super::*;
use crate::config::Spring;

pub(super) const ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

fn spring(redis: &RealRedis, subject: &str, index: Index) -> Sessions {
    route(spring_config(redis, subject, index))
}

pub(super) fn spring_config(redis: &RealRedis, subject: &str, index: Index) -> Redis {
    let mut config = config(redis.server());
    config.cookie = cookie_name("SESSION");
    config.prefix = "spring:session:sessions:".to_owned();
    config.format = RedisFormat::Spring(Spring {
        subject: ClaimPath::new(subject),
        claims: BTreeMap::from([("apps".to_owned(), ClaimPath::new("/sessionAttr:user/apps"))]),
        indexed: index == Index::Kept,
    });
    config
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Index {
    Kept,
    None,
}

pub(super) fn session_cookie(id: &str) -> String {
    format!("SESSION={}", STANDARD.encode(id))
}

/// A hash as Spring Session writes it when it is given a JSON serialiser.
pub(super) async fn save(redis: &RealRedis, fields: &[(&str, &str)]) {
    let key = format!("spring:session:sessions:{ID}");
    let used = format!("{:.0}", Moment::now().unix() * 1000.0);
    let own = [
        ("creationTime", used.as_str()),
        ("lastAccessedTime", &used),
        ("maxInactiveInterval", "1800"),
        ("sessionAttr:secret", "canary"),
    ];
    let mut words = vec!["HSET", &key];
    words.extend(
        own.iter()
            .chain(fields)
            .flat_map(|(name, value)| [*name, *value]),
    );
    let () = redis.run(&words).await;
    let () = redis.run(&["EXPIRE", &key, "2100"]).await;
}

pub(super) const USER: (&str, &str) = (
    "sessionAttr:user",
    r#"{"@class":"U","id":42,"apps":["one"]}"#,
);

#[tokio::test]
async fn a_spring_session_is_a_person() {
    let redis = RealRedis::start(&[]).await;
    let text = ("sessionAttr:name", "ada");
    let json = ("sessionAttr:json", r#""ada""#);
    save(&redis, &[USER, text, json]).await;
    for (place, name) in [
        ("sessionAttr:name", "ada"),
        ("sessionAttr:json", "ada"),
        ("/sessionAttr:user/id", "42"),
    ] {
        let sessions = spring(&redis, place, Index::None);
        let session = browse(&sessions, &session_cookie(ID)).await.unwrap();
        let person = session.person();
        assert_eq!(person.subject().as_str(), name);
        assert_eq!(person.session().unwrap().expose(), ID);
        let claim = |name: &str| person.claim(&ClaimPath::new(name)).cloned();
        assert_eq!(claim("apps"), Some(json!(["one"])));
        assert_eq!(claim("sessionAttr:secret"), None);
        let left = until(&session).unwrap() - Instant::now();
        assert!(left > Duration::from_secs(1790) && left <= Duration::from_secs(1801));
    }
}

#[tokio::test]
async fn what_java_wrote_is_never_decoded() {
    let redis = RealRedis::start(&[]).await;
    save(&redis, &[USER]).await;
    let key = format!("spring:session:sessions:{ID}");
    let script =
        "return redis.call('HSET', KEYS[1], 'sessionAttr:name', '\\172\\237\\0\\5t\\0\\3ada')";
    let () = redis.run(&["EVAL", script, "1", &key]).await;
    let sessions = spring(&redis, "sessionAttr:name", Index::None);
    let error = browse(&sessions, &session_cookie(ID)).await.unwrap_err();
    assert!(matches!(down(&error), Outage::Content(_)), "{error}");
}

#[tokio::test]
async fn what_is_too_large_is_never_fetched() {
    let redis = RealRedis::start(&[]).await;
    let large = format!(r#"{{"id":42,"pad":"{}"}}"#, "x".repeat(256 * 1024));
    save(&redis, &[("sessionAttr:user", &large)]).await;
    let sessions = spring(&redis, "/sessionAttr:user/id", Index::None);
    let error = browse(&sessions, &session_cookie(ID)).await.unwrap_err();
    assert_eq!(down(&error), &Outage::TooLarge);
    let asked: String = redis.run(&["INFO", "commandstats"]).await;
    assert!(
        asked.contains("hstrlen") && !asked.contains("hmget"),
        "{asked}"
    );
}

#[tokio::test]
async fn nobody_else_is_a_spring_session() {
    let redis = RealRedis::start(&[]).await;
    save(&redis, &[USER]).await;
    let sessions = spring(&redis, "/sessionAttr:user/id", Index::None);
    let gone = session_cookie("00000000-0000-0000-0000-000000000000");
    let error = browse(&sessions, &gone).await.unwrap_err();
    assert!(matches!(error, SessionError::Denied(_)));
    let anonymous = spring(&redis, "sessionAttr:nobody", Index::None);
    let error = browse(&anonymous, &session_cookie(ID)).await.unwrap_err();
    assert!(matches!(error, SessionError::Denied(_)));
    let expires = format!("expires:{ID}");
    let long = "x".repeat(600);
    for id in ["short", &expires, "../../../../../etc/passwd", &long] {
        let error = browse(&sessions, &session_cookie(id)).await.unwrap_err();
        assert!(matches!(error, SessionError::Cookie(_)), "{id}");
    }
    for raw in [format!("SESSION={ID}"), "SESSION=%%%".to_owned()] {
        let error = browse(&sessions, &raw).await.unwrap_err();
        assert!(matches!(error, SessionError::Cookie(_)), "{raw}");
    }
    save(&redis, &[("lastAccessedTime", "1000")]).await;
    let error = browse(&sessions, &session_cookie(ID)).await.unwrap_err();
    assert_eq!(error, SessionError::Denied("the session expired"));
}

#[tokio::test]
async fn an_indexed_session_lives_as_long_as_its_index() {
    let redis = RealRedis::start(&[]).await;
    save(&redis, &[USER]).await;
    let sessions = spring(&redis, "/sessionAttr:user/id", Index::Kept);
    let error = browse(&sessions, &session_cookie(ID)).await.unwrap_err();
    assert!(matches!(error, SessionError::Denied(_)));
    let index = format!("spring:session:sessions:expires:{ID}");
    let () = redis.run(&["SET", &index, "", "EX", "60"]).await;
    let session = browse(&sessions, &session_cookie(ID)).await.unwrap();
    assert!(until(&session).unwrap() - Instant::now() <= Duration::from_secs(61));
    let () = redis.run(&["DEL", &index]).await;
    until_ended(&session).await;
}

#[tokio::test]
async fn a_spring_logout_ends_it() {
    let redis = RealRedis::start(&[]).await;
    save(&redis, &[USER]).await;
    let sessions = spring(&redis, "/sessionAttr:user/id", Index::None);
    let session = browse(&sessions, &session_cookie(ID)).await.unwrap();
    let () = redis
        .run(&["DEL", &format!("spring:session:sessions:{ID}")])
        .await;
    until_ended(&session).await;
}

fn plain(redis: &RealRedis) -> Sessions {
    let mut config = config(redis.server());
    config.cookie = cookie_name("sessionid");
    config.prefix = ":1:django.contrib.sessions.cache".to_owned();
    config.format = RedisFormat::Plain;
    route(config)
}

const DJANGO: [&str; 2] = [
    "k3v9t5m1q8z7x2c4b6n0p9o8i7u6y5t4",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
];

#[tokio::test]
async fn of_a_plain_store_only_the_keys_are_known() {
    let redis = RealRedis::start(&[]).await;
    for id in DJANGO {
        let key = format!(":1:django.contrib.sessions.cache{id}");
        let () = redis.run(&["SET", &key, "pickle", "EX", "60"]).await;
    }
    let sessions = plain(&redis);
    let mut people = Vec::new();
    for id in DJANGO {
        let session = browse(&sessions, &format!("sessionid={id}")).await.unwrap();
        assert_eq!(session.person().session().unwrap().expose(), id);
        assert!(until(&session).unwrap() - Instant::now() <= Duration::from_secs(61));
        people.push(session.person().subject().clone());
        assert!(!format!("{session:?}").contains(id));
        let again = browse(&sessions, &format!("sessionid={id}")).await.unwrap();
        assert_eq!(again.person().subject(), &people[people.len() - 1]);
    }
    assert_ne!(people[0], people[1]);
    assert_eq!(redis.used("get").await + redis.used("getrange").await, 0);
    let session = browse(&sessions, &format!("sessionid={}", DJANGO[0]))
        .await
        .unwrap();
    let key = format!(":1:django.contrib.sessions.cache{}", DJANGO[0]);
    let () = redis.run(&["DEL", &key]).await;
    until_ended(&session).await;
}

#[tokio::test]
async fn no_plain_cookie_leads_elsewhere() {
    let redis = RealRedis::start(&[]).await;
    let () = redis
        .run(&[
            "SET",
            ":1:django.contrib.sessions.cache:0123456789abcdef",
            "x",
        ])
        .await;
    let () = redis
        .run(&["SET", ":1:django.contrib.sessions.cachedb", "x"])
        .await;
    let sessions = plain(&redis);
    for id in [
        ":0123456789abcdef",
        "db",
        "%3A0123456789abcdef",
        "0123456789abcdef*",
    ] {
        let error = browse(&sessions, &format!("sessionid={id}"))
            .await
            .unwrap_err();
        assert!(matches!(error, SessionError::Cookie(_)), "{id}");
    }
    assert_eq!(redis.used("pttl").await, 0);
    let error = browse(&sessions, &format!("sessionid={}", DJANGO[0])).await;
    assert!(matches!(error.unwrap_err(), SessionError::Denied(_)));
}
