//! Who knocks too often, and whose address counts.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::{Answer, Issuer, Knock, ORIGIN, Portal, Recipe, Reply, World, unique};

const BEARER: &str = "clients_without_origin = \"bearer\"";
/// What programs are known by where pages are known otherwise.
const TOKEN: &str = "[[route.session]]\nkind = \"jwt\"\nsecret = { env = \"SESSION_SECRET\" }\n";
/// Every test of this process is behind such a proxy.
const TRUSTED: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

fn failures(per_minute: usize) -> Recipe {
    let limits = format!("[limits]\nfailures_per_minute = {per_minute}\n");
    Recipe::default().process(&limits).route(BEARER)
}

/// A program with a bearer token, behind these hops.
fn program<'a>(world: &'a World, token: &str, hops: &[&str]) -> Knock<'a> {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let knock = knock.without("origin").bearer(token);
    hops.iter()
        .fold(knock, |knock, hop| knock.with("x-forwarded-for", hop))
}

async fn guess(world: &World, hops: &[&str]) -> u16 {
    program(world, "x.y.z", hops).refused().await.status
}

fn assert_too_many(answer: &Answer, within: u64) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.json()["error"], "too_many");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=within).contains(&wait), "{wait}");
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_not_looked_at() {
    let portal = Portal::start().await;
    let session = format!(
        "[[route.session]]\nkind = \"forward-auth\"\nurl = \"{}\"\ncookies = [\"app_session\"]\n\
         subject = \"/id\"\nrecheck = \"1h\"\n{TOKEN}",
        portal.url("/me")
    );
    portal.log_in("canary-ada", Reply::json(&json!({"id": "ada"})));
    portal.log_in("canary-new", Reply::json(&json!({"id": "new"})));
    let world = failures(3).session(&session).start().await;
    let page = |session: &str| {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.with("cookie", &format!("theme=dark; app_session={session}"))
    };

    let mut ada = page("canary-ada").open().await;
    for guess in 0..3 {
        let closed = page(&format!("canary-guess-{guess}")).closed().await;
        assert_eq!(closed.0, 4006);
    }
    let asked = portal.asked().len();
    assert_eq!(asked, 4);
    assert_eq!(page("canary-guess").closed().await.0, 4205);
    let nothing = world.connect(&format!("/qlik/app/{SALES_APP}"));
    assert_eq!(nothing.closed().await.0, 4205);
    assert_too_many(&program(&world, "x.y.z", &[]).refused().await, 20);
    assert_eq!(page("canary-new").closed().await.0, 4205, "not yet");
    assert_eq!(portal.asked().len(), asked, "nobody was asked");
    let refused = world
        .metric("qix_proxy_refused_total{reason=\"too_many\"}")
        .await;
    assert_eq!(refused, 4);

    ada.is_alive().await;
    page("canary-ada").open().await.is_alive().await;
}

#[tokio::test]
async fn requests_without_a_session_are_no_guesses() {
    let world = failures(1).start().await;
    for _ in 0..20 {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        assert_eq!(knock.without("origin").refused().await.status, 401);
    }
    world.visit("ada", SALES_APP).open().await.is_alive().await;
}

#[tokio::test]
async fn an_outage_of_the_session_check_shuts_nobody_out() {
    let session = "[[route.session]]\nkind = \"forward-auth\"\nurl = \"http://127.0.0.1:9/\"\n\
                   cookies = [\"app_session\"]\nsubject = \"/id\"\n";
    let recipe = failures(2).session(&format!("{session}{TOKEN}"));
    let world = recipe.start().await;
    for _ in 0..40 {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let knock = knock.with("cookie", "app_session=canary-ada");
        assert_eq!(knock.closed().await.0, 4211);
    }
    let program = program(&world, &world.token("ada"), &[]);
    program.open().await.is_alive().await;
}

/// Uses up what may fail from the address of these tests.
async fn exhaust(world: &World, failures: usize) {
    for _ in 0..failures {
        assert_eq!(guess(world, &[]).await, 401);
    }
    assert_eq!(guess(world, &[]).await, 429);
}

#[tokio::test]
async fn a_page_is_known_by_its_session_whatever_its_other_cookies_say() {
    let world = failures(2).start().await;
    let token = world.token("ada");
    let page = |others: &str| {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        let cookies = format!("{others}; session={token}");
        knock.with("cookie", &cookies)
    };
    page("_ga=1").open().await.is_alive().await;
    exhaust(&world, 2).await;
    page("_ga=2; seen=yes").open().await.is_alive().await;
    let other = world.visit("grace", SALES_APP);
    assert_eq!(other.closed().await.0, 4205, "who is new waits");
}

#[tokio::test]
async fn a_ticket_that_was_given_passes_where_others_wait() {
    let tickets = format!("[[route.session]]\nkind = \"ticket\"\n{TOKEN}");
    let world = failures(2).session(&tickets).start().await;
    let ask = || {
        let ask = world.http("POST", "/qlik/ticket").origin(ORIGIN);
        ask.bearer(&world.token("ada"))
    };
    let answer = ask().refused().await.json();
    let ticket = world.keep_from_log(answer["ticket"].as_str().unwrap().to_owned());
    exhaust(&world, 2).await;
    let open = |ticket: &str| world.connect(&format!("/qlik/app/{SALES_APP}?qix-ticket={ticket}"));
    let guess = "x".repeat(ticket.len());
    assert_eq!(open(&guess).closed().await.0, 4205);
    open(&ticket).open().await.is_alive().await;
    assert_eq!(open(&ticket).closed().await.0, 4205, "it was good once");
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_addresses_of_their_own() {
    let world = failures(2).listen(TRUSTED).start().await;
    for status in [401, 401, 429] {
        assert_eq!(guess(&world, &["203.0.113.9"]).await, status);
    }
    for hops in [
        &["1.1.1.1, 203.0.113.9"][..],
        &["203.0.113.10, 203.0.113.9:4711"],
        &["1.1.1.1", "203.0.113.9"],
        &["::ffff:203.0.113.9, 127.0.0.2"],
    ] {
        assert_eq!(guess(&world, hops).await, 429, "{hops:?}");
    }
    assert_eq!(guess(&world, &["203.0.113.9, 203.0.113.10"]).await, 401);
    assert_eq!(guess(&world, &["2001:db8::1"]).await, 401);
    assert_eq!(guess(&world, &["garbage"]).await, 401, "the peer's own");
    assert_eq!(guess(&world, &[]).await, 401, "the peer's own");
    assert_eq!(
        guess(&world, &["203.0.113.9, "]).await,
        429,
        "the peer's own"
    );

    let (name, route) = (unique("ada"), "/qlik");
    let ada = world.visit(&name, SALES_APP);
    let mut ada = ada.with("x-forwarded-for", "198.51.100.7").open().await;
    ada.is_alive().await;
    assert_eq!(opened(&world, &name), (route.into(), "198.51.100.7".into()));
}

#[tokio::test]
async fn a_strangers_word_on_its_address_counts_for_nothing() {
    let trusted = "trusted_proxies = [\"192.0.2.0/24\"]";
    let world = failures(2).listen(trusted).start().await;
    for (hop, status) in [
        ("203.0.113.1", 401),
        ("203.0.113.2", 401),
        ("203.0.113.3", 429),
        ("192.0.2.1", 429),
    ] {
        assert_eq!(guess(&world, &[hop]).await, status, "{hop}");
    }
    let other = Recipe::default().start().await;
    let name = unique("ada");
    let ada = other.visit(&name, SALES_APP);
    let _ada = ada.with("x-forwarded-for", "198.51.100.7").open().await;
    assert_eq!(opened(&other, &name).1, "127.0.0.1");
    let hints = other
        .log()
        .into_iter()
        .filter(|line| line.level == "WARN" && line.message.contains("listen.trusted_proxies"));
    assert!(hints.count() >= 1, "the operator is told");
}

/// Route and address in the record of somebody's socket.
fn opened(world: &World, subject: &str) -> (String, String) {
    let log = world.log();
    let line = log
        .iter()
        .find(|line| line.message == "socket opened" && line.field("subject") == subject)
        .expect("no record");
    let field = |name| line.field(name).to_owned();
    (field("route"), field("client.address"))
}

#[tokio::test]
async fn somebody_who_opens_too_often_waits() {
    let limits = "[limits]\nopens_per_minute = 3\n";
    let world = Recipe::default()
        .process(limits)
        .route(BEARER)
        .start()
        .await;
    for _ in 0..3 {
        world.visit("ada", SALES_APP).open().await.is_alive().await;
    }
    assert_eq!(world.visit("ada", SALES_APP).closed().await.0, 4205);
    let refused = program(&world, &world.token("ada"), &[]).refused().await;
    assert_too_many(&refused, 20);
    assert_eq!(world.upgrades().len(), 3, "the engine is not asked");
    world.visit("eve", SALES_APP).open().await.is_alive().await;
}

#[tokio::test]
async fn logouts_that_are_none_count_and_a_good_one_is_taken_all_the_same() {
    let (issuer, office) = (Issuer::start().await, "203.0.113.77");
    let recipe = issuer.recipe().listen(TRUSTED);
    let limits = "[limits]\nfailures_per_minute = 3\n";
    let world = recipe.process(limits).start().await;
    let page = |session: &str| {
        let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
        knock.cookie(session).with("x-forwarded-for", office)
    };
    let session = issuer.session(&json!({"sub": "ada", "sid": "s-1"}));
    let mut ada = page(&session).open().await;
    let announce = async |form: &str| {
        let knock = world.http("POST", "/qlik/backchannel-logout");
        let knock = knock.with("x-forwarded-for", office);
        knock.form(form.as_bytes()).refused().await
    };

    for bad in ["no=form", "logout_token=x.y.z", ""] {
        assert_eq!(announce(bad).await.status, 400, "{bad}");
    }
    for _ in 0..5 {
        assert_too_many(&announce("logout_token=x.y.z").await, 20);
    }
    for (reason, count) in [("bad_request", 3), ("too_many", 5)] {
        let refused = format!("qix_proxy_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(world.metric(&refused).await, count, "{reason}");
    }
    let log = world.log();
    let said = log.iter().filter(|line| {
        line.message == "a logout was refused" && line.field("client.address") == office
    });
    assert_eq!(said.count(), 3, "nothing more is said");
    assert_eq!(page("x.y.z").closed().await.0, 4205, "it is one budget");

    ada.is_alive().await;
    let logout = world.keep(issuer.logout(&json!({"sid": "s-1"})));
    assert_eq!(
        announce(&format!("logout_token={logout}")).await.status,
        200
    );
    assert_eq!(ada.closed().await.0, 4006);
}

#[tokio::test]
async fn plain_requests_count_by_the_clients_address_too_and_hear_when_to_come_again() {
    let recipe = failures(2).listen(TRUSTED);
    let tickets = format!("[[route.session]]\nkind = \"ticket\"\n{TOKEN}");
    let world = recipe.session(&tickets).start().await;
    for (method, door, client) in [
        ("GET", "/qlik/session", "203.0.113.1"),
        ("POST", "/qlik/session", "203.0.113.2"),
        ("POST", "/qlik/ticket", "203.0.113.3"),
    ] {
        let knock = world.http(method, door).bearer("x.y.z");
        let guess = async || {
            knock
                .clone()
                .with("x-forwarded-for", client)
                .refused()
                .await
        };
        for _ in 0..2 {
            assert_eq!(guess().await.status, 401, "{method} {door}");
        }
        assert_too_many(&guess().await, 30);
    }
}
