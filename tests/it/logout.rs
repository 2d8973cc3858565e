//! Back-channel logouts over HTTP: whom they end, and what is no logout.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine_sim::engine::SALES_APP;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::issuer::{CLIENT, EVENT, ISSUER};
use crate::support::{Answer, Issuer, Knock, Recipe, Signer, World, now, soon, unique};

const ENDED: (u16, &str) = (4006, "App session ended or not valid");

/// Somebody with this session opens an app.
fn visit<'a>(world: &'a World, session: &str) -> Knock<'a> {
    let session = world.keep(session.to_owned());
    world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .cookie(&session)
}

fn assert_ended(told: &(u16, String)) {
    assert_eq!((told.0, told.1.as_str()), ENDED);
}

#[tokio::test]
async fn by_sid_it_ends_that_session_and_no_other() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let [first, second] =
        ["s-1", "s-2"].map(|sid| issuer.session(&json!({"sub": "ada", "sid": sid})));
    let bobs = issuer.session(&json!({"sub": "bob", "sid": "s-3"}));
    let mut ended = [
        visit(&world, &first).open().await,
        visit(&world, &first).open().await,
    ];
    let mut others = [
        visit(&world, &second).open().await,
        visit(&world, &bobs).open().await,
    ];

    let token = issuer.logout(&json!({"sub": "ada", "sid": "s-1"}));
    let answer = world.announce("/qlik", &token).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for socket in &mut ended {
        assert_ended(&socket.closed().await);
    }
    for socket in &mut others {
        socket.is_alive().await;
    }
    assert_ended(&visit(&world, &first).closed().await);
    visit(&world, &second).open().await;
    let state = soon(world.tenant.until(|state| state.sockets_open == 2)).await;
    assert_eq!(state.close_codes[..2], [1001, 1001]);
}

#[tokio::test]
async fn by_sid_it_also_ends_what_its_person_began_before_it_without_one() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let logout = now() - 100;
    let before = [
        issuer.session(&json!({"sub": "ada", "iat": logout - 1})),
        issuer.session(&json!({"sub": "ada", "iat": logout})),
        issuer.session(&json!({"sub": "ada", "iat": logout + 50, "auth_time": logout - 1})),
    ];
    let spared = [
        issuer.session(&json!({"sub": "ada", "iat": logout + 1})),
        issuer.session(&json!({"sub": "ada", "iat": logout - 1, "sid": "s-2"})),
        issuer.session(&json!({"sub": "bob", "iat": logout - 1})),
    ];
    let (mut ended, mut others) = (Vec::new(), Vec::new());
    for session in &before {
        ended.push(visit(&world, session).open().await);
    }
    for session in &spared {
        others.push(visit(&world, session).open().await);
    }
    let token = issuer.logout(&json!({"sub": "ada", "sid": "s-1", "iat": logout}));
    assert_eq!(world.announce("/qlik", &token).await.status, 200);
    for socket in &mut ended {
        assert_ended(&socket.closed().await);
    }
    for socket in &mut others {
        socket.is_alive().await;
    }
    for session in &before {
        assert_ended(&visit(&world, session).closed().await);
    }
    for session in &spared {
        visit(&world, session).open().await;
    }
}

#[tokio::test]
async fn by_sub_it_ends_what_began_before_it_and_lets_a_new_login_in() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let logout = now() - 100;
    let session = |claims: Value| {
        let mut whole = json!({"sub": "ada", "sid": null});
        let (whole, claims) = (whole.as_object_mut().unwrap(), claims);
        whole.extend(claims.as_object().unwrap().clone());
        issuer.session(&json!(whole))
    };
    let before = [
        session(json!({"sid": "s-1", "iat": logout - 1})),
        session(json!({"iat": logout})),
        session(json!({"iat": logout + 50, "auth_time": logout - 1})),
    ];
    let after = [
        session(json!({"sid": "s-2", "iat": logout + 1})),
        session(json!({"iat": logout + 50, "auth_time": logout + 1})),
    ];
    let bobs = issuer.session(&json!({"sub": "bob", "iat": logout - 1}));
    let (mut ended, mut others) = (Vec::new(), Vec::new());
    for session in &before {
        ended.push(visit(&world, session).open().await);
    }
    for session in after.iter().chain([&bobs]) {
        others.push(visit(&world, session).open().await);
    }

    let token = issuer.logout(&json!({"sub": "ada", "iat": logout}));
    assert_eq!(world.announce("/qlik", &token).await.status, 200);
    for socket in &mut ended {
        assert_ended(&socket.closed().await);
    }
    for socket in &mut others {
        socket.is_alive().await;
    }
    for session in &before {
        assert_ended(&visit(&world, session).closed().await);
    }
    for session in after.iter().chain([&bobs]) {
        visit(&world, session).open().await;
    }
}

#[tokio::test]
async fn what_could_outlive_its_logout_does_not_get_in() {
    let issuer = Issuer::start().await;
    let check = issuer.check("/keys") + "logout_memory = \"10min\"\n";
    let recipe = issuer.recipe().session(&check);
    let world = recipe.start().await;
    let lasting = |seconds: u64| {
        let begun = now() - 60;
        issuer.session(&json!({"sub": "ada", "iat": begun, "exp": begun + seconds}))
    };
    visit(&world, &lasting(600)).open().await;
    let nameless = issuer.session(&json!({"sub": "ada", "iat": null}));
    for token in [lasting(601), lasting(86_400), nameless] {
        assert_eq!(visit(&world, &token).closed().await.0, 4211);
    }
    let log = world.log();
    let told = log
        .iter()
        .filter(|line| line.level == "WARN" && line.message.contains("logout_memory"));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn the_log_says_whom_a_logout_names_by_hash_or_by_subject() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let (who, sid) = (unique("ada"), world.keep(unique("sid")));
    let session = issuer.session(&json!({"sub": who, "sid": sid}));
    let _ada = visit(&world, &session).open().await;
    let log = world.log();
    let opened = log
        .iter()
        .find(|line| line.message == "socket opened" && line.field("subject") == who);
    let hash = opened.unwrap().field("session.hash").to_owned();
    for named in [json!({"sid": sid}), json!({"sub": who})] {
        let logout = issuer.logout(&named);
        assert_eq!(world.announce("/qlik", &logout).await.status, 200);
    }
    let mut lines = world.log();
    lines.retain(|line| line.message == "logged out by the issuer");
    let by = |name, value: &str| {
        lines
            .iter()
            .filter(|line| line.field(name) == value)
            .count()
    };
    assert_eq!(by("session.hash", &hash), 1, "{lines:?}");
    assert_eq!(by("subject", &who), 1, "{lines:?}");
}

#[tokio::test]
async fn a_program_that_was_logged_out_reads_401() {
    let issuer = Issuer::start().await;
    let recipe = issuer.recipe().route("clients_without_origin = \"bearer\"");
    let world = recipe.start().await;
    let session = world.keep(issuer.session(&json!({"sub": "ada", "sid": "s-1"})));
    let knock = || {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.without("origin").bearer(&session)
    };
    let mut socket = knock().open().await;
    let token = issuer.logout(&json!({"sid": "s-1"}));
    assert_eq!(world.announce("/qlik", &token).await.status, 200);
    assert_ended(&socket.closed().await);
    let refused = knock().refused().await;
    assert_eq!(
        (refused.status, refused.json()["error"].clone()),
        (401, json!("not_signed_in"))
    );
}

/// A token by hand, signed by nobody or by somebody else.
fn token(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// What this issuer did not sign, each with its name.
fn forged(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let claims = || issuer.logout_claims(&json!({"sid": "s-1"}));
    let stranger = Signer::named("idp-1");
    let public_key = Signer::with_secret(&issuer.public_key().to_string());
    let genuine = issuer.logout(&json!({"sid": "s-1"}));
    let (_, signature) = genuine.rsplit_once('.').unwrap();
    let unsigned = json!({"alg": "none"});
    let embedded = json!({"alg": "ES256", "jwk": stranger.jwk()});
    let proper = json!({"alg": "ES256", "kid": "idp-1"});
    vec![
        ("by a stranger's key", stranger.sign(claims())),
        ("by the public key as a secret", public_key.sign(claims())),
        ("alg=none", token(&unsigned, &claims(), "")),
        ("alg=none, signed", token(&unsigned, &claims(), signature)),
        ("with its own key", token(&embedded, &claims(), signature)),
        ("signed for others", token(&proper, &claims(), signature)),
        ("unsigned", token(&proper, &claims(), "")),
        ("no token", "no token at all".to_owned()),
    ]
}

/// What this issuer signed that is no logout of now and for us.
fn unfit(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let session = |audience| issuer.session(&json!({"sub": "ada", "sid": "s-1", "aud": audience}));
    let mut tokens: Vec<(&str, String)> = vec![
        ("a session", session("analytics")),
        ("a session for the client", session(CLIENT)),
    ];
    let changes = [
        ("expired", json!({"exp": now() - 31})),
        ("of tomorrow", json!({"iat": now() + 86_400})),
        ("of another issuer", json!({"iss": "https://evil.example"})),
        ("for another client", json!({"aud": "analytics"})),
        ("without a jti", json!({"jti": null})),
        ("without an event", json!({"events": null})),
        ("with another event", json!({"events": {"urn:other": {}}})),
        ("an event that is no object", json!({"events": [EVENT]})),
        ("with a nonce", json!({"nonce": "n"})),
        ("of a sid that is no text", json!({"sid": ["s-1"]})),
        ("oversized", json!({"padding": "x".repeat(9_000)})),
    ];
    for (name, mut changes) in changes {
        if changes.get("sid").is_none() {
            changes["sid"] = json!("s-1");
        }
        tokens.push((name, issuer.logout(&changes)));
    }
    tokens.push(("of nobody", issuer.logout(&json!({}))));
    tokens
}

#[tokio::test]
async fn what_is_no_logout_is_refused_and_ends_nothing() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let session = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
    let mut ada = visit(&world, &session).open().await;
    for (name, forgery) in [forged(&issuer), unfit(&issuer)].concat() {
        let answer = world.announce("/qlik", &forgery).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        assert!(
            !answer.body.contains(ISSUER),
            "{name}: it tells what it knows"
        );
    }
    ada.is_alive().await;
    visit(&world, &session).open().await;
}

#[tokio::test]
async fn a_logout_is_taken_once_and_never_for_a_session() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let claims = json!({"sub": "ada", "sid": "s-1", "aud": [CLIENT, "analytics"]});
    let token = issuer.logout(&claims);
    assert_ended(&visit(&world, &token).closed().await);
    assert_eq!(world.announce("/qlik", &token).await.status, 200);
    assert_eq!(world.announce("/qlik", &token).await.status, 400, "again");
    let another = issuer.logout(&claims);
    assert_eq!(world.announce("/qlik", &another).await.status, 200);
}

#[tokio::test]
async fn only_a_form_with_one_token_is_read_and_only_by_post() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let session = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
    let mut ada = visit(&world, &session).open().await;
    let path = "/qlik/backchannel-logout";
    let good = || world.keep(issuer.logout(&json!({"sid": "s-1"})));
    let bodies = [
        String::new(),
        good(),
        json!({ "logout_token": good() }).to_string(),
        format!("LOGOUT_TOKEN={}", good()),
        format!("token={}", good()),
        "logout_token=".to_owned(),
        format!("logout_token={}&logout_token={}", good(), good()),
        format!("{}&logout_token={}", "x".repeat(17 << 10), good()),
        "logout_token=%ff%fe".to_owned(),
    ];
    for body in bodies {
        let answer = world.http("POST", path).form(body.as_bytes()).refused();
        assert_eq!(answer.await.status, 400, "{body:.60}");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let query = format!("{path}?logout_token={}", good());
        let answer = world.http(method, &query).refused().await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    ada.is_alive().await;
}

#[tokio::test]
async fn a_route_that_takes_no_logouts_has_nothing_there() {
    let world = World::start().await;
    let token = Signer::with_secret(&world.secrets.session).sign(json!({"sid": "s-1"}));
    let answer = world.announce("/qlik", &token).await;
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (404, json!("not_found"))
    );
}

#[tokio::test]
async fn an_issuer_whose_keys_are_not_to_be_had_is_told_to_come_again() {
    let issuer = Issuer::start().await;
    let nowhere = "[[route.session]]\nkind = \"jwt\"\ncookie = \"session\"\n\
        jwks = \"http://127.0.0.1:1/keys\"\nissuer = \"https://idp.example.com\"\n\
        audience = \"analytics\"\nlogout_audience = \"my-app\"\n";
    let world = Recipe::default().session(nowhere).start().await;
    let token = issuer.logout(&json!({"sid": "s-1"}));
    assert_eq!(world.announce("/qlik", &token).await.status, 503);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().start().await;
    let knock = world
        .http("POST", "/qlik/backchannel-logout")
        .with("content-length", "5000");
    let begun = Instant::now();
    let mut stalled = world.dial().await;
    stalled
        .write_all(&knock.tail(b"logout_token=").bytes())
        .await
        .unwrap();
    let mut read = Vec::new();
    let head = soon(Answer::head(&mut stalled, &mut read)).await.unwrap();
    let answer = soon(head.with_body(&mut stalled, &mut read)).await;
    assert_eq!(answer.status, 400);
    let took = begun.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(8)).contains(&took),
        "{took:?}"
    );
    soon(stalled.read_to_end(&mut read)).await.unwrap();
}
