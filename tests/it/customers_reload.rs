//! Customers that come, go and change while people are in.

use std::net::SocketAddr;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{ClientKind, Tenant};
use serde_json::json;

use crate::support::{Browser, Files, Recipe, World};

/// A route whose customers stand in files, all of them at the world's tenant at first.
struct Scene {
    world: World,
    files: Files,
    toml: String,
}

impl Scene {
    async fn start(names: &[&str]) -> Self {
        let (world, files) = (Recipe::default().start().await, Files::new());
        let include = files.path("*.toml");
        let customers = format!("[route.customers]\nclaim = \"tenant\"\ninclude = \"{include}\"\n");
        let toml = Recipe::default().customers(&customers);
        let toml = toml.toml(&world.tenant.url());
        let scene = Self { world, files, toml };
        for name in names {
            scene.put(name, &scene.world.tenant.url());
        }
        assert!(scene.reload().await);
        scene
    }

    /// Writes a customer's file, and one of its secret.
    fn put(&self, name: &str, url: &str) {
        let secret = &self.world.secrets.client;
        let secret = self.files.write(&format!("{name}-secret"), secret);
        let text = format!(
            "name = \"{name}\"\n[credential]\nkind = \"oauth-impersonation\"\nclient_id = \
             \"trusted\"\nclient_secret = {{ file = \"{secret}\" }}\nuser = {{ field = \"subject\", \
             claim = \"sub\" }}\n[engine]\nurl = \"{url}\"\n"
        );
        self.files.write(&format!("{name}.toml"), &text);
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.files.path(&format!("{name}.toml"))).unwrap();
    }

    async fn reload(&self) -> bool {
        self.world.reload(&self.toml).await
    }

    async fn open(&self, customer: &str) -> Browser {
        self.knock(customer).open().await
    }

    fn knock(&self, customer: &str) -> crate::support::Knock<'_> {
        let claims = json!({"sub": "ada", "sid": "s-1", "tenant": customer});
        let token = self.world.sign(claims);
        let target = format!("/qlik/app/{SALES_APP}");
        self.world.connect(&target).cookie(&token)
    }
}

#[tokio::test]
async fn a_customer_that_is_removed_is_withdrawn_and_one_that_is_added_is_let_in() {
    let scene = Scene::start(&["acme", "bolt"]).await;
    let (mut acme, mut bolt) = (scene.open("acme").await, scene.open("bolt").await);
    assert_eq!(scene.knock("cord").closed().await.0, 4203);
    scene.remove("acme");
    scene.put("cord", &scene.world.tenant.url());
    assert!(scene.reload().await, "{}", scene.world.log_text());
    assert_eq!(acme.closed().await.0, 4203);
    assert_eq!(scene.knock("acme").closed().await.0, 4203);
    bolt.is_alive().await;
    scene.open("cord").await.is_alive().await;
    assert_eq!(
        scene.world.tenant.state().token_fetches,
        3,
        "bolt keeps its own"
    );
}

#[tokio::test]
async fn a_customer_that_moves_takes_its_own_people_along_and_no_others() {
    let scene = Scene::start(&["acme", "bolt"]).await;
    let (mut acme, mut bolt) = (scene.open("acme").await, scene.open("bolt").await);
    let elsewhere = Tenant::builder()
        .client("trusted", &scene.world.secrets.client, ClientKind::Trusted)
        .start(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    scene.put("acme", &elsewhere.url());
    assert!(scene.reload().await, "{}", scene.world.log_text());
    assert_eq!(acme.closed().await.0, 4003);
    bolt.is_alive().await;
    scene.open("acme").await.is_alive().await;
    assert_eq!(elsewhere.state().token_fetches, 1);
    // A name that another claim's text now stands for is nobody else's place.
    let path = scene.files.path("bolt.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let renamed = text.replacen("\"bolt\"\n", "\"bolt\"\nvalue = \"zinc\"\n", 1);
    scene.files.write("bolt.toml", &renamed);
    assert!(scene.reload().await);
    assert_eq!(bolt.closed().await.0, 4203, "its claim is nobody's now");
    scene.open("zinc").await.is_alive().await;
}

#[tokio::test]
async fn a_customers_secret_that_changes_costs_that_customer_one_fetch() {
    let scene = Scene::start(&["acme", "bolt"]).await;
    let (mut acme, mut bolt) = (scene.open("acme").await, scene.open("bolt").await);
    let fetched = scene.world.tenant.state().token_fetches;
    let secret = format!("{}\n\n", scene.world.secrets.client);
    scene.files.write("acme-secret", &secret);
    assert!(scene.reload().await);
    acme.is_alive().await;
    bolt.is_alive().await;
    scene.open("bolt").await.is_alive().await;
    assert_eq!(scene.world.tenant.state().token_fetches, fetched);
    scene.open("acme").await.is_alive().await;
    assert_eq!(scene.world.tenant.state().token_fetches, fetched + 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_is_no_customer_changes_nothing() {
    let scene = Scene::start(&["acme", "bolt"]).await;
    let mut acme = scene.open("acme").await;
    for bad in [
        "",
        "\u{0}",
        "name = \"acme\"",
        "name = \"../acme\"\n",
        "[[route]]\n",
        &"#".repeat(70_000),
    ] {
        scene.files.write("zinc.toml", bad);
        assert!(!scene.reload().await, "{bad:.20}");
        assert!(scene.world.log_text().contains("zinc.toml"), "{bad:.20}");
    }
    scene.remove("zinc");
    std::fs::create_dir(scene.files.path("folder.toml")).unwrap();
    assert!(scene.reload().await, "a folder is no customer's file");
    acme.is_alive().await;
}

/// Two hundred configs, each with other secrets, and nothing is left of those before.
#[tokio::test]
async fn reloads_leave_nothing_behind() {
    let scene = Scene::start(&["acme", "bolt", "cord"]).await;
    let mut bolt = scene.open("bolt").await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let mut after_ten = 0;
    for turn in 1..=200 {
        let secret = format!("{}{}", scene.world.secrets.client, "\n".repeat(turn % 7));
        scene.files.write("acme-secret", &secret);
        let check = format!("kind = \"jwt\"\nleeway = \"{}s\"", turn % 2);
        let toml = scene.toml.replacen("kind = \"jwt\"", &check, 1);
        assert!(scene.world.reload(&toml).await);
        if turn % 10 == 0 {
            scene.open("acme").await.close(1000).await;
        }
        if turn == 10 {
            after_ten = tasks();
        }
    }
    // Its session check is another since the first of them.
    assert_eq!(bolt.closed().await.0, 4003);
    let slack = 8; // what the last requests have open still
    crate::support::until(|| tasks() <= after_ten + slack).await;
}
