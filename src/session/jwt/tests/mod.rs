//! Tokens good and forged, each at the door of a whole route.

mod jwks;
mod logout;

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::testing::{
    self, Mint, browse, call, claims, cookie_name, hour_ahead, sessions, with,
};
use super::super::{Client, SessionError, Sessions, Standing};
use super::JwtCheck;
use crate::config::{Algorithm, Jwt, JwtKeys, SessionCheck};
use crate::fault::{Fault, Faulty as _};
use crate::id::{Issuer, RouteName};
use crate::person::ClaimPath;
use crate::session::error::{Flaw, Twice};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn jwt(keys: JwtKeys, algorithms: &[Algorithm]) -> Jwt {
    Jwt {
        cookie: Some(cookie_name("session")),
        keys,
        algorithms: algorithms.to_vec(),
        issuer: Some(Issuer::new("https://idp.example")),
        audience: vec!["analytics".to_owned(), "reports".to_owned()],
        subject: ClaimPath::new("sub"),
        session: ClaimPath::new("sid"),
        leeway: Duration::from_secs(30),
        logout: None,
    }
}

fn by_secret() -> Jwt {
    jwt(
        JwtKeys::Hmac(SECRET.to_vec().into()),
        &[Algorithm::HS256, Algorithm::HS384],
    )
}

fn by_pem(pem: &[u8], algorithms: &[Algorithm]) -> Sessions {
    route(jwt(JwtKeys::Pem(pem.to_vec()), algorithms))
}

fn route(jwt: Jwt) -> Sessions {
    sessions(vec![SessionCheck::Jwt(jwt)])
}

async fn flaw(sessions: &Sessions, token: &str) -> Flaw {
    match browse(sessions, &format!("session={token}")).await {
        Err(SessionError::Token(flaw)) => flaw,
        other => panic!("not a refused token: {other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_is_a_person_with_an_end() {
    let token = Mint::with_secret(SECRET).sign(&claims());
    let session = browse(&route(by_secret()), &format!("a=b; session={token}"))
        .await
        .unwrap();
    let person = session.person();
    assert_eq!(person.issuer().as_str(), "https://idp.example");
    assert_eq!(person.subject().as_str(), "ada");
    assert_eq!(person.session().unwrap().expose(), "s-1");
    let apps = person.claim(&ClaimPath::new("qlik_apps"));
    assert_eq!(apps, Some(&json!(["app-1"])));
    let Standing::Valid { until: Some(until) } = *session.standing().borrow() else {
        panic!("no end");
    };
    let left = until - Instant::now();
    assert!(left > Duration::from_secs(3590) && left <= Duration::from_hours(1));
}

#[tokio::test]
async fn every_kind_of_key_verifies_its_own_tokens() {
    let p256 = Mint::p256();
    let ed25519 = Mint::ed25519();
    let rsa = Mint::rsa();
    let pss = [Algorithm::PS256, Algorithm::RS256];
    let table: [(Sessions, String); 5] = [
        (
            by_pem(p256.public_pem(), &[Algorithm::ES256]),
            p256.sign(&claims()),
        ),
        (
            by_pem(p256.certificate(), &[Algorithm::ES256]),
            p256.sign(&claims()),
        ),
        (
            by_pem(ed25519.public_pem(), &[Algorithm::EdDSA]),
            ed25519.sign(&claims()),
        ),
        (by_pem(rsa.public_pem(), &pss), rsa.sign(&claims())),
        (
            by_pem(rsa.certificate(), &pss),
            rsa.signing(jsonwebtoken::Algorithm::PS256).sign(&claims()),
        ),
    ];
    for (sessions, token) in table {
        let session = call(&sessions, &format!("Bearer {token}")).await.unwrap();
        assert_eq!(session.person().subject().as_str(), "ada");
    }
}

#[tokio::test]
async fn forged_claims_are_refused_each_for_its_reason() {
    let mint = Mint::with_secret(SECRET);
    let now = jsonwebtoken::get_current_timestamp();
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let table: Vec<(Value, Flaw)> = vec![
        (with("exp", json!(now)), Flaw::Expired),
        (with("exp", json!(-1e300)), Flaw::Expired),
        (with("exp", Value::Null), Flaw::Claim("exp")),
        (with("exp", json!("4102444800")), Flaw::Claim("exp")),
        (with("nbf", json!(now + 60)), Flaw::Immature),
        (with("nbf", json!("soon")), Flaw::Claim("nbf")),
        (with("iat", json!(now + 60)), Flaw::Immature),
        (with("iss", json!("https://idp.example/")), Flaw::Issuer),
        (with("iss", Value::Null), Flaw::Issuer),
        (
            with("iss", json!(["https://idp.example"])),
            Flaw::Claim("iss"),
        ),
        (with("aud", json!("Analytics")), Flaw::Audience),
        (with("aud", json!(["other"])), Flaw::Audience),
        (with("aud", Value::Null), Flaw::Audience),
        (with("sub", json!("")), Flaw::Subject),
        (with("sub", json!(7)), Flaw::Subject),
        (with("sub", json!("a\r\nb")), Flaw::Subject),
        (with("sub", json!("x".repeat(257))), Flaw::Subject),
        (with("sub", Value::Null), Flaw::Subject),
        (with("events", logout), Flaw::Logout),
    ];
    let sessions = route(by_secret());
    for (claims, expected) in table {
        assert_eq!(
            flaw(&sessions, &mint.sign(&claims)).await,
            expected,
            "{claims}"
        );
    }
}

#[tokio::test]
async fn an_address_is_a_subject_only_when_it_is_verified() {
    let mint = Mint::with_secret(SECRET);
    let mut jwt = by_secret();
    jwt.subject = ClaimPath::new("email");
    let sessions = route(jwt);
    let mut claims = with("email", json!("ada@example.com"));
    for unverified in [Value::Null, json!(false), json!("true")] {
        claims["email_verified"] = unverified;
        let refused = flaw(&sessions, &mint.sign(&claims)).await;
        assert_eq!(refused, Flaw::Claim("email_verified"));
    }
    claims["email_verified"] = json!(true);
    let token = mint.sign(&claims);
    let session = browse(&sessions, &format!("session={token}"))
        .await
        .unwrap();
    assert_eq!(session.person().subject().as_str(), "ada@example.com");
}

#[tokio::test]
async fn forged_headers_are_refused_each_for_its_reason() {
    let mint = Mint::with_secret(SECRET);
    let header = |name: &str, value: Value| {
        let mut header = mint.header();
        header[name] = value;
        mint.sign_under(&header, &claims())
    };
    let table: Vec<(String, Flaw)> = vec![
        (header("alg", json!("none")), Flaw::Algorithm),
        (header("alg", json!("hs256")), Flaw::Algorithm),
        (header("alg", json!("HS512")), Flaw::Algorithm),
        (header("alg", json!("HS384")), Flaw::Signature),
        (header("alg", json!(["HS256"])), Flaw::Malformed),
        (
            header("jku", json!("https://evil.example")),
            Flaw::Header("jku"),
        ),
        (header("jwk", Mint::p256().jwk()), Flaw::Header("jwk")),
        (
            header("x5u", json!("https://evil.example")),
            Flaw::Header("x5u"),
        ),
        (header("x5c", json!([])), Flaw::Header("x5c")),
        (header("crit", json!(["exp"])), Flaw::Header("crit")),
        (header("typ", json!("logout+jwt")), Flaw::Logout),
        (header("typ", json!("Application/Logout+JWT")), Flaw::Logout),
        (header("kid", json!(1)), Flaw::Malformed),
    ];
    refuse_all(&table).await;
}

#[tokio::test]
async fn forged_texts_are_refused_each_for_its_reason() {
    let mint = Mint::with_secret(SECRET);
    let good = mint.sign(&claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let twice = r#"{"sub":"ada","sub":"eve"}"#;
    let table: Vec<(String, Flaw)> = vec![
        (
            mint.sign_text(r#"{"alg":"HS256","alg":"none"}"#, "{}"),
            Flaw::Malformed,
        ),
        (
            mint.sign_text(&mint.header().to_string(), twice),
            Flaw::Malformed,
        ),
        (
            mint.sign_text(&mint.header().to_string(), "[]"),
            Flaw::Malformed,
        ),
        (mint.sign_text("{", "{}"), Flaw::Malformed),
        (format!("{signed}."), Flaw::Signature),
        (format!("{good}AAAA"), Flaw::Signature),
        (format!("{good}."), Flaw::Malformed),
        (format!("{good}=="), Flaw::Signature),
        (signed.to_owned(), Flaw::Malformed),
        (
            Mint::with_secret(b"another").sign(&claims()),
            Flaw::Signature,
        ),
        ("garbage".to_owned(), Flaw::Malformed),
        ("..".to_owned(), Flaw::Malformed),
        ("a.b.c".to_owned(), Flaw::Malformed),
        (
            mint.sign(&with("pad", json!("x".repeat(8192)))),
            Flaw::Oversized,
        ),
    ];
    refuse_all(&table).await;
}

async fn refuse_all(table: &[(String, Flaw)]) {
    let sessions = route(by_secret());
    for (token, expected) in table {
        assert_eq!(flaw(&sessions, token).await, *expected, "{token}");
    }
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    for mint in [Mint::rsa(), Mint::p256()] {
        let forged = Mint::with_secret(mint.public_pem()).sign(&claims());
        let all = [Algorithm::RS256, Algorithm::ES256, Algorithm::HS256];
        let sessions = by_pem(mint.public_pem(), &all);
        assert_eq!(flaw(&sessions, &forged).await, Flaw::Algorithm);
        let sessions = by_pem(mint.public_pem(), &all[..2]);
        assert_eq!(flaw(&sessions, &forged).await, Flaw::Algorithm);
    }
}

#[tokio::test]
async fn beginnings_have_leeway_and_no_time_overflows() {
    let mint = Mint::with_secret(SECRET);
    let sessions = route(by_secret());
    let now = jsonwebtoken::get_current_timestamp();
    let early = with("nbf", json!(now + 20));
    let fraction = with("iat", json!(f64::from(u32::try_from(now).unwrap()) + 0.5));
    let endless = with("exp", json!(u64::MAX));
    let huge = with("exp", json!(1e300));
    for claims in [early, fraction, endless, huge] {
        let token = mint.sign(&claims);
        let session = browse(&sessions, &format!("session={token}")).await;
        assert!(session.is_ok(), "{claims}: {session:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_known_is_not_taken_apart_again_but_judged_anew() {
    type Change = fn(&mut JwtCheck);
    let route = RouteName::new("test");
    let mut check = JwtCheck::new(&route, by_secret(), &testing::http()).unwrap();
    check.rules.leeway = Duration::from_hours(2);
    let mut claims = with("iat", json!(1_000_000_000));
    claims["nbf"] = json!(hour_ahead());
    let token = Mint::with_secret(SECRET).sign(&claims);
    let (person, _) = check.read(token.as_bytes()).await.unwrap();
    let (same, standing) = check.read(token.as_bytes()).await.unwrap();
    assert!(std::ptr::eq(person.claims(), same.claims()));
    assert!(standing.is_valid(Instant::now()));
    let changes: [(Change, Flaw); 4] = [
        (
            |check| check.rules.issuer = Some(Issuer::new("another")),
            Flaw::Issuer,
        ),
        (
            |check| check.rules.audience = vec!["another".to_owned()],
            Flaw::Audience,
        ),
        (
            |check| check.rules.longest = Some(Duration::from_secs(1)),
            Flaw::Lasting,
        ),
        // Of a token's times, the first that is looked at.
        (|check| check.rules.leeway = Duration::ZERO, Flaw::Immature),
    ];
    for (change, flaw) in changes {
        change(&mut check);
        let outcome = check.read(token.as_bytes()).await;
        assert_eq!(outcome.unwrap_err(), SessionError::Token(flaw));
    }
}

#[tokio::test]
async fn what_is_not_configured_is_not_demanded_but_the_end_is() {
    let mint = Mint::with_secret(SECRET);
    let mut bare = by_secret();
    bare.issuer = None;
    bare.audience = Vec::new();
    bare.subject = ClaimPath::new("/user/id");
    let sessions = route(bare);
    let claims = json!({"user": {"id": "grace"}, "sub": "eve", "exp": hour_ahead()});
    let session = call(&sessions, &format!("bearer {}", mint.sign(&claims)))
        .await
        .unwrap();
    let person = session.person();
    assert_eq!(person.issuer().as_str(), "jwt");
    assert_eq!(person.subject().as_str(), "grace");
    assert_eq!(person.claim(&ClaimPath::new("sub")), Some(&json!("grace")));
    assert!(person.session().is_none());
    let endless = mint.sign(&json!({"user": {"id": "grace"}}));
    assert_eq!(flaw(&sessions, &endless).await, Flaw::Claim("exp"));
}

#[tokio::test]
async fn a_browser_comes_by_cookie_and_a_program_by_bearer_alone() {
    let sessions = route(by_secret());
    let token = Mint::with_secret(SECRET).sign(&claims());
    let cookie = HeaderValue::try_from(format!("session={token}")).unwrap();
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let by_cookie = HeaderMap::from_iter([(COOKIE, cookie)]);
    let by_bearer = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let table = [
        (Client::Browser, &by_cookie, true),
        (Client::Browser, &by_bearer, false),
        (Client::Program, &by_cookie, false),
        (Client::Program, &by_bearer, true),
    ];
    for (client, headers, good) in table {
        let outcome = testing::knock(&sessions, client, headers).await;
        assert_eq!(outcome.is_ok(), good, "{client:?}");
        assert!(good || matches!(outcome, Err(SessionError::Missing)));
    }
}

#[tokio::test]
async fn without_a_cookie_name_only_a_bearer_counts() {
    let mut config = by_secret();
    config.cookie = None;
    let sessions = route(config);
    let token = Mint::with_secret(SECRET).sign(&claims());
    let outcome = browse(&sessions, &format!("session={token}")).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Missing);
    assert!(call(&sessions, &format!("Bearer {token}")).await.is_ok());
    for other in ["Basic YTpi", "Bearer", "Bearer ", "Bearer\u{9}"] {
        let outcome = call(&sessions, other).await;
        assert_eq!(outcome.unwrap_err(), SessionError::Missing, "{other}");
    }
}

#[tokio::test]
async fn what_stands_twice_is_a_bad_request() {
    let sessions = route(by_secret());
    let token = Mint::with_secret(SECRET).sign(&claims());
    let outcome = browse(&sessions, &format!("session={token}; session={token}")).await;
    let twice = outcome.unwrap_err();
    assert_eq!(twice, SessionError::Ambiguous(Twice::Cookie));
    assert_eq!(twice.fault(), Fault::BadRequest);
    let mut headers = HeaderMap::new();
    for _ in 0..2 {
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        headers.append(AUTHORIZATION, bearer);
    }
    let outcome = testing::knock(&sessions, Client::Program, &headers).await;
    let twice = outcome.unwrap_err();
    assert_eq!(twice, SessionError::Ambiguous(Twice::Authorization));
    let outcome = testing::knock(&sessions, Client::Browser, &headers).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Missing);
}

#[tokio::test]
async fn the_first_kind_that_finds_its_credential_decides() {
    let mut second = by_secret();
    second.cookie = Some(cookie_name("other"));
    second.keys = JwtKeys::Hmac(b"fedcba9876543210fedcba9876543210".to_vec().into());
    let checks = vec![SessionCheck::Jwt(by_secret()), SessionCheck::Jwt(second)];
    let sessions = sessions(checks);
    let good = Mint::with_secret(b"fedcba9876543210fedcba9876543210").sign(&claims());
    assert!(browse(&sessions, &format!("other={good}")).await.is_ok());
    assert!(
        browse(&sessions, &format!("session=; other={good}"))
            .await
            .is_ok()
    );
    let outcome = browse(&sessions, &format!("session=bad; other={good}")).await;
    assert_eq!(outcome.unwrap_err(), SessionError::Token(Flaw::Malformed));
}

#[test]
fn a_key_that_cannot_serve_is_refused_at_once() {
    let mint = Mint::p256();
    let keys = [
        (b"nonsense".to_vec(), Algorithm::RS256),
        (mint.public_pem().to_vec(), Algorithm::RS256),
        (mint.public_pem().to_vec(), Algorithm::ES384),
        (rsa_private_pem(), Algorithm::RS256),
    ];
    for (pem, algorithm) in keys {
        let check = SessionCheck::Jwt(jwt(JwtKeys::Pem(pem), &[algorithm]));
        let outcome = testing::try_sessions(vec![check]);
        assert!(matches!(outcome, Err(SessionError::Setup(_))));
    }
}

fn rsa_private_pem() -> Vec<u8> {
    let size = rcgen::RsaKeySize::_2048;
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    pair.serialize_pem().into_bytes()
}

#[tokio::test]
async fn nothing_of_a_token_shows() {
    let sessions = route(by_secret());
    let token = Mint::with_secret(b"another").sign(&claims());
    let error = browse(&sessions, &format!("session={token}"))
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?} {sessions:?}");
    assert!(token.split('.').all(|part| !shown.contains(part)));
    assert!(!shown.contains("0123456789abcdef"));
}
