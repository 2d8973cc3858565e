//! Opening an app: what the engine sees of it, and what the browser gets.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{self, Seen};
use serde_json::json;

use crate::support::{Recipe, World};

/// All that may stand in an upgrade without a credential, in order.
const BARE: [&str; 6] = [
    "host",
    "connection",
    "upgrade",
    "sec-websocket-version",
    "sec-websocket-key",
    "user-agent",
];

#[tokio::test]
async fn a_browser_with_a_session_opens_an_app_through_the_proxy() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let doc = ada.open_doc(SALES_APP).await;
    let layout = ada.call(doc, "GetAppLayout", json!([])).await;
    assert_eq!(layout["result"]["qLayout"]["qTitle"], "Sales", "{layout}");
}

#[tokio::test]
async fn an_api_key_goes_to_the_engine_as_a_bearer() {
    let world = World::start().await;
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    let key = format!("Bearer {}", world.secrets.api_key);
    assert_eq!(only(&world).header("authorization"), Some(key.as_str()));
    assert_eq!(world.tenant.state().token_fetches, 0);
}

#[tokio::test]
async fn an_engine_that_asks_for_nothing_gets_nothing() {
    let recipe = Recipe::default().credential("kind = \"none\"");
    let world = recipe.tenant(tenant::Builder::open).start().await;
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    assert_eq!(names(&only(&world)), BARE);
}

#[tokio::test]
async fn a_machine_clients_own_token_goes_to_the_engine() {
    let world = Recipe::default().by_machine().start().await;
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    assert_eq!(names(&only(&world)), with_bearer());
    let asked = token_request(&world);
    assert_eq!(field(&asked, "grant_type"), "client_credentials");
    assert_eq!(field(&asked, "client_id"), "machine");
}

#[tokio::test]
async fn a_person_is_impersonated_by_subject() {
    let recipe = Recipe::default().impersonating();
    let world = recipe
        .tenant(|tenant| tenant.user("auth0|ada", "id-1"))
        .start()
        .await;
    world
        .visit("auth0|ada", SALES_APP)
        .open()
        .await
        .is_alive()
        .await;
    let asked = token_request(&world);
    assert_eq!(
        field(&asked, "grant_type"),
        "urn:qlik:oauth:user-impersonation"
    );
    assert_eq!(
        lookup(&asked),
        json!({"field": "subject", "value": "auth0|ada"})
    );
}

#[tokio::test]
async fn a_person_is_impersonated_by_user_id_out_of_a_claim() {
    let recipe = Recipe::default().credential(
        r#"
        kind = "oauth-impersonation"
        client_id = "trusted"
        client_secret = { env = "QLIK_CLIENT_SECRET" }
        user = { field = "userId", claim = "/qlik/id" }"#,
    );
    let world = recipe
        .tenant(|tenant| tenant.user("ada", "id-1"))
        .start()
        .await;
    let token = world.sign(json!({"sub": "whoever", "qlik": {"id": "id-1"}}));
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.cookie(&token).open().await.is_alive().await;
    assert_eq!(
        lookup(&token_request(&world)),
        json!({"field": "userId", "value": "id-1"})
    );
}

#[tokio::test]
async fn the_upgrade_is_built_from_nothing() {
    let world = Recipe::default().impersonating().start().await;
    let target = format!(
        "/qlik/app/{SALES_APP}/identity/mine/ttl/7?reloadUri=https%3A%2F%2Fevil.example\
         &accessToken=browsers-token&qlik-csrf-token=x&qlik-web-integration-id=y&xrfkey=z&"
    );
    let mut knock = world.connect(&target).cookie(&world.token("ada"));
    for (name, value) in [
        ("authorization", "Bearer browsers-token"),
        ("cookie", "other=browsers-cookie; eas.sid=browsers-cookie"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=203.0.113.9"),
        ("x-qlik-session", "stolen"),
        ("x-qlik-user", "UserDirectory=X; UserId=root"),
        ("qlik-csrf-token", "x"),
        ("user-agent", "a browser"),
        ("referer", "https://app.example.com/page"),
        ("sec-websocket-protocol", "qix"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("x-anything", "browsers-header"),
    ] {
        knock = knock.with(name, value);
    }
    knock.open().await.is_alive().await;

    let seen = only(&world);
    assert_eq!(names(&seen), with_bearer());
    assert_eq!(
        seen.header("host"),
        Some(&*world.tenant.address().to_string())
    );
    let agent = concat!("qix-proxy/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("user-agent"), Some(agent));
    let everything = format!("{seen:?}");
    for theirs in ["browsers-", "evil", "203.0.113.9", "stolen", "root"] {
        assert!(!everything.contains(theirs), "{theirs} in {everything}");
    }
    assert!(!everything.contains(&world.token("ada")));
}

#[tokio::test]
async fn the_engines_url_is_app_identity_and_our_ttl() {
    for (recipe, ttl) in [
        (Recipe::default(), "60"),
        (Recipe::default().engine("session_ttl = \"7min\""), "420"),
    ] {
        let world = recipe.start().await;
        world.visit("ada", SALES_APP).open().await;
        let path: Vec<String> = only(&world).target.split('/').map(str::to_owned).collect();
        assert_eq!(path.len(), 7, "{path:?}");
        assert_eq!(path[1..4], ["app", SALES_APP, "identity"]);
        assert!(path[4].len() == 40 && path[4].bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(path[5..], ["ttl", ttl]);
    }
}

#[tokio::test]
async fn apps_session_apps_and_engine_data_are_named_as_qlik_does() {
    let world = Recipe::default()
        .access("apps = \"any\"\nsession_apps = true")
        .start()
        .await;
    for (asked, named) in [
        ("app/", "engineData"),
        ("app", "engineData"),
        ("app/engineData", "engineData"),
        ("app/engineData/ttl/9", "engineData"),
        ("app/SessionApp_17", "SessionApp_17"),
        ("app/%3Ftransient%3D/identity/17", "%3Ftransient%3D"),
        ("app/a%20b", "a%20b"),
        ("app/gr%C3%BC%C3%9Fe", "gr%C3%BC%C3%9Fe"),
    ] {
        world.tenant.reset();
        let knock = world.connect(&format!("/qlik/{asked}"));
        knock.cookie(&world.token("ada")).open().await;
        let target = only(&world).target;
        assert!(
            target.starts_with(&format!("/app/{named}/identity/")),
            "{asked}: {target}"
        );
    }
}

#[tokio::test]
async fn an_engine_below_a_path_is_asked_there() {
    let world = World::start().await;
    let url = format!("url = \"{}/below/it\"", world.tenant.url());
    let other = Recipe::default().engine(&url).start().await;
    let answer = other.visit("ada", SALES_APP).closed().await;
    assert_eq!(answer.0, 4204, "the stand-in has nothing there");
    let asked = only(&world).target;
    assert!(asked.starts_with("/below/it/app/"), "{asked}");
}

#[tokio::test]
async fn the_browsers_101_is_built_from_nothing() {
    let world = World::start().await;
    let knock = world.visit("ada", SALES_APP);
    let knock = knock.with("sec-websocket-protocol", "qix");
    let hello = knock
        .with("sec-websocket-extensions", "permessage-deflate")
        .upgraded()
        .await;
    let names = hello.head.header_names();
    assert_eq!(
        names,
        ["connection", "date", "sec-websocket-accept", "upgrade"]
    );
}

#[tokio::test]
async fn a_route_that_reads_nothing_passes_deflate_offers_on() {
    let world = Recipe::default()
        .access("apps = \"any\"\nmethods = \"any\"")
        .start()
        .await;
    let offer = "permessage-deflate; client_max_window_bits";
    let knock = world.visit("ada", SALES_APP);
    let hello = knock
        .with("sec-websocket-extensions", offer)
        .upgraded()
        .await;
    let seen = only(&world);
    assert_eq!(seen.header("sec-websocket-extensions"), Some(offer));
    // The stand-in declines, so the browser gets none.
    assert_eq!(hello.head.header("sec-websocket-extensions"), None);
}

fn only(world: &World) -> Seen {
    let mut upgrades = world.upgrades();
    assert_eq!(upgrades.len(), 1, "{upgrades:?}");
    upgrades.remove(0)
}

fn names(seen: &Seen) -> Vec<&str> {
    seen.headers.iter().map(|(name, _)| name.as_str()).collect()
}

fn with_bearer() -> Vec<&'static str> {
    [&BARE[..], &["authorization"]].concat()
}

fn token_request(world: &World) -> serde_json::Value {
    let seen = world.tenant.requests();
    let asked: Vec<_> = seen.iter().filter(|it| it.method == "POST").collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    serde_json::from_str(&asked[0].body).unwrap()
}

fn field<'a>(body: &'a serde_json::Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

fn lookup(body: &serde_json::Value) -> serde_json::Value {
    body["user_lookup"].clone()
}
