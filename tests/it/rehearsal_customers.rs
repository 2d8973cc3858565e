//! `check --live` where each customer has a Qlik of its own, and where replicas share a Redis.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};
use serde_json::{Value, json};

use crate::support::rehearsal::{check, rehearse};
use crate::support::{RealRedis, Recipe, World};

const SECRET: &str = "{ env = \"QLIK_CLIENT_SECRET\" }";

/// A world, and the config of another proxy before it: customers by a nested claim.
async fn world() -> (World, String) {
    let recipe = Recipe::default()
        .access("apps = []\nsession_apps = true")
        .customers(&format!(
            "[route.customers]\nclaim = \"/org/id\"\n{}{}",
            customer("bolt", "b-1", "apps = \"any\""),
            customer("acme", "c0ffee", &format!("apps = [\"{SALES_APP}\"]")),
        ));
    let world = World::start().await;
    let toml = recipe.toml(&world.tenant.url());
    (world, toml)
}

fn customer(name: &str, value: &str, access: &str) -> String {
    format!(
        "[[route.customer]]\nname = \"{name}\"\nvalue = \"{value}\"\n[route.customer.access]\n{access}\n\
         [route.customer.credential]\nkind = \"oauth-impersonation\"\nclient_id = \"trusted\"\n\
         client_secret = {SECRET}\nuser = {{ field = \"subject\", claim = \"sub\" }}\n\
         [route.customer.engine]\nurl = \"@tenant\"\n"
    )
}

fn seen(json: &Value) -> Vec<(&str, &str)> {
    let routes = json["routes"].as_array().unwrap().iter();
    routes
        .map(|route| {
            let customer = route["customer"].as_str().unwrap_or("nobody's");
            (customer, route["outcome"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_customer_is_tried_and_told_by_name() {
    let (world, toml) = world().await;
    let arguments = ["--subject", "ada", "--app", SALES_APP];
    let tried = rehearse(&world, &toml, &arguments).await;
    assert_eq!(tried.code, 0, "{:#}", tried.json);
    assert_eq!(seen(&tried.json), [("acme", "good"), ("bolt", "good")]);
    assert_eq!(tried.json["replicas"], json!(null));
    assert_eq!(
        world.tenant.state().token_fetches,
        2,
        "each by its own credential"
    );

    // One of them fails: the other is told all the same, and the worst is the outcome.
    world.tenant.script(Script::Token(TokenFault::Refuse {
        status: 401,
        code: Some("OAUTH-5".to_owned()),
        detail: None,
    }));
    let arguments = [&["--live"], &arguments[..]].concat();
    let (code, said) = check(&world, &toml, &arguments).await;
    assert_eq!(code, 77, "{said}");
    for head in ["/qlik, acme, for \"ada\"\n", "/qlik, bolt, for \"ada\"\n"] {
        assert!(said.contains(head), "{said}");
    }
    assert_eq!(said.matches("no exchange is needed").count(), 1, "{said}");
    assert_eq!(said.matches("opened, without its data").count(), 1);
}

#[tokio::test]
async fn one_customer_is_tried_by_name_or_by_claim() {
    let (world, toml) = world().await;
    let ada = ["--subject", "ada"];
    for (more, whose) in [
        (["--customer", "bolt"], "bolt"),
        (["--as", "org={\"id\":\"b-1\"}"], "bolt"),
    ] {
        let tried = rehearse(&world, &toml, &[&ada[..], &more].concat()).await;
        assert_eq!(seen(&tried.json), [(whose, "good")], "{:#}", tried.json);
    }
    // The rules are the customer's own.
    let tried = rehearse(&world, &toml, &["--customer", "acme", "--app", "another"]).await;
    assert_eq!(
        (tried.failure().0, seen(&tried.json)[0]),
        ("access", ("acme", "refused"))
    );
    let fetched = world.tenant.state().token_fetches;
    let nobody = rehearse(&world, &toml, &["--as", "org={\"id\":\"bolt\"}"]).await;
    assert_eq!(seen(&nobody.json), [("nobody's", "refused")]);
    let (step, _, words) = nobody.failure();
    assert_eq!((step, nobody.code), ("access", 77), "{words}");
    assert!(
        words.contains("no customer of the route is called so") && words.contains("--customer"),
        "{words}"
    );
    assert_eq!(
        world.tenant.state().token_fetches,
        fetched,
        "nothing was asked"
    );
    for name in ["b-1", "BOLT", ""] {
        let arguments = ["--live", "--customer", name];
        let (code, said) = check(&world, &toml, &arguments).await;
        assert_eq!(code, 64, "{said}");
        assert!(said.contains("there is no such customer"), "{said}");
    }
}

#[tokio::test]
async fn a_customer_whose_qlik_is_away_holds_up_nobody() {
    let (world, toml) = world().await;
    let away = toml.replacen(&world.tenant.url(), "http://127.0.0.1:9", 1);
    let only = rehearse(&world, &away, &["--subject", "ada", "--app", SALES_APP]).await;
    assert_eq!(
        seen(&only.json),
        [("acme", "good"), ("bolt", "unavailable")]
    );
    assert_eq!(only.code, 69, "{:#}", only.json);
}

/// A config whose replicas share this Redis.
async fn sharing(table: &str) -> (World, String) {
    let keys = "credential_keys = [{ env = \"QIX_IDENTITY_KEY\" }]\n";
    let recipe = Recipe::default().process(&format!("{table}{keys}"));
    let world = World::start().await;
    let toml = recipe.toml(&world.tenant.url());
    (world, toml)
}

async fn keys(redis: &RealRedis) -> Vec<String> {
    redis.run(&["KEYS", "*"]).await
}

fn redis(json: &Value) -> (&str, &str, String) {
    let step = &json["replicas"]["steps"][0];
    assert_eq!(step["step"], "redis", "{json:#}");
    let words = ["saw", "cause", "mend"].map(|key| step[key].as_str().unwrap_or_default());
    let code = step["code"].as_str().unwrap_or_default();
    (step["outcome"].as_str().unwrap(), code, words.join(" | "))
}

#[tokio::test]
async fn the_replicas_redis_is_tried_by_who_may_do_what_the_documents_say() {
    let store = RealRedis::start().await;
    let (world, toml) = sharing(&store.table_for_user().await).await;
    let tried = rehearse(&world, &toml, &[]).await;
    let (outcome, _, words) = redis(&tried.json);
    assert_eq!((outcome, tried.code), ("good", 0), "{words}");
    assert!(
        words.contains("logouts, tickets and credentials"),
        "{words}"
    );
    assert_eq!(
        keys(&store).await,
        Vec::<String>::new(),
        "nothing stays there"
    );
    let (_, said) = check(&world, &toml, &["--live"]).await;
    assert!(
        said.starts_with("[replicas]\n  redis       good "),
        "{said}"
    );
    // Who asks for one route asks for no Redis.
    let alone = rehearse(&world, &toml, &["--route", "/qlik"]).await;
    assert_eq!(alone.json["replicas"], json!(null));
}

#[tokio::test]
async fn what_a_redis_refuses_is_said_in_plain_words() {
    let store = RealRedis::start().await;
    let (world, toml) = sharing(&store.table_for_user().await).await;
    let mut rows = Vec::new();
    for taken in ["-xadd", "-getdel", "-eval", "-pexpire"] {
        let _: String = store.run(&["ACL", "SETUSER", "proxy", taken]).await;
        let tried = rehearse(&world, &toml, &[]).await;
        rows.push((taken, tried));
        let back = taken.replacen('-', "+", 1);
        let _: String = store.run(&["ACL", "SETUSER", "proxy", &back]).await;
    }
    for (taken, tried) in rows {
        let (outcome, code, words) = redis(&tried.json);
        assert_eq!((outcome, code, tried.code), ("refused", "NOPERM", 77));
        let command = taken[1..].to_uppercase();
        assert!(words.starts_with(&command), "{taken}: {words}");
        assert!(words.contains("ACL SETUSER"), "{words}");
        let routes = &tried.json["routes"][0]["outcome"];
        assert_eq!(routes, "good", "the rest is tried all the same");
    }
    let _: String = store
        .run(&["ACL", "SETUSER", "proxy", "resetpass", ">other"])
        .await;
    let tried = rehearse(&world, &toml, &[]).await;
    let (_, code, words) = redis(&tried.json);
    assert_eq!((code, tried.code), ("WRONGPASS", 77), "{words}");
}

#[tokio::test]
async fn a_redis_that_wants_a_password_or_is_not_there_is_said_so() {
    let mut store = RealRedis::start().await;
    let (world, toml) = sharing(&store.table()).await;
    let _: String = store.run(&["ACL", "SETUSER", "default", "-@all"]).await;
    let tried = rehearse(&world, &toml, &[]).await;
    assert_eq!((redis(&tried.json).1, tried.code), ("NOPERM", 77));
    store.stop();
    store.resume().await;
    let _: String = store.run(&["CONFIG", "SET", "requirepass", "x"]).await;
    let tried = rehearse(&world, &toml, &[]).await;
    let (_, code, words) = redis(&tried.json);
    assert_eq!((code, tried.code), ("NOAUTH", 77), "{words}");
    store.freeze();
    let tried = rehearse(&world, &toml, &[]).await;
    let (outcome, _, words) = redis(&tried.json);
    assert_eq!((outcome, tried.code), ("unavailable", 69), "{words}");
    store.thaw();
    store.stop();
    let tried = rehearse(&world, &toml, &[]).await;
    let (outcome, _, words) = redis(&tried.json);
    assert_eq!((outcome, tried.code), ("unavailable", 69), "{words}");
    assert!(words.contains("rediss:// is TLS"), "{words}");
}

/// The page that says what `--json` holds has each key that is there, and no other.
#[tokio::test]
async fn the_page_says_what_the_json_holds() {
    const PAGE: &str = include_str!("../../docs/check-live.md");
    let store = RealRedis::start().await;
    let (world, toml) = sharing(&store.table()).await;
    let example = PAGE.split("```json\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let tried = rehearse(&world, &toml, &["--subject", "ada"]).await;
    assert_eq!(shape(&example), shape(&tried.json));
}

/// The keys of all objects, without what they hold.
fn shape(json: &Value) -> Value {
    match json {
        Value::Object(entries) => {
            let entries = entries.iter();
            entries
                .map(|(key, value)| (key.clone(), shape(value)))
                .collect()
        }
        Value::Array(items) => {
            let mut shapes: Vec<Value> = items.iter().map(shape).collect();
            shapes.dedup();
            Value::Array(shapes)
        }
        _ => Value::Null,
    }
}
