//! A config that is read anew while people are in.

use std::io::Write as _;
use std::path::Path;

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use engine_sim::tenant::{Script, Tenant, TokenFault};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::support::issuer::Issuer;
use crate::support::{
    Authority, Browser, Files, Recipe, World, make_pipe, reader_of, soon, unique, until,
};

const SAME: &str = "apps = \"any\"";

async fn visit(world: &World) -> Browser {
    world.visit("ada", SALES_APP).open().await
}

/// An open socket, and the config changed under it.
async fn changed(change: impl Fn(&str) -> String) -> (World, Browser) {
    let world = Recipe::default().start().await;
    let ada = visit(&world).await;
    let changed = change(&world.config.read());
    assert_ne!(changed, world.config.read(), "nothing was changed");
    assert!(world.reload(&changed).await, "{}", world.log_text());
    (world, ada)
}

/// The code that an open socket is closed with after a change.
async fn code_after(change: impl Fn(&str) -> String) -> u16 {
    let (_world, mut ada) = changed(change).await;
    ada.closed().await.0
}

#[tokio::test]
async fn a_socket_that_the_new_rules_would_admit_goes_on() {
    for (what, from, to) in [
        (
            "another app besides",
            "[\"https://app.example.com\",",
            "[\"https://new.example.com\", \"https://app.example.com\",",
        ),
        (
            "another limit",
            "[route.limits]\n",
            "[route.limits]\nidle = \"5min\"\n",
        ),
        (
            "another ping",
            "[route.engine]\n",
            "[route.engine]\nping = \"7s\"\n",
        ),
        ("a comment", "[[route]]", "# here it begins\n[[route]]"),
    ] {
        let (world, mut ada) = changed(|toml| toml.replacen(from, to, 1)).await;
        let open = world.metric("qix_proxy_sockets_open{route=\"/qlik\"}");
        assert_eq!(open.await, 1, "{what}");
        ada.is_alive().await;
    }
}

#[tokio::test]
async fn a_socket_that_they_would_refuse_is_withdrawn() {
    let other_app = format!("apps = [\"{FINANCE_APP}\"]");
    for (what, from, to) in [
        ("its app", SAME, other_app.as_str()),
        ("its origin", "[\"https://app.example.com\",", "["),
        ("its route", "path = \"/qlik\"", "path = \"/elsewhere\""),
    ] {
        let code = code_after(|toml| toml.replacen(from, to, 1)).await;
        assert_eq!(code, 4203, "{what}");
    }
}

#[tokio::test]
async fn a_socket_that_they_would_lead_elsewhere_is_told_to_come_back() {
    let other = Tenant::builder().start(([127, 0, 0, 1], 0).into());
    let other = other.await.unwrap().url();
    let fewer = format!("apps = [\"{SALES_APP}\"]");
    for (what, from, to) in [
        ("fewer apps and methods", SAME, fewer.as_str()),
        (
            "another session check",
            "kind = \"jwt\"",
            "kind = \"jwt\"\nleeway = \"1s\"",
        ),
        (
            "another credential",
            "kind = \"api-key\"\nshared = true\nkey = { env = \"QLIK_API_KEY\" }",
            "kind = \"none\"",
        ),
    ] {
        let code = code_after(|toml| toml.replacen(from, to, 1)).await;
        assert_eq!(code, 4003, "{what}");
    }
    let elsewhere = |toml: &str| {
        let begin = toml.find("url = \"http").unwrap();
        let end = begin + toml[begin..].find('\n').unwrap();
        format!("{}url = \"{other}\"{}", &toml[..begin], &toml[end..])
    };
    assert_eq!(code_after(elsewhere).await, 4003, "another engine");
}

#[tokio::test]
async fn a_bad_config_never_replaces_a_good_one() {
    let world = Recipe::default().start().await;
    let mut ada = visit(&world).await;
    let good = world.config.read();
    let bad = good.replacen("path =", "pfad =", 1) + "[lgo]\n";
    assert!(!world.reload(&bad).await);
    let log = world.log_text();
    assert!(
        log.contains("has no key `pfad`") && log.contains("has no key `lgo`"),
        "{log}"
    );
    ada.is_alive().await;
    let mut again = visit(&world).await;
    again.is_alive().await;
    assert_eq!(
        world.metric("qix_proxy_config_reload_failures_total").await,
        1
    );
    assert!(
        world
            .metric("qix_proxy_config_loaded_timestamp_seconds")
            .await
            > 1_700_000_000
    );
    let missing = good.replacen(
        "[route.engine]\n",
        "[route.engine]\nca = \"/no/such/ca.pem\"\n",
        1,
    );
    assert!(!world.reload(&missing).await);
    ada.is_alive().await;
}

#[tokio::test]
async fn new_sockets_meet_the_new_config_whole() {
    let world = Recipe::default().start().await;
    let narrowed = world
        .config
        .read()
        .replacen(SAME, "apps = []\nsession_apps = true", 1);
    let moved = narrowed.replacen("path = \"/qlik\"", "path = \"/new\"", 1);
    assert!(world.reload(&moved).await);
    let gone = world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .refused()
        .await;
    assert_eq!(gone.status, 404);
    let token = world.token("ada");
    let knock = world
        .connect(&format!("/new/app/{SALES_APP}"))
        .cookie(&token);
    assert_eq!(knock.closed().await.0, 4203);
}

#[tokio::test]
async fn what_has_not_changed_is_not_fetched_anew() {
    let issuer = Issuer::start().await;
    let world = issuer.recipe().impersonating().start().await;
    let token = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
    let knock = || {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(&token)
    };
    let mut ada = knock().open().await;
    let wider = world.config.read().replacen(
        "[\"https://app",
        "[\"https://x.example.com\", \"https://app",
        1,
    );
    assert!(world.reload(&wider).await);
    let again = knock().open().await;
    assert_eq!(again.session_state(), "SESSION_ATTACHED");
    assert_eq!(world.tenant.state().token_fetches, 1);
    assert_eq!(issuer.portal.asked_at("/keys"), 1);
    // A logout announced at the new rules ends a socket of the old ones.
    let logout = issuer.logout(&json!({"sid": "s-1"}));
    assert_eq!(world.announce("/qlik", &logout).await.status, 200);
    assert_eq!(ada.closed().await.0, 4006);
    assert!(world.reload(&world.config.read()).await);
    assert_eq!(
        knock().closed().await.0,
        4006,
        "a logout is remembered across a reload"
    );
}

#[tokio::test]
async fn what_is_settled_at_the_start_is_said_and_certificates_are_read_anew() {
    let (files, old, new) = (Files::new(), Authority::new(), Authority::new());
    let (chain, key) = old.certify("app.example.com");
    let (chain, key) = (
        files.write("door.pem", &chain),
        files.write("door-key.pem", &key),
    );
    let tls = format!("[listen.tls]\ncertificate = \"{chain}\"\nkey = \"{key}\"\n");
    let mut world = Recipe::default().listen(&tls).start().await;
    world.trust(&old);
    let mut ada = visit(&world).await;
    let (chain, key) = new.certify("app.example.com");
    files.write("door.pem", &chain);
    files.write("door-key.pem", &key);
    let name = unique("level");
    let changed =
        world
            .config
            .read()
            .replacen("[admin]\n", &format!("[admin]\nhosts = [\"{name}\"]\n"), 1);
    assert!(world.reload(&changed).await, "{}", world.log_text());
    ada.is_alive().await;
    world.trust(&new);
    let mut bob = world.visit("bob", SALES_APP).open().await;
    bob.is_alive().await;
    let log = world.log_text();
    let said = "taken at the start and has changed since";
    assert!(
        log.lines()
            .any(|line| line.contains(said) && line.contains("[admin]")),
        "{log}"
    );
    assert!(
        !log.lines()
            .any(|line| line.contains(said) && line.contains("[listen]")),
        "{log}"
    );
}

#[tokio::test]
async fn operators_have_it_read_anew_with_the_token_alone() {
    let recipe = Recipe::default().admin("token = { env = \"QIX_ADMIN_TOKEN\" }");
    let world = recipe.start().await;
    let knock = |method: &str| {
        world
            .http(method, "/reload")
            .at(world.proxy.admin)
            .set("host", "localhost")
    };
    let bearer = format!("Bearer {}", world.secrets.admin);
    assert_eq!(knock("POST").refused().await.status, 401);
    assert_eq!(
        knock("GET")
            .with("authorization", &bearer)
            .refused()
            .await
            .status,
        405
    );
    assert_eq!(world.metric("qix_proxy_config_reloads_total").await, 0);
    assert_eq!(
        knock("POST")
            .with("authorization", &bearer)
            .refused()
            .await
            .status,
        202
    );
    let count = async { while world.metric("qix_proxy_config_reloads_total").await == 0 {} };
    soon(count).await;
}

#[tokio::test]
async fn who_is_being_let_in_meanwhile_is_held_to_the_new_rules() {
    let other_app = format!("apps = [\"{FINANCE_APP}\"]");
    for (to, code) in [
        (other_app.as_str(), 4203),
        ("apps = []\nsession_apps = true", 4203),
    ] {
        let issuer = Issuer::start().await;
        let world = issuer.recipe().start().await;
        let token = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
        let narrowed = world.config.read().replacen(SAME, to, 1);
        issuer.portal.hold("/keys");
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let (told, ()) = tokio::join!(knock.cookie(&token).closed(), async {
            until(|| issuer.portal.asked_at("/keys") == 1).await;
            assert!(world.reload(&narrowed).await);
            issuer.portal.release();
        });
        assert_eq!(told.0, code, "its session was being checked");
        assert!(world.upgrades().is_empty(), "the engine was dialled");
    }
    let world = Recipe::default().impersonating().start().await;
    world
        .tenant
        .script(Script::Token(TokenFault::Delay { ms: 1500 }));
    let narrowed = world.config.read().replacen(SAME, &other_app, 1);
    let (told, ()) = tokio::join!(world.visit("ada", SALES_APP).upgraded(), async {
        soon(world.tenant.until(|state| state.token_fetches == 1)).await;
        assert!(world.reload(&narrowed).await);
    });
    let mut ada = told.browser;
    assert_eq!(
        ada.closed().await.0,
        4203,
        "its credential was being fetched"
    );
}

#[tokio::test]
async fn what_a_file_holds_now_counts_and_moves_nobody() {
    let files = Files::new();
    let world = Recipe::default().impersonating().start().await;
    let secret = files.write("secret", &world.secrets.client);
    let begin = world.config.read();
    let by_file = begin.replacen(
        "{ env = \"QLIK_CLIENT_SECRET\" }",
        &format!("{{ file = \"{secret}\" }}"),
        1,
    );
    assert!(world.reload(&by_file).await);
    let mut ada = visit(&world).await;
    files.write("secret", &format!("{}\n\n", world.secrets.client));
    assert!(world.reload(&by_file).await);
    let mut again = visit(&world).await;
    assert_eq!(
        world.tenant.state().token_fetches,
        2,
        "by what it holds now"
    );
    ada.is_alive().await;
    again.is_alive().await;
    assert!(world.reload(&by_file).await);
    visit(&world).await.is_alive().await;
    assert_eq!(world.tenant.state().token_fetches, 2, "nothing has changed");
}

/// The identity key is a pipe, so that the config is known to be half read.
#[tokio::test]
async fn whoever_asks_during_a_reload_gets_one_more_by_what_stands_there_then() {
    let world = Recipe::default().start().await;
    let files = Files::new();
    let key = files.path("key");
    make_pipe(&key);
    let begin = world.config.read();
    let waiting = begin.replacen(
        "{ env = \"QIX_IDENTITY_KEY\" }",
        &format!("{{ file = \"{key}\" }}"),
        1,
    );
    world.config.write(&waiting);
    world.ask_to_reload();
    let opened = spawn_blocking(move || reader_of(Path::new(&key)));
    let mut pipe = opened.await.unwrap();
    let moved = begin.replacen("path = \"/qlik\"", "path = \"/new\"", 1);
    world.config.write(&moved);
    for _ in 0..5 {
        world.ask_to_reload();
    }
    let mut ada = visit(&world).await;
    ada.is_alive().await;
    let key = world.secrets.identity_key.as_bytes();
    pipe.write_all(key).unwrap();
    drop(pipe);
    let reloads = "qix_proxy_config_reloads_total";
    soon(async { while world.metric(reloads).await < 2 {} }).await;
    assert_eq!(ada.closed().await.0, 4203, "by the last of them");
    // A third would have come by now: the next one is told apart from it.
    assert!(world.reload(&begin).await);
    assert_eq!(world.metric(reloads).await, 3);
}
