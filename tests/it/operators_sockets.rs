//! The operators' list of open sockets, and the means to close them.

use std::sync::Arc;

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Answer, Authority, Browser, Files, Knock, Recipe, World, now, soon, unique};

async fn world() -> World {
    Recipe::default()
        .admin("token = { env = \"QIX_ADMIN_TOKEN\" }")
        .start()
        .await
}

/// A socket under a session that has an id.
async fn visit(world: &World, subject: &str) -> Browser {
    visit_app(world, subject, SALES_APP).await
}

async fn visit_app(world: &World, subject: &str, app: &str) -> Browser {
    let sid = format!("session-of-{subject}");
    let token = world.sign(json!({ "sub": subject, "sid": sid, "exp": now() + 60 }));
    world
        .connect(&format!("/qlik/app/{app}"))
        .cookie(&token)
        .open()
        .await
}

fn asking<'a>(world: &'a World, method: &str, target: &str) -> Knock<'a> {
    let bearer = format!("Bearer {}", world.secrets.admin);
    let knock = world.http(method, target).at(world.proxy.admin);
    knock
        .set("host", "localhost")
        .with("authorization", &bearer)
}

async fn ask(world: &World, method: &str, target: &str) -> Answer {
    asking(world, method, target).refused().await
}

/// Sends a request to the operators' door over TLS; nothing where its certificate is not believed.
async fn over_tls(world: &World, believed: &Authority, knock: &Knock<'_>) -> Option<Answer> {
    let connector = TlsConnector::from(Arc::new(believed.client(&["http/1.1"])));
    let tcp = TcpStream::connect(world.proxy.admin).await.unwrap();
    let name = "operators.example.com".try_into().unwrap();
    let tls = soon(connector.connect(name, tcp)).await.ok()?;
    let mut io = world.watch(tls);
    io.write_all(&knock.bytes()).await.unwrap();
    let mut read = Vec::new();
    let head = soon(Answer::head(&mut io, &mut read)).await.unwrap();
    Some(soon(head.with_body(&mut io, &mut read)).await)
}

#[tokio::test]
async fn every_socket_is_listed_with_what_moved_on_it() {
    let world = world().await;
    let mut ada = visit(&world, "ada").await;
    ada.open_doc(SALES_APP).await;
    let _grace = visit(&world, "grace").await;
    let list = ask(&world, "GET", "/sockets").await.json();
    let sockets = list["sockets"].as_array().unwrap();
    assert_eq!(sockets.len(), 2);
    assert_eq!(sockets[0]["subject"], "ada");
    assert_eq!(sockets[0]["app"], SALES_APP);
    assert_eq!(sockets[0]["up"]["messages"], 1);
    assert!(sockets[0]["down"]["bytes"].as_u64().unwrap() > 50);
    assert!(sockets[0]["session"].is_string(), "hashed");
    assert_eq!(sockets[1]["subject"], "grace");
}

#[tokio::test]
async fn sockets_are_closed_by_subject_session_app_or_id_and_no_others() {
    let world = world().await;
    for by in ["subject", "session", "id"] {
        let mut ada = visit(&world, "ada").await;
        let mut grace = visit(&world, "grace").await;
        let list = ask(&world, "GET", "/sockets").await.json();
        let of_ada = &list["sockets"].as_array().unwrap()[0];
        let value = match &of_ada[by] {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let closed = ask(&world, "DELETE", &format!("/sockets?{by}={value}")).await;
        assert_eq!(closed.json()["closed"], 1, "{by}");
        assert_eq!(ada.closed().await.0, 4006, "{by}");
        grace.is_alive().await;
        grace.close(1000).await;
    }
    let mut ada = visit(&world, "ada").await;
    let closed = ask(
        &world,
        "DELETE",
        &format!("/sockets?app={SALES_APP}&subject=eve"),
    )
    .await;
    assert_eq!(closed.json()["closed"], 0, "all that is said must be so");
    let mut finance = visit_app(&world, "ada", FINANCE_APP).await;
    let closed = ask(&world, "DELETE", &format!("/sockets?app={SALES_APP}")).await;
    assert_eq!(closed.json()["closed"], 1);
    assert_eq!(ada.closed().await.0, 4006);
    finance.is_alive().await;
}

#[tokio::test]
async fn nobody_gets_in_without_the_token_or_under_a_foreign_name() {
    let world = world().await;
    let knock = |host: &str| {
        world
            .http("GET", "/sockets")
            .at(world.proxy.admin)
            .set("host", host)
    };
    let good = format!("Bearer {}", world.secrets.admin);
    for bad in [
        "",
        "Bearer ",
        "Bearer wrong",
        &good[..good.len() - 1],
        &good[7..],
    ] {
        let refused = knock("localhost")
            .with("authorization", bad)
            .refused()
            .await;
        assert_eq!(refused.status, 401, "{bad}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:9090", 200),
        ("[::1]:9090", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ] {
        let answer = knock(host).with("authorization", &good).refused().await;
        assert_eq!(answer.status, status, "{host:?}");
    }
    for (target, status) in [
        ("/sockets", 400),
        ("/sockets?all=yes", 400),
        ("/sockets?id=one", 400),
        ("/sockets?id=", 400),
    ] {
        assert_eq!(
            ask(&world, "DELETE", target).await.status,
            status,
            "{target}"
        );
    }
    assert_eq!(ask(&world, "POST", "/sockets").await.status, 405);
}

#[tokio::test]
async fn without_a_token_in_the_config_there_is_no_list() {
    let world = World::start().await;
    assert_eq!(ask(&world, "GET", "/sockets").await.status, 404);
}

#[tokio::test]
async fn the_log_says_what_an_operator_closed_and_no_session_id() {
    let world = world().await;
    let who = unique("ada");
    let said = || {
        let mut lines = world.log();
        lines.retain(|line| line.message == "sockets closed by an operator");
        let by = lines.iter().map(|line| line.field("by").to_owned());
        by.collect::<Vec<_>>()
    };
    let mut ada = visit(&world, &who).await;
    let list = ask(&world, "GET", "/sockets").await.json();
    let hash = list["sockets"][0]["session"].as_str().unwrap().to_owned();
    let id = world.keep(format!("session-of-{who}"));
    for (query, by) in [
        (
            format!("session={id}&subject={who}"),
            format!("session=(none of ours) subject={who}"),
        ),
        (
            format!("subject={who}%0a%1b&app=x"),
            format!("subject={who}\\n\\u{{1b}} app=x"),
        ),
        (
            format!("subject={who}&session={hash}"),
            format!("subject={who} session={hash}"),
        ),
    ] {
        ask(&world, "DELETE", &format!("/sockets?{query}")).await;
        assert!(said().contains(&by), "{by} in {:?}", said());
    }
    assert_eq!(ada.closed().await.0, 4006);
    let log = world.log();
    let line = log.iter().find(|line| line.field("by").contains(&hash));
    let line = line.unwrap();
    assert_eq!(line.field("operator.address"), "127.0.0.1");
    assert_eq!(line.field("closed"), "1");
}

#[tokio::test]
async fn every_socket_says_how_old_it_is() {
    let world = world().await;
    let _ada = visit(&world, "ada").await;
    let age = async || {
        let list = ask(&world, "GET", "/sockets").await.json();
        list["sockets"][0]["age_seconds"].as_u64().unwrap()
    };
    let begin = age().await;
    soon(async { while age().await < begin + 2 {} }).await;
    assert!(age().await < 20);
}

#[tokio::test]
async fn over_tls_it_answers_the_token_alone_and_its_certificate_is_read_anew() {
    let (files, old, new) = (Files::new(), Authority::new(), Authority::new());
    let certify = |authority: &Authority| {
        let (chain, key) = authority.certify("operators.example.com");
        let (chain, key) = (files.write("a.pem", &chain), files.write("a-key.pem", &key));
        format!("[admin.tls]\ncertificate = \"{chain}\"\nkey = \"{key}\"\n")
    };
    let token = "token = { env = \"QIX_ADMIN_TOKEN\" }\n";
    let recipe = Recipe::default().admin(&format!("{token}{}", certify(&old)));
    let world = recipe.start().await;
    let mut ada = visit(&world, "ada").await;
    let list = asking(&world, "GET", "/sockets");
    let stranger = list.clone().without("authorization");

    let mut plain = TcpStream::connect(world.proxy.admin).await.unwrap();
    plain.write_all(&list.bytes()).await.unwrap();
    let mut said = Vec::new();
    // It may be reset, as it is no TLS.
    let _ = soon(plain.read_to_end(&mut said)).await;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    let refused = over_tls(&world, &old, &stranger).await.unwrap();
    assert_eq!(refused.status, 401);
    let listed = over_tls(&world, &old, &list).await.unwrap().json();
    assert_eq!(listed["sockets"][0]["subject"], "ada");

    certify(&new);
    assert!(over_tls(&world, &new, &list).await.is_none(), "not yet");
    world.ask_to_reload();
    soon(async { while over_tls(&world, &new, &list).await.is_none() {} }).await;
    assert!(over_tls(&world, &old, &list).await.is_none());
    ada.is_alive().await;
    let close = asking(&world, "DELETE", "/sockets?subject=ada");
    let closed = over_tls(&world, &new, &close).await.unwrap();
    assert_eq!(closed.json()["closed"], 1);
    assert_eq!(ada.closed().await.0, 4006);
}
