//! The app is asked, over a real socket; its answers are judged, kept, and asked for again.

mod touch;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::super::error::Outage;
use super::super::testing::{
    self, HeldClock, Reply, Server, browse, cookie_name, hour_ahead, sessions, until,
};
use super::super::{Client, Session, SessionError, Sessions, Standing};
use crate::config::{ForwardAuth, Place, SessionCheck};
use crate::fault::{Fault, Faulty as _};
use crate::person::ClaimPath;

const SECOND: Duration = Duration::from_secs(1);
const RECHECK: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(30);

fn json_at(path: &str) -> Place {
    Place::Json(ClaimPath::new(path))
}

fn header_at(name: &'static str) -> Place {
    Place::Header(HeaderName::from_static(name))
}

fn config(server: &Server) -> ForwardAuth {
    ForwardAuth {
        url: server.url("/me?full=1"),
        cookies: vec![cookie_name("sid")],
        headers: vec![HeaderName::from_static("x-tenant")],
        subject: json_at("/user/id"),
        session: Some(json_at("session")),
        expires: Some(json_at("expires")),
        claims: BTreeMap::from([
            ("apps".to_owned(), json_at("/user/apps")),
            ("role".to_owned(), header_at("x-role")),
        ]),
        touch: None,
        cache: SECOND,
        recheck: RECHECK,
        grace: GRACE,
        timeout: RECHECK,
    }
}

fn route(config: ForwardAuth) -> Sessions {
    sessions(vec![SessionCheck::ForwardAuth(config)])
}

fn ada() -> Reply {
    Reply::json(json!({"user": {"id": "ada", "apps": ["one"]}, "session": "s-1"}).to_string())
}

fn grace() -> Reply {
    Reply::json(json!({"user": {"id": "grace"}}).to_string())
}

fn standing(session: &Session) -> Standing {
    *session.standing().borrow()
}

#[tokio::test]
async fn a_yes_is_a_person() {
    let server = Server::start(ada().with("x-role", "analyst")).await;
    let session = browse(&route(config(&server)), "sid=abc").await.unwrap();
    let person = session.person();
    assert_eq!(person.issuer().as_str(), server.url("/me").as_str());
    assert_eq!(person.subject().as_str(), "ada");
    assert_eq!(person.session().unwrap().expose(), "s-1");
    let claim = |name: &str| person.claim(&ClaimPath::new(name)).cloned();
    assert_eq!(claim("apps"), Some(json!(["one"])));
    assert_eq!(claim("role"), Some(json!("analyst")));
    assert_eq!(claim("sub"), Some(json!("ada")));
    assert_eq!(claim("user"), None);
    assert_eq!(standing(&session), Standing::Valid { until: None });
}

#[tokio::test]
async fn the_app_is_asked_with_what_is_named_and_nothing_else() {
    let server = Server::start(ada()).await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("cookie", "theme=dark; sid=abc"),
        ("cookie", "_ga=1"),
        ("x-tenant", "t"),
        ("authorization", "Bearer x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("origin", "https://app.example"),
        ("user-agent", "browser"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let sessions = route(config(&server));
    testing::knock(&sessions, Client::Browser, &headers)
        .await
        .unwrap();
    let asked = server.asked().remove(0);
    assert_eq!(asked.method, "GET");
    assert_eq!(asked.uri, "/me?full=1");
    assert_eq!(asked.headers[COOKIE], "sid=abc");
    assert_eq!(asked.headers["x-tenant"], "t");
    assert_eq!(asked.headers["accept"], "application/json");
    let mut names: Vec<_> = asked.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "cookie", "host", "x-tenant"]);
}

#[tokio::test]
async fn who_carries_nothing_named_is_not_asked_about() {
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    for cookies in ["theme=dark", "sid=", "SID=abc"] {
        let outcome = browse(&sessions, cookies).await;
        assert_eq!(outcome.unwrap_err(), SessionError::Missing, "{cookies}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_static("sid=abc"));
    headers.insert("x-tenant", HeaderValue::from_static("t"));
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    let outcome = testing::knock(&sessions, Client::Program, &headers).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Missing);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn what_is_no_yes_is_a_no() {
    let page = Reply::status(200).with("content-type", "text/html; charset=utf-8");
    let named = |subject: serde_json::Value| {
        Reply::json(json!({"user": {"id": subject}, "expires": null}).to_string())
    };
    let table = [
        Reply::status(401),
        Reply::status(403),
        Reply::status(400),
        Reply::status(302).with("location", "/login"),
        Reply::status(204),
        page.saying("<!doctype html>"),
        Reply::status(200).saying(r#"{"user":{"id":"ada"}}"#),
        Reply::status(200)
            .with("content-type", "text/plain")
            .saying(r#"{"user":{"id":"ada"}}"#),
        Reply::json("null"),
        Reply::json("{}"),
        Reply::json(r#"["ada"]"#),
        named(json!("")),
        named(json!(null)),
        named(json!(["ada"])),
        named(json!(1.5)),
        named(json!("a\nb")),
        named(json!("x".repeat(300))),
        Reply::json(json!({"user": {"id": "ada"}, "expires": 1}).to_string()),
        Reply::json(json!({"user": {"id": "ada"}, "expires": "2020-01-01T00:00:00Z"}).to_string()),
    ];
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    for reply in table {
        server.answer(reply.clone());
        let error = browse(&sessions, "sid=abc").await.unwrap_err();
        assert!(
            matches!(error, SessionError::Denied(_)),
            "{reply:?}: {error}"
        );
        assert_eq!(error.fault(), Fault::NotSignedIn);
    }
    server.answer(ada());
    assert!(browse(&sessions, "sid=abc").await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_asked_is_down() {
    let twice = r#"{"user":{"id":"ada","id":"eve"}}"#;
    let large = json!({"user": {"id": "ada"}, "pad": "x".repeat(64 * 1024)});
    let soon = json!({"user": {"id": "ada"}, "expires": "soon"});
    let table = [
        (Reply::status(404), Outage::Status(404)),
        (Reply::status(429), Outage::Status(429)),
        (Reply::status(500), Outage::Status(500)),
        (
            Reply::json("{\"user\":"),
            Outage::Answer("no unambiguous JSON"),
        ),
        (Reply::json(twice), Outage::Answer("no unambiguous JSON")),
        (
            Reply::json(soon.to_string()),
            Outage::Answer("its expiry is no time"),
        ),
        (Reply::json(large.to_string()), Outage::TooLarge),
    ];
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    for (reply, expected) in table {
        server.answer(reply);
        let error = browse(&sessions, "sid=abc").await.unwrap_err();
        assert_eq!(error.fault(), Fault::SessionCheckDown);
        assert!(matches!(error, SessionError::Down { outage, .. } if outage == expected));
    }
    let url = server.url("/me");
    let mut gone = config(&server);
    drop(server);
    gone.url = url;
    let error = browse(&route(gone), "sid=abc").await.unwrap_err();
    assert!(
        matches!(
            &error,
            SessionError::Down {
                outage: Outage::Transport(_),
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_subject_may_be_a_header_or_a_number() {
    let server = Server::start(Reply::status(204).with("x-user", "ada")).await;
    let mut by_header = config(&server);
    by_header.subject = header_at("x-user");
    by_header.session = Some(header_at("x-session"));
    by_header.expires = Some(header_at("x-expires"));
    by_header.claims = BTreeMap::new();
    let sessions = route(by_header);
    let session = browse(&sessions, "sid=a").await.unwrap();
    assert_eq!(session.person().subject().as_str(), "ada");
    let until = hour_ahead().to_string();
    server.answer(
        Reply::status(200)
            .with("x-user", "ada")
            .with("x-expires", &until),
    );
    let session = browse(&sessions, "sid=b").await.unwrap();
    assert!(matches!(
        standing(&session),
        Standing::Valid { until: Some(_) }
    ));
    for reply in [
        Reply::status(200)
            .with("x-user", "ada")
            .with("x-user", "eve"),
        Reply::status(200)
            .with("x-user", "ada")
            .with("content-type", "text/html"),
        Reply::status(200).with("x-user", ""),
    ] {
        server.answer(reply);
        assert!(matches!(
            browse(&sessions, "sid=c").await,
            Err(SessionError::Denied(_))
        ));
    }
    server.answer(Reply::json(r#"{"user":{"id":42}}"#));
    let session = browse(&route(config(&server)), "sid=a").await.unwrap();
    assert_eq!(session.person().subject().as_str(), "42");
}

#[tokio::test]
async fn a_hundred_at_once_cost_one_asking() {
    let server = Server::start(ada()).await;
    let sessions = Arc::new(route(config(&server)));
    server.hold();
    let mut herd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let sessions = Arc::clone(&sessions);
        herd.spawn(async move { browse(&sessions, "sid=abc").await.is_ok() });
    }
    server.until_asked(1).await;
    server.release();
    assert!(herd.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_nothing_from_the_others() {
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    server.hold();
    tokio::select! {
        _ = browse(&sessions, "sid=abc") => panic!("nothing was answered yet"),
        () = server.until_asked(1) => {}
    }
    server.release();
    assert!(browse(&sessions, "sid=abc").await.is_ok());
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_yes_is_kept_for_a_moment_and_for_the_same_evidence_alone() {
    let clock = HeldClock::stop();
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let first = browse(&sessions, "sid=abc").await.unwrap();
    assert!(browse(&sessions, "other=1; sid=abc").await.is_ok());
    assert_eq!(server.count(), 1);
    server.answer(grace());
    let other = browse(&sessions, "sid=xyz").await.unwrap();
    assert_eq!(other.person().subject().as_str(), "grace");
    assert_eq!(server.count(), 2);
    server.answer(ada());
    clock.advance(SECOND).await;
    let second = browse(&sessions, "sid=abc").await.unwrap();
    assert_eq!(server.count(), 3);
    assert!(first.standing().same_channel(&second.standing()));
}

#[tokio::test]
async fn a_no_is_not_remembered() {
    let server = Server::start(Reply::status(401)).await;
    let sessions = route(config(&server));
    assert!(browse(&sessions, "sid=abc").await.is_err());
    server.answer(ada());
    assert!(browse(&sessions, "sid=abc").await.is_ok());
}

#[test]
fn a_header_that_is_never_passed_on_is_refused_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::start(ada()));
    for header in [AUTHORIZATION, COOKIE] {
        let mut config = config(&server);
        config.headers = vec![header];
        let checks = vec![SessionCheck::ForwardAuth(config)];
        let outcome = testing::try_sessions(checks);
        assert!(matches!(outcome, Err(SessionError::Setup(_))));
    }
}

#[tokio::test]
async fn nothing_of_a_cookie_shows() {
    let server = Server::start(ada()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "sid=canary").await.unwrap();
    server.answer(Reply::status(500).saying("canary"));
    let error = browse(&sessions, "sid=canary2").await.unwrap_err();
    let shown = format!("{error} {error:?} {sessions:?} {session:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains("s-1"), "{shown}");
}
