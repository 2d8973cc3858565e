//! Many customers behind one route: each has an engine and a credential of its own, and nothing of
//! one reaches another's.

use std::fmt::Write as _;
use std::net::SocketAddr;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{ClientKind, Tenant};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Browser, Files, Knock, Recipe, World, unique};

const CREATED: &str = "SESSION_CREATED";

/// Two customers: Acme, whose Qlik is the world's tenant, and Bolt.
struct Two {
    world: World,
    bolt: Tenant,
    secret_of_bolt: String,
    _files: Files,
}

impl Two {
    async fn start() -> Self {
        let secret_of_bolt = unique("canary-secret-of-bolt");
        let bolt = Tenant::builder()
            .client("trusted", &secret_of_bolt, ClientKind::Trusted)
            .start(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (bolt, files) = (bolt.await.unwrap(), Files::new());
        let secret = files.write("bolt-secret", &secret_of_bolt);
        let url = bolt.url();
        let recipe = Recipe::default()
            .admin("token = { env = \"QIX_ADMIN_TOKEN\" }")
            .customers(&format!(
                "[route.customers]\nclaim = \"tenant\"\n{}{}",
                customer("acme", "@tenant", "{ env = \"QLIK_CLIENT_SECRET\" }"),
                customer("bolt", &url, &format!("{{ file = \"{secret}\" }}"))
            ));
        Self {
            world: recipe.start().await,
            bolt,
            secret_of_bolt,
            _files: files,
        }
    }

    fn visit(&self, subject: &str, tenant: &Value) -> Knock<'_> {
        visit(&self.world, subject, tenant)
    }
}

fn customer(name: &str, url: &str, secret: &str) -> String {
    format!(
        "[[route.customer]]\nname = \"{name}\"\n[route.customer.credential]\nkind = \
         \"oauth-impersonation\"\nclient_id = \"trusted\"\nclient_secret = {secret}\nuser = {{ field = \
         \"subject\", claim = \"sub\" }}\n[route.customer.engine]\nurl = \"{url}\"\n"
    )
}

/// Somebody whom their session calls somebody's, by anything at all.
fn visit<'a>(world: &'a World, subject: &str, tenant: &Value) -> Knock<'a> {
    let token = world.sign(json!({"sub": subject, "sid": "s-1", "tenant": tenant}));
    world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .cookie(&token)
}

/// All that a Qlik was told.
fn told(tenant: &Tenant) -> String {
    format!("{:?}{:?}", tenant.requests(), tenant.calls())
}

async fn close(mut browser: Browser) {
    browser.close(1000).await;
}

#[tokio::test]
async fn people_of_two_customers_share_nothing() {
    let two = Two::start().await;
    // The same name, the same session, the same app; only the customer is another.
    let mut acme = two.visit("ada", &json!("acme")).open().await;
    let mut bolt = two.visit("ada", &json!("bolt")).open().await;
    assert_eq!(acme.session_state(), CREATED);
    assert_eq!(bolt.session_state(), CREATED);
    acme.open_doc(SALES_APP).await;
    bolt.open_doc(SALES_APP).await;
    let (at_acme, at_bolt) = (&two.world.tenant, &two.bolt);
    for tenant in [at_acme, at_bolt] {
        assert_eq!(tenant.state().token_fetches, 1, "each has fetched its own");
        assert_eq!(tenant.sockets_open(), 1);
    }
    for secret in at_acme.secrets().iter().chain([&two.world.secrets.client]) {
        assert!(
            !told(at_bolt).contains(secret),
            "Bolt's Qlik was told {secret}"
        );
    }
    for secret in at_bolt.secrets().iter().chain([&two.secret_of_bolt]) {
        assert!(
            !told(at_acme).contains(secret),
            "Acme's Qlik was told {secret}"
        );
        two.world.keep(secret.clone());
    }
    let identity = |tenant: &Tenant| {
        let opened = tenant.requests();
        let opened = opened.iter().find(|seen| seen.method == "GET").unwrap();
        opened.target.split('/').nth(4).unwrap().to_owned()
    };
    assert_ne!(identity(at_acme), identity(at_bolt));
    close(acme).await;
    close(bolt).await;
}

#[tokio::test]
async fn two_customers_of_one_qlik_and_one_client_are_still_two() {
    let secret = "{ env = \"QLIK_CLIENT_SECRET\" }";
    let recipe = Recipe::default().customers(&format!(
        "[route.customers]\nclaim = \"tenant\"\n{}{}",
        customer("acme", "@tenant", secret),
        customer("bolt", "@tenant", secret)
    ));
    let world = recipe.start().await;
    let acme = visit(&world, "ada", &json!("acme")).open().await;
    let bolt = visit(&world, "ada", &json!("bolt")).open().await;
    assert_eq!(
        bolt.session_state(),
        CREATED,
        "an engine session of its own"
    );
    assert_eq!(world.tenant.state().token_fetches, 2, "no cache is shared");
    close(acme).await;
    close(bolt).await;
}

#[tokio::test]
async fn who_is_no_customers_is_refused() {
    let two = Two::start().await;
    let odd = [
        json!("nobody"),
        json!("ACME"),
        json!("acme "),
        json!("https://evil.example"),
        json!("../acme"),
        json!(["acme"]),
        json!({"acme": 1}),
        json!(7),
        json!(null),
    ];
    for tenant in odd {
        let (code, _) = two.visit("eve", &tenant).closed().await;
        assert_eq!(code, 4203, "{tenant}");
    }
    let bare = two.world.visit("eve", SALES_APP).closed().await;
    assert_eq!(bare.0, 4203, "no claim at all");
    assert!(two.world.upgrades().is_empty() && two.bolt.requests().is_empty());
    let refused = two
        .world
        .metric("qix_proxy_refused_total{reason=\"no_customer\"}");
    assert_eq!(refused.await, 10);
    assert!(
        two.world
            .log_text()
            .contains("no customer of the route is called so")
    );
}

#[tokio::test]
async fn operators_see_and_close_by_customer() {
    let two = Two::start().await;
    let mut acme = two.visit("ada", &json!("acme")).open().await;
    let mut bolt = two.visit("bob", &json!("bolt")).open().await;
    let ask = |method: &'static str, target: &'static str| {
        let bearer = format!("Bearer {}", two.world.secrets.admin);
        let knock = two.world.http(method, target).at(two.world.proxy.admin);
        let knock = knock.set("host", "localhost");
        async move { knock.with("authorization", &bearer).refused().await.json() }
    };
    let list = ask("GET", "/sockets").await;
    let customers: Vec<_> = list["sockets"].as_array().unwrap().iter().collect();
    let customers: Vec<_> = customers.iter().map(|socket| &socket["customer"]).collect();
    assert_eq!(customers, ["acme", "bolt"]);
    assert_eq!(ask("DELETE", "/sockets?customer=acme").await["closed"], 1);
    assert_eq!(acme.closed().await.0, 4006);
    bolt.is_alive().await;
    assert!(two.world.log_text().contains("bolt"));
    let metrics = two.world.admin("/metrics").await.body;
    assert!(!metrics.contains("acme"), "a customer is no label");
    close(bolt).await;
}

#[tokio::test]
async fn five_hundred_customers_reload_and_fetch_nothing_anew() {
    let files = Files::new();
    for n in 0..500 {
        let toml = customer(
            &format!("c{n}"),
            "@tenant",
            "{ env = \"QLIK_CLIENT_SECRET\" }",
        );
        let toml = toml
            .replace("[[route.customer]]\n", "")
            .replace("route.customer.", "");
        files.write(&format!("c{n}.toml"), &toml);
    }
    let first = files.write("first", "");
    let folder = first.trim_end_matches("/first");
    // The customers' files name the tenant, which is known only once it runs.
    let tenant = |files: &Files, url: &str| {
        for n in 0..500 {
            let name = format!("c{n}.toml");
            let path = format!("{folder}/{name}");
            let text = std::fs::read_to_string(path).unwrap();
            files.write(&name, &text.replace("@tenant", url));
        }
    };
    let world = Recipe::default().start().await;
    tenant(&files, &world.tenant.url());
    let claim = format!("[route.customers]\nclaim = \"tenant\"\ninclude = \"{folder}/*.toml\"\n");
    let recipe = Recipe::default().customers(&claim);
    let toml = recipe.toml(&world.tenant.url());
    assert!(world.reload(&toml).await, "{}", world.log_text());
    let visits = (0..500).map(|n| visit(&world, &format!("of-c{n}"), &json!(format!("c{n}"))));
    let visits: Vec<_> = visits.enumerate().filter(|(n, _)| n % 10 == 0).collect();
    let mut open = join_all(visits.into_iter().map(|(_, knock)| knock.open())).await;
    assert_eq!(world.tenant.state().token_fetches, 50);
    for _ in 0..3 {
        assert!(world.reload(&toml).await, "{}", world.log_text());
    }
    for browser in &mut open {
        browser.is_alive().await;
    }
    let again = visit(&world, "of-c490", &json!("c490")).open().await;
    assert_eq!(again.session_state(), "SESSION_ATTACHED");
    assert_eq!(
        world.tenant.state().token_fetches,
        50,
        "what is kept goes on"
    );
    let mut broken = String::new();
    write!(broken, "name = \"c7\"").unwrap();
    files.write("c7.toml", &broken);
    assert!(
        !world.reload(&toml).await,
        "one bad file keeps all of the old"
    );
    assert!(world.log_text().contains("c7.toml:1:"));
    let after = visit(&world, "ada", &json!("c7")).open().await;
    close(after).await;
}
