//! Who shares an engine session with whom: nobody with anybody, and each with oneself.

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use engine_sim::tenant::{Script, TokenFault};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Portal, Recipe, Signer, World, soon};

const CREATED: &str = "SESSION_CREATED";
const ATTACHED: &str = "SESSION_ATTACHED";

/// One credential for all, and a key set of two issuers, a route each.
async fn of_two_issuers(portal: &Portal, keys: &Signer) -> World {
    portal.publish(vec![keys.jwk().clone()]);
    let session = |issuer: &str, cookie: &str| {
        format!(
            "[[route.session]]\nkind = \"jwt\"\ncookie = \"{cookie}\"\njwks = \"{}\"\nissuer = \
             \"{issuer}\"\naudience = \"qix\"\n",
            portal.url("/keys")
        )
    };
    let sessions = session("https://one.example", "one") + &session("https://two.example", "two");
    Recipe::default().session(&sessions).start().await
}

#[tokio::test]
async fn two_people_on_one_credential_have_two_engine_sessions() {
    let portal = Portal::start().await;
    let keys = Signer::named("k-1");
    let world = of_two_issuers(&portal, &keys).await;
    let sign = |subject: &str, session: &str, at: &str| {
        let issuer = format!("https://{at}.example");
        let claims = json!({"iss": issuer, "aud": "qix", "sub": subject, "sid": session});
        format!("{at}={}", world.keep(keys.sign(claims)))
    };
    let visits = [
        ("one person", SALES_APP, "", sign("ada", "s-1", "one")),
        ("another person", SALES_APP, "", sign("bob", "s-1", "one")),
        (
            "the same name at another issuer",
            SALES_APP,
            "",
            sign("ada", "s-1", "two"),
        ),
        (
            "another session of the same person",
            SALES_APP,
            "",
            sign("ada", "s-2", "one"),
        ),
        ("another app", FINANCE_APP, "", sign("ada", "s-1", "one")),
        (
            "the client's own identity",
            SALES_APP,
            "/identity/tab-1",
            sign("ada", "s-1", "one"),
        ),
        (
            "another of those",
            SALES_APP,
            "/identity/tab-2",
            sign("ada", "s-1", "one"),
        ),
        (
            "what would run together",
            SALES_APP,
            "",
            sign("adas", "-1", "one"),
        ),
    ];
    assert_all_told_apart(&world, &visits).await;
}

/// An app, the client's own part of the URL, and a session, by who that is.
type Visit = (&'static str, &'static str, &'static str, String);

async fn assert_all_told_apart(world: &World, visits: &[Visit]) {
    let mut open = Vec::new();
    for (who, app, own, cookie) in visits {
        let knock = world.connect(&format!("/qlik/app/{app}{own}"));
        let socket = knock.with("cookie", cookie).open().await;
        assert_eq!(socket.session_state(), CREATED, "{who}");
        open.push(socket);
    }
    let mut identities = world.identities();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(identities.len(), visits.len());
    let bearers: Vec<_> = world.upgrades();
    let bearer = bearers[0].header("authorization");
    assert!(
        bearers
            .iter()
            .all(|seen| seen.header("authorization") == bearer)
    );

    for (who, app, own, cookie) in visits {
        let knock = world.connect(&format!("/qlik/app/{app}{own}"));
        let again = knock.with("cookie", cookie).open().await;
        assert_eq!(again.session_state(), ATTACHED, "{who} comes back");
    }
}

#[tokio::test]
async fn a_person_comes_back_to_their_engine_session_with_a_renewed_token() {
    let world = Recipe::default().impersonating().start().await;
    let visit = |exp: u64| {
        let token = world.sign(json!({"sub": "ada", "sid": "s-1", "exp": exp}));
        world
            .connect(&format!("/qlik/app/{SALES_APP}"))
            .cookie(&token)
    };
    let mut first = visit(4_000_000_000).open().await;
    assert_eq!(first.session_state(), CREATED);
    first.close(1000).await;
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    world.tenant.script(Script::ExpireTokens);
    let second = visit(4_100_000_000).open().await;
    assert_eq!(second.session_state(), ATTACHED);
}

#[tokio::test]
async fn identities_depend_on_the_key_and_on_nothing_that_is_renewed() {
    let one = World::start().await;
    let other = World::start().await;
    for world in [&one, &other] {
        world.visit("ada", SALES_APP).open().await;
        world.visit("ada", SALES_APP).open().await;
        let identities = world.identities();
        assert_eq!(identities[0], identities[1]);
    }
    assert_ne!(
        one.identities()[0],
        other.identities()[0],
        "another key, another identity"
    );
}

#[tokio::test]
async fn a_hundred_sockets_cost_one_token_and_a_hundred_people_a_hundred() {
    let limits = "[limits]\nsockets_per_subject = 100\n";
    for (people, fetches) in [(1, 1), (100, 100)] {
        let recipe = Recipe::default().impersonating().process(limits);
        let world = recipe.start().await;
        // Slow enough that all of them wait for it.
        world
            .tenant
            .script(Script::Token(TokenFault::Delay { ms: 300 }));
        let visits = (0..100).map(|n| {
            let knock = world.visit(&format!("person-{}", n % people), SALES_APP);
            knock.open()
        });
        let open = join_all(visits).await;
        assert_eq!(world.tenant.sockets_open(), 100);
        assert_eq!(world.tenant.state().token_fetches, fetches);
        drop(open);
        soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    }
}

#[tokio::test]
async fn a_hundred_sockets_on_the_machines_token_cost_one_whoever_they_are() {
    let world = Recipe::default().by_machine().start().await;
    world
        .tenant
        .script(Script::Token(TokenFault::Delay { ms: 300 }));
    let visits = (0..100).map(|n| {
        let knock = world.visit(&format!("person-{n}"), SALES_APP);
        knock.open()
    });
    join_all(visits).await;
    assert_eq!(world.tenant.state().token_fetches, 1);
    let mut identities = world.identities();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(
        identities.len(),
        100,
        "one token, and yet each their own session"
    );
}

#[tokio::test]
async fn a_client_that_leaves_does_not_cancel_the_token_for_the_others() {
    let world = Recipe::default().impersonating().start().await;
    world
        .tenant
        .script(Script::Token(TokenFault::Delay { ms: 300 }));
    let mut first = world.dial().await;
    let knock = world.visit("ada", SALES_APP);
    tokio::io::AsyncWriteExt::write_all(&mut first, &knock.bytes())
        .await
        .unwrap();
    soon(world.tenant.until(|state| state.token_fetches == 1)).await;
    let second = async { knock.clone().open().await };
    let (_, ()) = tokio::join!(second, async { drop(first) });
    assert_eq!(world.tenant.state().token_fetches, 1);
}

#[tokio::test]
async fn the_seed_case_no_exchange_is_needed() {
    let world = Recipe::default().by_machine().start().await;
    let (status, answer) = exchange(&world).await;
    assert_eq!(status, 401);
    assert_eq!(answer["errors"][0]["code"], "OAUTH-5", "{answer}");
    // The same client, the same secret:
    let mut ada = world.visit("ada", SALES_APP).open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
}

/// What a backend did that wanted the browser to speak to Qlik by itself.
async fn exchange(world: &World) -> (u16, serde_json::Value) {
    let url = format!("{}/oauth/token", world.tenant.url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut machine = json!({
        "client_id": "machine", "client_secret": world.secrets.client,
        "scope": "user_default", "grant_type": "client_credentials",
    });
    let token = http.post(&url).json(&machine).send().await.unwrap();
    let token: serde_json::Value = token.json().await.unwrap();
    machine["grant_type"] = json!("urn:ietf:params:oauth:grant-type:token-exchange");
    machine["subject_token"] = token["access_token"].clone();
    machine["subject_token_type"] = json!("urn:ietf:params:oauth:token-type:access_token");
    machine["purpose"] = json!("websocket");
    let answer = http.post(&url).json(&machine).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
