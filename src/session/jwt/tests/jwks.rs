//! Key sets behind a URL: fetched once, kept, renewed, and missed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::error::Outage;
use super::super::super::testing::{HeldClock, Mint, Reply, Server, browse, claims, until};
use super::super::super::{Session, SessionError, Sessions};
use super::{flaw, jwt, route};
use crate::config::{Algorithm, Jwks, JwtKeys};
use crate::fault::{Fault, Faulty as _};
use crate::session::error::Flaw;

const KEEP: Duration = Duration::from_mins(10);
const GRACE: Duration = Duration::from_hours(24);
const REFETCH: Duration = Duration::from_secs(30);
const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];

fn set(jwks: &[Value]) -> Reply {
    Reply::json(json!({"keys": jwks}).to_string())
}

fn by_set(server: &Server) -> Sessions {
    route(jwt(
        JwtKeys::Jwks(Jwks {
            url: server.url("/jwks"),
            keep: KEEP,
            grace: GRACE,
            refetch: REFETCH,
            timeout: Duration::from_secs(5),
        }),
        &ALGORITHMS,
    ))
}

async fn come(sessions: &Sessions, mint: &Mint) -> Result<Session, SessionError> {
    browse(sessions, &format!("session={}", mint.sign(&claims()))).await
}

fn is_down(outcome: Result<Session, SessionError>, expected: &Outage) -> bool {
    let error = outcome.unwrap_err();
    assert_eq!(error.fault(), Fault::SessionCheckDown, "{error}");
    matches!(error, SessionError::Down { outage, .. } if outage == *expected)
}

#[tokio::test]
async fn a_hundred_at_once_cost_one_fetch() {
    let mint = Arc::new(Mint::p256().named("one"));
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = Arc::new(by_set(&server));
    server.hold();
    let mut herd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (sessions, mint) = (Arc::clone(&sessions), Arc::clone(&mint));
        herd.spawn(async move { come(&sessions, &mint).await.is_ok() });
    }
    server.until_asked(1).await;
    server.release();
    assert!(herd.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_nothing_from_the_others() {
    let mint = Mint::p256().named("one");
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = by_set(&server);
    server.hold();
    tokio::select! {
        _ = come(&sessions, &mint) => panic!("nothing was answered yet"),
        () = server.until_asked(1) => {}
    }
    server.release();
    assert!(come(&sessions, &mint).await.is_ok());
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_set_is_kept_and_then_fetched_again() {
    let clock = HeldClock::stop();
    let mint = Mint::p256().named("one");
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &mint).await.is_ok());
    clock.advance(KEEP / 2).await;
    assert!(come(&sessions, &mint).await.is_ok());
    assert_eq!(server.count(), 1);
    server.answer(set(&[]));
    clock.advance(KEEP / 2).await;
    let outcome = come(&sessions, &mint).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Token(Flaw::Key));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_key_that_is_gone_opens_nothing_more_by_what_it_signed() {
    let clock = HeldClock::stop();
    let (old, new) = (Mint::p256().named("old"), Mint::p256().named("new"));
    let server = Server::start(set(&[old.jwk()])).await;
    let (sessions, token) = (by_set(&server), old.sign(&claims()));
    let cookie = format!("session={token}");
    let open = browse(&sessions, &cookie).await.unwrap();
    assert!(browse(&sessions, &cookie).await.is_ok());
    server.answer(set(&[new.jwk()]));
    clock.advance(KEEP).await;
    assert_eq!(flaw(&sessions, &token).await, Flaw::Key);
    assert!(open.is_valid(), "its socket goes on");
}

#[tokio::test]
async fn a_new_key_is_found_and_unknown_ones_cost_a_fetch_a_window() {
    let clock = HeldClock::stop();
    let old = Mint::p256().named("old");
    let new = Mint::ed25519().named("new");
    let server = Server::start(set(&[old.jwk()])).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &old).await.is_ok());
    server.answer(set(&[new.jwk()]));
    assert!(come(&sessions, &new).await.is_ok());
    assert_eq!(server.count(), 2);
    for stranger in 0..50 {
        let stranger = Mint::p256().named(&format!("stranger-{stranger}"));
        assert_eq!(flaw(&sessions, &stranger.sign(&claims())).await, Flaw::Key);
    }
    assert_eq!(server.count(), 2);
    clock.advance(REFETCH).await;
    assert_eq!(flaw(&sessions, &old.sign(&claims())).await, Flaw::Key);
    assert_eq!(server.count(), 3);
    assert!(come(&sessions, &new).await.is_ok());
}

#[tokio::test]
async fn the_first_unknown_key_costs_one_fetch_not_two() {
    let server = Server::start(set(&[Mint::p256().named("one").jwk()])).await;
    let stranger = Mint::p256().named("stranger").sign(&claims());
    assert_eq!(flaw(&by_set(&server), &stranger).await, Flaw::Key);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn stale_keys_serve_while_the_endpoint_fails() {
    let clock = HeldClock::stop();
    let mint = Mint::p256().named("one");
    let stranger = Mint::p256().named("new");
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &mint).await.is_ok());
    server.answer(Reply::status(500));
    clock.advance(KEEP * 3).await;
    assert!(come(&sessions, &mint).await.is_ok());
    assert!(come(&sessions, &mint).await.is_ok());
    assert_eq!(server.count(), 2);
    assert!(is_down(
        come(&sessions, &stranger).await,
        &Outage::Status(500)
    ));
    server.answer(set(&[stranger.jwk()]));
    clock.advance(REFETCH).await;
    assert!(come(&sessions, &stranger).await.is_ok());
}

#[tokio::test]
async fn keys_that_are_too_old_serve_nobody() {
    let clock = HeldClock::stop();
    let mint = Mint::p256().named("one");
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &mint).await.is_ok());
    server.answer(Reply::status(500));
    clock.advance(GRACE.saturating_sub(REFETCH / 2)).await;
    assert!(come(&sessions, &mint).await.is_ok(), "they are stale");
    clock.advance(REFETCH / 2).await;
    for _ in 0..2 {
        let outcome = come(&sessions, &mint).await;
        assert!(is_down(outcome, &Outage::Status(500)), "they are too old");
    }
    server.answer(set(&[mint.jwk()]));
    clock.advance(REFETCH).await;
    assert!(come(&sessions, &mint).await.is_ok());
}

#[tokio::test]
async fn a_set_that_nobody_needed_for_long_is_fetched_before_it_serves() {
    let clock = HeldClock::stop();
    let mint = Mint::p256().named("one");
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &mint).await.is_ok());
    clock.advance(GRACE * 2).await;
    assert!(come(&sessions, &mint).await.is_ok());
    assert_eq!(server.count(), 2);
    clock.advance(GRACE * 2).await;
    server.answer(Reply::status(500));
    assert!(is_down(come(&sessions, &mint).await, &Outage::Status(500)));
}

#[tokio::test]
async fn without_any_key_nobody_can_be_checked() {
    let clock = HeldClock::stop();
    let mint = Mint::p256().named("one");
    let large = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(256 * 1024));
    let table = [
        (Reply::status(503), Outage::Status(503)),
        (
            Reply::status(301).with("location", "/other"),
            Outage::Status(301),
        ),
        (Reply::json("<html>"), Outage::Answer("no JSON object")),
        (Reply::json("{}"), Outage::Answer("no `keys`")),
        (Reply::json(large), Outage::TooLarge),
    ];
    let server = Server::start(Reply::status(404)).await;
    let sessions = by_set(&server);
    assert!(is_down(come(&sessions, &mint).await, &Outage::Status(404)));
    assert!(is_down(come(&sessions, &mint).await, &Outage::Status(404)));
    assert_eq!(server.count(), 1);
    for (reply, outage) in table {
        clock.advance(Duration::from_secs(1)).await;
        server.answer(reply);
        assert!(is_down(come(&sessions, &mint).await, &outage), "{outage}");
    }
    server.answer(set(&[mint.jwk()]));
    clock.advance(Duration::from_secs(1)).await;
    assert!(come(&sessions, &mint).await.is_ok());
}

#[tokio::test]
async fn who_comes_during_another_try_waits_for_it() {
    let clock = HeldClock::stop();
    let mint = Arc::new(Mint::p256().named("one"));
    let server = Server::start(Reply::status(500)).await;
    let sessions = Arc::new(by_set(&server));
    assert!(come(&sessions, &mint).await.is_err());
    server.hold();
    server.answer(set(&[mint.jwk()]));
    clock.advance(Duration::from_secs(1)).await;
    let mut both = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (sessions, mint) = (Arc::clone(&sessions), Arc::clone(&mint));
        both.spawn(async move { come(&sessions, &mint).await.is_ok() });
    }
    server.until_asked(2).await;
    server.release();
    assert_eq!(both.join_all().await, [true, true]);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_given_up() {
    let clock = HeldClock::stop();
    let mint = Arc::new(Mint::p256().named("one"));
    let server = Server::start(set(&[mint.jwk()])).await;
    let sessions = Arc::new(by_set(&server));
    server.hold();
    let waiting = {
        let (sessions, mint) = (Arc::clone(&sessions), Arc::clone(&mint));
        tokio::spawn(async move { come(&sessions, &mint).await })
    };
    server.until_asked(1).await;
    clock.advance(Duration::from_secs(5)).await;
    until(|| waiting.is_finished()).await;
    assert!(is_down(waiting.await.unwrap(), &Outage::Timeout));
}

#[tokio::test]
async fn only_keys_that_sign_are_keys() {
    let mint = Mint::p256().named("one");
    let with = |name: &str, value: Value| {
        let mut jwk = mint.jwk();
        jwk[name] = value;
        jwk
    };
    let symmetric = json!({"kty": "oct", "k": "AAAA", "kid": "one", "alg": "ES256"});
    let table = [
        (with("use", json!("sig")), true),
        (with("key_ops", json!(["verify"])), true),
        (with("use", json!("enc")), false),
        (with("key_ops", json!(["encrypt"])), false),
        (with("alg", json!("ES384")), false),
        (with("alg", json!("ECDH-ES")), false),
        (with("kid", json!("two")), false),
        (with("crv", json!("P-384")), false),
        (symmetric, false),
        (json!("nonsense"), false),
    ];
    for (jwk, good) in table {
        let server = Server::start(set(&[jwk.clone(), json!({"kty": "XYZ"})])).await;
        let outcome = come(&by_set(&server), &mint).await;
        assert_eq!(outcome.is_ok(), good, "{jwk}");
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_may_fit_any() {
    let mint = Mint::p256();
    let others = [
        Mint::p256().named("a").jwk(),
        Mint::ed25519().jwk(),
        mint.jwk(),
    ];
    let server = Server::start(set(&others)).await;
    let sessions = by_set(&server);
    assert!(come(&sessions, &mint).await.is_ok());
    let outcome = come(&sessions, &Mint::p256()).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Token(Flaw::Key));
}

#[tokio::test]
async fn a_key_set_is_never_a_shared_secret() {
    let mint = Mint::rsa().named("one");
    let server = Server::start(set(&[mint.jwk()])).await;
    let keys = JwtKeys::Jwks(Jwks {
        url: server.url("/jwks"),
        keep: KEEP,
        grace: GRACE,
        refetch: REFETCH,
        timeout: Duration::from_secs(5),
    });
    let sessions = route(jwt(keys, &[Algorithm::HS256, Algorithm::RS256]));
    let forged = Mint::with_secret(mint.public_pem()).named("one");
    assert_eq!(flaw(&sessions, &forged.sign(&claims())).await, Flaw::Key);
    assert!(come(&sessions, &mint).await.is_ok());
    let other = Mint::rsa().named("one");
    assert_eq!(
        flaw(&sessions, &other.sign(&claims())).await,
        Flaw::Signature
    );
}
