//! A real Redis is asked, as `express-session` and `connect-redis` fill it.

mod formats;
mod outage;
mod touch;
mod watch;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::time::Instant;

use super::super::error::Outage;
use super::super::testing::{self, RealRedis, browse, cookie_name, sessions};
use super::super::{Client, Knock, Session, SessionError, Sessions, Standing};
use crate::config::{Express, Redis, RedisFormat, RedisServer, RedisTls, SessionCheck};
use crate::fault::{Fault, Faulty as _};
use crate::peer::Peer;
use crate::person::ClaimPath;

const SECRET: &str = "keyboard cat";
const RECHECK: Duration = Duration::from_millis(100);
/// Longer than anything takes that works, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);
const ADA: &str = r#"{"cookie":{"originalMaxAge":null},"passport":{"user":"ada"},"apps":["one"],"csrf":"canary"}"#;

fn config(server: RedisServer) -> Redis {
    Redis {
        server,
        cookie: cookie_name("connect.sid"),
        prefix: "sess:".to_owned(),
        format: RedisFormat::Express(Express {
            secrets: vec![
                b"new secret".to_vec().into(),
                SECRET.as_bytes().to_vec().into(),
            ],
            subject: ClaimPath::new("/passport/user"),
            claims: BTreeMap::from([("apps".to_owned(), ClaimPath::new("apps"))]),
        }),
        touch: None,
        cache: Duration::ZERO,
        recheck: RECHECK,
        grace: Duration::from_mins(1),
        timeout: Duration::from_secs(1),
    }
}

fn route(config: Redis) -> Sessions {
    sessions(vec![SessionCheck::Redis(config)])
}

/// The cookie that the app sets for a session.
fn cookie(id: &str) -> String {
    signed(id, SECRET)
}

fn signed(id: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = STANDARD_NO_PAD.encode(hmac::sign(&key, id.as_bytes()));
    let tag = tag.replace('+', "%2B").replace('/', "%2F");
    format!("connect.sid=s%3A{id}.{tag}")
}

fn standing(session: &Session) -> Standing {
    *session.standing().borrow()
}

fn until(session: &Session) -> Option<Instant> {
    match standing(session) {
        Standing::Valid { until } => until,
        Standing::Changed | Standing::Ended | Standing::Unknown => panic!("it ended"),
    }
}

async fn until_ended(session: &Session) {
    testing::until(|| standing(session) == Standing::Ended).await;
}

/// Waits until what a store says is so; the clock may be held meanwhile.
async fn until_so(redis: &RealRedis, words: &[&str], so: impl Fn(i64) -> bool) -> i64 {
    let begun = std::time::Instant::now();
    loop {
        let said: i64 = redis.run(words).await;
        if so(said) {
            return said;
        }
        assert!(begun.elapsed() < PATIENCE, "{words:?}: {said}");
        pause().await;
    }
}

/// Waits until a command was used so often; the clock may be held meanwhile.
async fn until_used(redis: &RealRedis, command: &str, times: usize) {
    let begun = std::time::Instant::now();
    while redis.used(command).await < times {
        assert!(begun.elapsed() < PATIENCE, "{command}");
        pause().await;
    }
}

/// A moment of the machine's time, whatever clock is held.
async fn pause() {
    let sleeping = || std::thread::sleep(Duration::from_millis(5));
    tokio::task::spawn_blocking(sleeping).await.unwrap();
}

fn down(error: &SessionError) -> &Outage {
    assert_eq!(error.fault(), Fault::SessionCheckDown);
    match error {
        SessionError::Down { outage, .. } => outage,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_logged_in_to_the_app_is_a_person() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "3600"]).await;
    let sessions = route(config(redis.server()));
    for cookie in [cookie("abc"), signed("abc", "new secret")] {
        let session = browse(&sessions, &format!("theme=dark; {cookie}"))
            .await
            .unwrap();
        let person = session.person();
        assert_eq!(person.subject().as_str(), "ada");
        assert_eq!(person.session().unwrap().expose(), "abc");
        let issuer = format!("redis:127.0.0.1:{}/0/sess:", redis.server().port);
        assert_eq!(person.issuer().as_str(), issuer);
        let claim = |name: &str| person.claim(&ClaimPath::new(name)).cloned();
        assert_eq!(claim("apps"), Some(json!(["one"])));
        assert_eq!(claim("csrf"), None);
        let left = until(&session).unwrap() - Instant::now();
        assert!(left > Duration::from_secs(3590) && left <= Duration::from_secs(3601));
    }
    let () = redis.run(&["PERSIST", "sess:abc"]).await;
    let session = browse(&sessions, &cookie("abc")).await.unwrap();
    assert_eq!(until(&session), None);
}

#[tokio::test]
async fn a_session_is_known_by_its_id_however_its_cookie_is_written() {
    let sessions = route(config(RedisServer {
        host: "127.0.0.1".to_owned(),
        port: 1,
        database: 0,
        username: None,
        password: None,
        tls: RedisTls::Plain,
    }));
    let hashing = RandomState::new();
    let known_by = |cookie: &str| {
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        let knock = Knock {
            headers: &headers,
            client: Client::Browser,
            peer: Peer::Unix,
            upgrade: None,
        };
        let showing = sessions.showing(knock)?;
        Some((showing.kind(), hashing.hash_one(&showing)))
    };
    let written = cookie("abc");
    let known = known_by(&written);
    assert_eq!(known.unwrap().0, "redis");
    for other in [
        written.replace("%3A", ":"),
        written.replace("%3Aabc", "%3a%61bc"),
        signed("abc", "new secret"),
    ] {
        assert_eq!(known_by(&other), known, "{other}");
    }
    assert_ne!(known_by(&cookie("abd")), known);
    for forged in [signed("abc", "guess"), "connect.sid=abc".to_owned()] {
        assert_eq!(known_by(&forged), None, "{forged}");
    }
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let redis = RealRedis::start(&[]).await;
    let sessions = route(config(redis.server()));
    for (id, value) in [
        ("anonymous", r#"{"cookie":{}}"#),
        ("empty", r#"{"passport":{"user":""}}"#),
        ("null", r#"{"passport":{"user":null}}"#),
        ("list", r#"{"passport":{"user":["ada"]}}"#),
        ("fraction", r#"{"passport":{"user":1.5}}"#),
        ("control", r#"{"passport":{"user":"a\nb"}}"#),
    ] {
        let () = redis.run(&["SET", &format!("sess:{id}"), value]).await;
        let error = browse(&sessions, &cookie(id)).await.unwrap_err();
        assert!(matches!(error, SessionError::Denied(_)), "{id}: {error}");
        assert_eq!(error.fault(), Fault::NotSignedIn);
    }
    let () = redis.run(&["SET", "sess:abc", ADA]).await;
    let () = redis.run(&["SET", "abc", ADA]).await;
    for id in ["gone", "abcd", "sess:abc"] {
        let error = browse(&sessions, &cookie(id)).await.unwrap_err();
        assert!(matches!(error, SessionError::Denied(_)), "{id}: {error}");
    }
    for forged in [signed("abc", "guess"), "connect.sid=abc".to_owned()] {
        let error = browse(&sessions, &forged).await.unwrap_err();
        assert!(matches!(error, SessionError::Cookie(_)), "{error}");
        assert_eq!(error.fault(), Fault::NotSignedIn);
    }
    let good = cookie("abc");
    let twice = browse(&sessions, &format!("{good}; {good}")).await;
    assert_eq!(twice.unwrap_err().fault(), Fault::BadRequest);
    let other = browse(&sessions, "sid=abc").await;
    assert_eq!(other.unwrap_err(), SessionError::Missing);
    let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&good).unwrap())]);
    let program = testing::knock(&sessions, Client::Program, &headers).await;
    assert_eq!(program.unwrap_err(), SessionError::Missing);
    assert!(browse(&sessions, &good).await.is_ok());
}

#[tokio::test]
async fn what_is_no_session_of_the_app_is_down() {
    let redis = RealRedis::start(&[]).await;
    let sessions = route(config(redis.server()));
    let large = json!({"passport": {"user": "ada"}, "pad": "x".repeat(256 * 1024)});
    let json = Outage::Content("no unambiguous JSON");
    for (value, expected) in [
        ("canary", &json),
        ("[]", &json),
        (r#"{"passport":{"user":"ada","user":"eve"}}"#, &json),
        (&large.to_string(), &Outage::TooLarge),
    ] {
        let () = redis.run(&["SET", "sess:abc", value]).await;
        let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
        assert_eq!(down(&error), expected);
    }
    let () = redis.run(&["DEL", "sess:abc"]).await;
    let () = redis.run(&["HSET", "sess:abc", "canary", "canary"]).await;
    let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
    assert!(matches!(down(&error), Outage::Transport(_)));
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn a_hundred_at_once_cost_one_asking() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:abc", ADA, "EX", "3600"]).await;
    let mut config = config(redis.server());
    config.cache = Duration::from_secs(5);
    config.recheck = Duration::from_secs(5);
    let sessions = Arc::new(route(config));
    let mut herd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let sessions = Arc::clone(&sessions);
        herd.spawn(async move { browse(&sessions, &cookie("abc")).await.is_ok() });
    }
    assert!(herd.join_all().await.into_iter().all(|good| good));
    assert_eq!(redis.used("getrange").await, 1);
    assert_eq!(redis.used("pttl").await, 1);
}

#[tokio::test]
async fn it_logs_in_as_it_is_told_and_needs_two_commands_alone() {
    let acl = "--user proxy on >canary-password ~sess:* -@all +getrange +pttl +select";
    let acl: Vec<&str> = acl.split(' ').collect();
    let redis = RealRedis::start(&acl).await;
    let () = redis.run(&["SET", "sess:abc", ADA]).await;
    let good = route(config(redis.server_for("proxy", "canary-password")));
    assert!(browse(&good, &cookie("abc")).await.is_ok());
    for (username, password) in [
        ("proxy", "canary-wrong"),
        ("canary-user", "canary-password"),
    ] {
        let sessions = route(config(redis.server_for(username, password)));
        let error = browse(&sessions, &cookie("abc")).await.unwrap_err();
        assert!(matches!(down(&error), Outage::Transport(_)));
        let shown = format!("{error} {error:?} {sessions:?}");
        assert!(!shown.contains("canary-password") && !shown.contains("canary-wrong"));
    }
    let mut elsewhere = config(redis.server());
    elsewhere.server.database = 3;
    let error = browse(&route(elsewhere), &cookie("abc")).await;
    assert!(matches!(error.unwrap_err(), SessionError::Denied(_)));
}

#[tokio::test]
async fn it_speaks_tls_with_whom_its_ca_vouches_for() {
    let names = vec!["127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let [certificate, key] = [&certificate, &key].map(|path| path.to_string_lossy());
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
    let clients = ["--tls-auth-clients", "no"];
    let redis = RealRedis::start_tls(&[files.as_slice(), &clients].concat()).await;
    let with_ca = |ca: Option<String>| {
        let mut config = config(redis.server());
        config.server.tls = RedisTls::On(ca.map(String::into_bytes));
        route(config)
    };
    let known = browse(&with_ca(Some(pair.cert.pem())), &cookie("abc")).await;
    assert!(matches!(known.unwrap_err(), SessionError::Denied(_)));
    let stranger = browse(&with_ca(None), &cookie("abc")).await.unwrap_err();
    assert!(
        matches!(down(&stranger), Outage::Transport(_)),
        "{stranger}"
    );
    let plain = browse(&route(config(redis.server())), &cookie("abc")).await;
    assert!(matches!(down(&plain.unwrap_err()), Outage::Transport(_)));
}

#[tokio::test]
async fn nothing_of_a_session_shows() {
    let redis = RealRedis::start(&[]).await;
    let () = redis.run(&["SET", "sess:canary1", ADA]).await;
    let sessions = route(config(redis.server()));
    let session = browse(&sessions, &cookie("canary1")).await.unwrap();
    let error = browse(&sessions, &cookie("canary2")).await.unwrap_err();
    let shown = format!("{error} {error:?} {sessions:?} {session:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}
