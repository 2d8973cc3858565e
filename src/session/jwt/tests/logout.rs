//! Back-channel logout tokens, good and forged.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{SECRET, by_secret, flaw, jwt, route};
use crate::config::{Algorithm, Jwks, Jwt, JwtKeys, JwtLogout, SessionCheck};
use crate::fault::{Fault, Faulty as _};
use crate::id::{SessionId, Subject};
use crate::revocation::{Begun, Whom};
use crate::session::error::{Flaw, SessionError};
use crate::session::testing::{Mint, browse, claims, sessions_of};
use crate::session::{Logout, Sessions, Standing};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const MEMORY: Duration = Duration::from_hours(24);
const LEEWAY: Duration = Duration::from_secs(30);

fn sessions() -> Sessions {
    let mut jwt = by_secret();
    jwt.logout = Some(JwtLogout {
        audience: vec!["the-app".to_owned()],
        memory: MEMORY,
    });
    route(jwt)
}

/// A good logout token's claims, with some of them replaced; null takes one away.
fn logout(changes: &Value) -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    let mut claims = json!({
        "iss": "https://idp.example", "aud": "the-app", "iat": now, "exp": now + 120,
        "jti": "j-1", "sid": "s-1", "sub": "ada", "events": {EVENT: {}},
    });
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap_or(&Map::new()) {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}

async fn announce(sessions: &Sessions, claims: &Value) -> Result<Logout, SessionError> {
    sessions
        .logout(Mint::with_secret(SECRET).sign(claims).as_bytes())
        .await
}

#[tokio::test]
async fn a_session_is_named_by_sid_and_a_person_by_sub() {
    let sessions = sessions();
    let by_sid = announce(&sessions, &logout(&json!({}))).await.unwrap();
    assert_eq!(by_sid.remember, MEMORY + LEEWAY);
    let theirs = || Begun {
        subject: Subject::new("ada"),
        until: 1_000_000_000,
    };
    let sid = || SessionId::new("s-1");
    let table = [
        (json!({}), Whom::Session(sid(), Some(theirs()))),
        (json!({"sub": null}), Whom::Session(sid(), None)),
        (json!({"sub": "\u{7}"}), Whom::Session(sid(), None)),
        (json!({"sid": null}), Whom::Subject(theirs())),
    ];
    for (number, (mut changes, whom)) in (2..).zip(table) {
        changes["jti"] = json!(format!("j-{number}"));
        changes["iat"] = json!(1_000_000_000);
        let told = announce(&sessions, &logout(&changes)).await.unwrap();
        assert_eq!(told.revocation.whom, whom, "{changes}");
    }
}

#[tokio::test]
async fn a_logout_token_that_was_verified_opens_nothing() {
    let sessions = sessions();
    let header = json!({"alg": "HS256", "typ": "logout+jwt"});
    let all = [claims(), logout(&json!({"aud": ["the-app", "analytics"]}))];
    for claims in all {
        let token = Mint::with_secret(SECRET).sign_under(&header, &claims);
        let _ = sessions.logout(token.as_bytes()).await;
        assert_eq!(flaw(&sessions, &token).await, Flaw::Logout);
    }
}

#[tokio::test]
async fn forged_logouts_are_refused_each_for_its_reason() {
    let now = jsonwebtoken::get_current_timestamp();
    let table = [
        (json!({"iss": "https://evil.example"}), Flaw::Issuer),
        (json!({"iss": null}), Flaw::Issuer),
        (json!({"aud": "analytics"}), Flaw::Audience),
        (json!({"aud": null}), Flaw::Audience),
        (json!({"iat": null}), Flaw::Claim("iat")),
        (json!({"iat": now + 60}), Flaw::Immature),
        (json!({"exp": now - 31}), Flaw::Expired),
        (json!({"exp": null, "iat": now - 640}), Flaw::Expired),
        (json!({"jti": null}), Flaw::Claim("jti")),
        (json!({"jti": ""}), Flaw::Claim("jti")),
        (json!({"events": null}), Flaw::NoLogout),
        (json!({"events": {EVENT: true}}), Flaw::NoLogout),
        (json!({"events": [EVENT]}), Flaw::NoLogout),
        (json!({"nonce": "n"}), Flaw::Claim("nonce")),
        (json!({"sid": null, "sub": null}), Flaw::Subject),
        (json!({"sid": 7}), Flaw::Claim("sid")),
        (json!({"sid": ""}), Flaw::Claim("sid")),
    ];
    let sessions = sessions();
    for (changes, expected) in table {
        let refused = announce(&sessions, &logout(&changes)).await;
        assert_eq!(refused, Err(SessionError::Token(expected)), "{changes}");
    }
    assert!(
        announce(&sessions, &logout(&json!({}))).await.is_ok(),
        "none of them used it up"
    );
}

#[tokio::test]
async fn a_logout_is_used_once_and_is_no_session_nor_the_other_way_round() {
    let (sessions, mint) = (sessions(), Mint::with_secret(SECRET));
    let claims = logout(&json!({"aud": ["the-app", "analytics"]}));
    assert!(announce(&sessions, &claims).await.is_ok());
    let again = announce(&sessions, &claims).await;
    assert_eq!(again, Err(SessionError::Token(Flaw::Replayed)));
    assert_eq!(flaw(&sessions, &mint.sign(&claims)).await, Flaw::Logout);
    let typed = mint.sign_under(&json!({"alg": "HS256", "typ": "at+jwt"}), &claims);
    let refused = sessions.logout(typed.as_bytes()).await;
    assert_eq!(refused, Err(SessionError::Token(Flaw::NoLogout)));
    let unsigned = format!("{}x", mint.sign(&logout(&json!({"jti": "j-3"}))));
    assert!(sessions.logout(unsigned.as_bytes()).await.is_err());
}

#[tokio::test]
async fn a_route_that_takes_no_logouts_says_so() {
    let refused = announce(&route(by_secret()), &logout(&json!({}))).await;
    assert_eq!(refused, Err(SessionError::Missing));
}

#[tokio::test]
async fn whoever_cannot_be_asked_may_know_what_the_others_do_not() {
    let takes_logouts = |jwt: Jwt| {
        let audience = vec!["the-app".to_owned()];
        let logout = Some(JwtLogout {
            audience,
            memory: MEMORY,
        });
        SessionCheck::Jwt(Jwt { logout, ..jwt })
    };
    let down = || {
        let keys = JwtKeys::Jwks(Jwks {
            url: "http://127.0.0.1:1/jwks".parse().unwrap(),
            keep: MEMORY,
            grace: MEMORY,
            refetch: LEEWAY,
            timeout: Duration::from_secs(5),
        });
        takes_logouts(jwt(keys, &[Algorithm::ES256]))
    };
    let refusing = || takes_logouts(by_secret());
    let token = Mint::p256().named("one").sign(&logout(&json!({})));
    for checks in [
        vec![refusing()],
        vec![refusing(), down(), refusing()],
        vec![down(), refusing()],
    ] {
        let is_down = checks.len() > 1;
        let refused = sessions_of("test", checks).unwrap();
        let refused = refused.logout(token.as_bytes()).await.unwrap_err();
        assert_eq!(
            refused.fault() == Fault::SessionCheckDown,
            is_down,
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_token_that_could_outlive_its_logout_is_refused() {
    let (sessions, mint) = (sessions(), Mint::with_secret(SECRET));
    let now = jsonwebtoken::get_current_timestamp();
    let token = |issued: Option<u64>, expiry: u64| {
        mint.sign(&with_all(&json!({"iat": issued, "exp": expiry})))
    };
    let day = MEMORY.as_secs();
    let table = [
        (Some(now), now + day + 1),
        (Some(now - day), now + 1),
        (None, now + 60),
    ];
    for (issued, expiry) in table {
        let refused = flaw(&sessions, &token(issued, expiry)).await;
        assert_eq!(refused, Flaw::Lasting, "{issued:?} {expiry}");
        let fault = SessionError::from(refused).fault();
        assert_eq!(fault, Fault::SessionCheckDown, "no login mends it");
    }
    // The latest that can begin before a logout of this moment, by an issuer whose clock is ahead.
    let issued = now + LEEWAY.as_secs() - 1;
    let cookie = format!("session={}", token(Some(issued), issued + day));
    let session = browse(&sessions, &cookie).await.unwrap();
    let logout = announce(&sessions, &logout(&json!({}))).await.unwrap();
    let Standing::Valid { until: Some(until) } = *session.standing().borrow() else {
        panic!("no end");
    };
    assert!(until <= Instant::now() + logout.remember);
}

#[tokio::test]
async fn where_no_logouts_are_taken_a_token_lives_as_long_as_it_says() {
    let token = Mint::with_secret(SECRET).sign(&with_all(&json!({"exp": 4_000_000_000_u64})));
    let session = browse(&route(by_secret()), &format!("session={token}")).await;
    assert!(session.is_ok());
}

/// A good token's claims, with some replaced; null takes one away.
fn with_all(changes: &Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    claims
}
