//! Each kind as it is meant: one session a person, shared by all their sockets.

use engine_sim::engine::SALES_APP;
use engine_sim::windows::{Release, VirtualProxy};
use serde_json::json;

use super::estate::{Estate, Kind, Plan};
use crate::support::Recipe;

/// The rules of November 2024 hold for every kind of virtual proxy.
fn strict(proxy: VirtualProxy) -> VirtualProxy {
    proxy.release(Release::November2024)
}

fn lenient(proxy: VirtualProxy) -> VirtualProxy {
    proxy.release(Release::Before2024)
}

#[tokio::test]
async fn everybody_has_one_session_however_many_sockets_by_every_rule() {
    for shape in [strict, lenient] {
        for kind in Kind::ALL {
            let estate = Plan::of(kind).proxy(shape).start().await;
            everybody_has_one_session(&estate).await;
        }
    }
}

async fn everybody_has_one_session(estate: &Estate) {
    let apps = ["a", "b", "c", "d"];
    let opening = apps.iter().flat_map(|app| {
        ["ada", "bob"].map(|name| async move {
            let visit = estate.world.visit(name, &format!("{SALES_APP}-{app}"));
            visit.upgraded().await.browser
        })
    });
    let mut sockets = futures_util::future::join_all(opening).await;
    for socket in &mut sockets {
        super::estate::first_words(socket).await;
    }
    estate.open("ada", SALES_APP).await.is_alive().await;
    for name in ["ada", "bob"] {
        assert_eq!(estate.windows.sessions_of(&format!("CORP\\{name}")), 1);
    }
    let tally = estate.windows.tally();
    assert_eq!((tally.sessions_opened, tally.sockets_over_limit), (2, 0));
    let asked = tally.sockets_asked;
    assert_eq!(asked, 0, "the first credential is good");
    for seen in estate.upgrades() {
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(seen.header("x-qlik-user-header"), None);
        assert!(seen.target.contains("qlik-csrf-token="), "{}", seen.target);
        assert!(!seen.target.contains("QlikTicket"), "{}", seen.target);
        assert_eq!(seen.header("origin"), Some(&*estate.windows.url()));
    }
}

#[tokio::test]
async fn the_engine_sees_the_person() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind).start().await;
        let mut ada = estate.open("ada", SALES_APP).await;
        let user = ada.call(-1, "GetAuthenticatedUser", json!([])).await;
        assert_eq!(user["result"]["qReturn"], "UserDirectory=CORP; UserId=ada");
    }
}

#[tokio::test]
async fn a_token_says_what_the_config_says() {
    let credential = r#"
        kind = "qseow-jwt"
        user = "app|{/user/id}"
        user_directory_claim = "realm"
        user_attribute = "uid"
        directory_attribute = "dir"
        key_id = "k-1"
        algorithm = "ES256"
        claims = { name = "{name}", group = "all of {realm}", fixed = "{{x}}" }
        signing_key = { file = "@/jwt.pem" }"#;
    let estate = Plan::of(Kind::Jwt)
        .credential(credential)
        .proxy(|proxy| proxy.attributes("uid", "dir"))
        .start()
        .await;
    let claims = json!({
        "sub": "s", "user": {"id": "7"}, "realm": "CORP", "name": "Ada \"the\" Löwe"
    });
    let token = estate.world.sign(claims);
    let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut browser = knock.cookie(&token).upgraded().await.browser;
    super::estate::first_words(&mut browser).await;
    assert_eq!(estate.windows.sessions_of("CORP\\app|7"), 1);
    let requests = estate.windows.requests();
    let bootstrap = requests
        .iter()
        .find(|seen| seen.target.ends_with("/qps/csrftoken"));
    let bearer = bootstrap.unwrap().header("authorization").unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    let read = |at: usize| {
        use base64::Engine as _;
        let part = token.split('.').nth(at).unwrap();
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
        serde_json::from_slice::<serde_json::Value>(&text.unwrap()).unwrap()
    };
    assert_eq!(
        (&read(0)["alg"], &read(0)["kid"]),
        (&json!("ES256"), &json!("k-1"))
    );
    let said = read(1);
    assert_eq!(said["uid"], "app|7");
    assert_eq!(said["name"], "Ada \"the\" Löwe");
    assert_eq!(
        (&said["group"], &said["fixed"]),
        (&json!("all of CORP"), &json!("{x}"))
    );
    assert_eq!(
        said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(),
        1800 + 10,
        "half an hour, and a clock may be behind"
    );
    assert!(said.get("sub").is_none(), "{said}");
}

#[tokio::test]
async fn old_releases_get_the_token_on_the_websocket_as_well_if_they_want_it() {
    let estate = Plan::of(Kind::Jwt)
        .with("bearer_on_upgrade = true")
        .proxy(lenient)
        .start()
        .await;
    estate.open("ada", SALES_APP).await;
    let upgrades = estate.upgrades();
    let bearer = upgrades[0].header("authorization").unwrap();
    assert!(bearer.starts_with("Bearer ey"));
    assert_eq!(estate.windows.sessions_of("CORP\\ada"), 1);
    assert_eq!(estate.windows.tally().sessions_opened, 1);
}

#[tokio::test]
async fn a_renamed_cookie_another_name_in_the_certificate_and_an_origin_of_its_own() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind)
            .named(&["qlik.internal"])
            .engine("url = \"@front/vp\"\nserver_name = \"qlik.internal\"")
            .with("session_cookie = \"Qlik-Renamed\"\norigin = \"https://qlik.internal\"")
            .proxy(|proxy| strict(proxy.cookie("Qlik-Renamed")))
            .start()
            .await;
        estate.open("ada", SALES_APP).await;
        let upgrades = estate.upgrades();
        assert_eq!(upgrades[0].header("origin"), Some("https://qlik.internal"));
        let cookie = upgrades[0].header("cookie").unwrap();
        assert!(cookie.starts_with("Qlik-Renamed="), "{kind:?}");
    }
}

#[tokio::test]
async fn a_header_without_a_directory_names_the_id_alone() {
    let credential = r#"
        kind = "qseow-header"
        header = "X-Qlik-User-Header"
        user = "{sub}""#;
    let estate = Plan::of(Kind::Header)
        .credential(credential)
        .proxy(|proxy| proxy.directory("STATIC"))
        .start()
        .await;
    estate.open("ada", SALES_APP).await;
    assert_eq!(estate.windows.sessions_of("STATIC\\ada"), 1);
}

#[tokio::test]
async fn nothing_is_compressed_on_the_way() {
    let estate = Plan::of(Kind::Jwt)
        .recipe(|recipe: Recipe| recipe.access("apps = \"any\"\nmethods = \"any\""))
        .start()
        .await;
    let visit = estate.world.visit("ada", SALES_APP);
    let offer = "permessage-deflate; client_max_window_bits";
    let mut hello = visit
        .with("sec-websocket-extensions", offer)
        .upgraded()
        .await;
    assert_eq!(hello.head.header("sec-websocket-extensions"), None);
    super::estate::first_words(&mut hello.browser).await;
    assert_eq!(
        estate.upgrades()[0].header("sec-websocket-extensions"),
        None
    );
}
