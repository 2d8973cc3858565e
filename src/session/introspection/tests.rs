//! An authorisation server is asked, over a real socket; its answers are judged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::super::error::{Flaw, Outage};
use super::super::testing::{
    HeldClock, Reply, Server, browse, call, cookie_name, hour_ahead, sessions, until,
};
use super::super::{Session, SessionError, Sessions, Standing};
use crate::config::{ClientAuth, Introspection, SessionCheck};
use crate::fault::{Fault, Faulty as _};
use crate::id::Issuer;
use crate::person::ClaimPath;

const SECOND: Duration = Duration::from_secs(1);
const RECHECK: Duration = Duration::from_secs(5);

fn config(server: &Server) -> Introspection {
    Introspection {
        url: server.url("/introspect"),
        cookie: Some(cookie_name("token")),
        client_id: "qix proxy".to_owned(),
        client_secret: "canary-secret:&".into(),
        client_auth: ClientAuth::Basic,
        issuer: Some(Issuer::new("https://idp.example")),
        audience: vec!["analytics".to_owned()],
        subject: ClaimPath::new("sub"),
        session: ClaimPath::new("sid"),
        cache: SECOND,
        recheck: RECHECK,
        grace: Duration::from_secs(30),
        timeout: RECHECK,
    }
}

fn route(config: Introspection) -> Sessions {
    sessions(vec![SessionCheck::Introspection(config)])
}

fn claims() -> Value {
    json!({
        "active": true,
        "iss": "https://idp.example",
        "aud": ["other", "analytics"],
        "sub": "ada",
        "sid": "canary-session",
        "token_type": "Bearer",
        "exp": hour_ahead(),
        "apps": ["one"],
    })
}

fn with(name: &str, value: Value) -> Reply {
    let mut claims = claims();
    claims[name] = value;
    Reply::json(claims.to_string())
}

fn active() -> Reply {
    Reply::json(claims().to_string())
}

fn standing(session: &Session) -> Standing {
    *session.standing().borrow()
}

#[tokio::test]
async fn an_active_token_is_a_person() {
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    for session in [
        browse(&sessions, "token=canary.1~a+/=").await,
        call(&sessions, "Bearer canary.1~a+/=").await,
    ] {
        let session = session.unwrap();
        let person = session.person();
        assert_eq!(person.issuer().as_str(), "https://idp.example");
        assert_eq!(person.subject().as_str(), "ada");
        assert_eq!(person.session().unwrap().expose(), "canary-session");
        assert_eq!(person.claim(&ClaimPath::new("apps")), Some(&json!(["one"])));
        assert!(matches!(
            standing(&session),
            Standing::Valid { until: Some(_) }
        ));
    }
    assert_eq!(server.count(), 1, "a token is the same wherever it came in");
    let asked = server.asked().remove(0);
    assert_eq!(asked.method, "POST");
    let basic = "Basic cWl4K3Byb3h5OmNhbmFyeS1zZWNyZXQlM0ElMjY=";
    assert_eq!(asked.headers[AUTHORIZATION], basic);
    let body = asked.extensions.get::<Bytes>().unwrap();
    let form = "token=canary.1%7Ea%2B%2F%3D&token_type_hint=access_token";
    assert_eq!(body.as_ref(), form.as_bytes());
}

#[tokio::test]
async fn the_secret_goes_into_the_body_where_that_is_wanted() {
    let server = Server::start(active()).await;
    let mut config = config(&server);
    config.client_auth = ClientAuth::Body;
    assert!(browse(&route(config), "token=t").await.is_ok());
    let asked = server.asked().remove(0);
    assert!(!asked.headers.contains_key(AUTHORIZATION));
    let body = asked.extensions.get::<Bytes>().unwrap();
    let form = "token=t&token_type_hint=access_token&client_id=qix+proxy\
                &client_secret=canary-secret%3A%26";
    assert_eq!(body.as_ref(), form.as_bytes());
}

#[tokio::test]
async fn what_is_no_yes_is_a_no() {
    let soon = json!(hour_ahead());
    let no = |why| SessionError::Denied(why);
    let table = [
        (
            Reply::json(r#"{"active":false}"#),
            no("the token is not active"),
        ),
        (Reply::json("{}"), no("the token is not active")),
        (with("active", json!("true")), no("the token is not active")),
        (with("active", json!(1)), no("the token is not active")),
        (
            with("token_type", json!("DPoP")),
            no("it is no access token"),
        ),
        (
            with("token_type", json!(["Bearer"])),
            no("it is no access token"),
        ),
        (
            with("token_use", json!("refresh_token")),
            no("it is no access token"),
        ),
        (with("typ", json!("Refresh")), no("it is no access token")),
        (
            with("cnf", json!({"jkt": "x"})),
            no("the token is bound to a key"),
        ),
        (with("exp", json!(1)), Flaw::Expired.into()),
        (with("exp", json!("soon")), Flaw::Claim("exp").into()),
        (with("nbf", soon), Flaw::Immature.into()),
        (
            with("iss", json!("https://evil.example")),
            Flaw::Issuer.into(),
        ),
        (with("iss", json!(null)), Flaw::Issuer.into()),
        (with("aud", json!("other")), Flaw::Audience.into()),
        (with("aud", json!(["other", 1])), Flaw::Audience.into()),
        (with("aud", json!(null)), Flaw::Audience.into()),
        (with("sub", json!(null)), Flaw::Subject.into()),
        (with("sub", json!("")), Flaw::Subject.into()),
        (with("sub", json!("a\nb")), Flaw::Subject.into()),
        (with("sub", json!(["ada"])), Flaw::Subject.into()),
    ];
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    for (reply, expected) in table {
        server.answer(reply.clone());
        let error = browse(&sessions, "token=t").await.unwrap_err();
        assert_eq!(error, expected, "{reply:?}");
        assert_eq!(error.fault(), Fault::NotSignedIn);
    }
    server.answer(active());
    assert!(browse(&sessions, "token=t").await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_a_token_is_not_asked_about() {
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    for (token, flaw) in [
        ("a\"b".to_owned(), Flaw::Malformed),
        ("a b".to_owned(), Flaw::Malformed),
        ("a%20".to_owned(), Flaw::Malformed),
        ("x".repeat(8193), Flaw::Oversized),
    ] {
        let error = browse(&sessions, &format!("token={token}")).await;
        assert_eq!(error.unwrap_err(), SessionError::Token(flaw));
    }
    let twice = browse(&sessions, "token=a; token=a").await.unwrap_err();
    assert_eq!(twice.fault(), Fault::BadRequest);
    let none = browse(&sessions, "other=a").await.unwrap_err();
    assert_eq!(none, SessionError::Missing);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn what_cannot_be_asked_is_down() {
    let json = Outage::Answer("no unambiguous JSON object");
    let large = with("pad", json!("x".repeat(64 * 1024)));
    let table = [
        (Reply::status(401), Outage::Status(401)),
        (Reply::status(302), Outage::Status(302)),
        (Reply::status(204), Outage::Status(204)),
        (Reply::status(503), Outage::Status(503)),
        (Reply::json("[]"), json.clone()),
        (Reply::json("canary"), json.clone()),
        (Reply::json(r#"{"active":false,"active":true}"#), json),
        (large, Outage::TooLarge),
    ];
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    for (reply, expected) in table {
        server.answer(reply);
        let error = browse(&sessions, "token=t").await.unwrap_err();
        assert_eq!(error.fault(), Fault::SessionCheckDown);
        assert!(matches!(error, SessionError::Down { outage, .. } if outage == expected));
    }
}

#[tokio::test]
async fn a_hundred_at_once_cost_one_asking() {
    let server = Server::start(active()).await;
    let sessions = Arc::new(route(config(&server)));
    server.hold();
    let mut herd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let sessions = Arc::clone(&sessions);
        herd.spawn(async move { browse(&sessions, "token=t").await.is_ok() });
    }
    server.until_asked(1).await;
    server.release();
    assert!(herd.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_revoked_token_ends_its_sockets() {
    let clock = HeldClock::stop();
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "token=t").await.unwrap();
    server.answer(Reply::json(r#"{"active":false}"#));
    clock.advance(RECHECK).await;
    until(|| standing(&session) == Standing::Ended).await;
    assert!(browse(&sessions, "token=t").await.is_err());
}

#[tokio::test]
async fn a_token_issued_anew_is_the_one_that_is_asked_about() {
    let clock = HeldClock::stop();
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "token=first").await.unwrap();
    let fresh = browse(&sessions, "token=second").await.unwrap();
    assert_eq!(sessions.renew(&fresh), 1);
    drop(fresh);
    clock.advance(RECHECK).await;
    server.until_asked(3).await;
    let asked = server.asked()[2].extensions.get::<Bytes>().cloned();
    let asked = String::from_utf8(asked.unwrap().into()).unwrap();
    assert!(asked.contains("token=second"), "{asked}");
    assert!(session.is_valid());
}

#[tokio::test]
async fn without_a_session_id_no_token_is_the_same_session_as_another() {
    let server = Server::start(active()).await;
    let mut config = config(&server);
    config.session = ClaimPath::new("none");
    let sessions = route(config);
    let _first = browse(&sessions, "token=first").await.unwrap();
    let fresh = browse(&sessions, "token=second").await.unwrap();
    assert_eq!(sessions.renew(&fresh), 0);
}

#[tokio::test]
async fn a_server_that_is_down_ends_them_after_the_grace_alone() {
    let clock = HeldClock::stop();
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "token=t").await.unwrap();
    server.answer(Reply::status(500));
    for round in 2..8 {
        clock.advance(RECHECK).await;
        server.until_asked(round).await;
        assert!(matches!(standing(&session), Standing::Valid { .. }));
        assert!(browse(&sessions, "token=u").await.is_err() || round > 2);
        server.until_asked(round).await;
    }
    clock.advance(RECHECK).await;
    until(|| standing(&session) == Standing::Unknown).await;
}

#[tokio::test]
async fn a_yes_is_kept_no_longer_than_the_token() {
    let clock = HeldClock::stop();
    // It expires in an hour.
    let server = Server::start(active()).await;
    let mut config = config(&server);
    config.cache = Duration::from_hours(2);
    let sessions = route(config);
    assert!(browse(&sessions, "token=t").await.is_ok());
    clock.advance(Duration::from_mins(59)).await;
    assert!(browse(&sessions, "token=t").await.is_ok());
    assert_eq!(server.count(), 1);
    clock.advance(Duration::from_mins(1)).await;
    assert!(browse(&sessions, "token=t").await.is_ok());
    assert_eq!(server.count(), 2, "it is asked again");
}

#[tokio::test]
async fn without_rules_the_endpoint_vouches_by_itself() {
    let server = Server::start(Reply::json(r#"{"active":true,"sub":"ada"}"#)).await;
    let mut config = config(&server);
    config.issuer = None;
    config.audience = Vec::new();
    let session = browse(&route(config), "token=t").await.unwrap();
    let issuer = server.url("/introspect");
    assert_eq!(session.person().issuer().as_str(), issuer.as_str());
    assert!(session.person().session().is_none());
    assert_eq!(standing(&session), Standing::Valid { until: None });
}

#[tokio::test]
async fn nothing_of_a_token_shows() {
    let server = Server::start(active()).await;
    let sessions = route(config(&server));
    let session = browse(&sessions, "token=canary1").await.unwrap();
    server.answer(Reply::status(500).saying("canary"));
    let error = browse(&sessions, "token=canary2").await.unwrap_err();
    let shown = format!("{error} {error:?} {sessions:?} {:?}", session.standing());
    assert!(!shown.contains("canary"), "{shown}");
}
