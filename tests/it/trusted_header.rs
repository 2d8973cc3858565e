//! An authenticating ingress says who it is; anybody else who says so is not heard.

use engine_sim::engine::SALES_APP;

use crate::support::{Recipe, World};

async fn world(peers: &str) -> World {
    let session = format!(
        "[[route.session]]\nkind = \"trusted-header\"\npeers = [\"{peers}\"]\nsubject = \
         \"x-auth-request-user\"\n"
    );
    Recipe::default().session(&session).start().await
}

fn app() -> String {
    format!("/qlik/app/{SALES_APP}")
}

#[tokio::test]
async fn the_ingress_is_believed_and_its_header_goes_no_further() {
    let world = world("127.0.0.0/8").await;
    let knock = world.connect(&app()).with("x-auth-request-user", "ada");
    knock.open().await.is_alive().await;
    let seen = &world.upgrades()[0];
    assert_eq!(seen.header("x-auth-request-user"), None);
}

#[tokio::test]
async fn a_header_from_elsewhere_or_told_twice_or_forwarded_is_no_session() {
    let elsewhere = world("10.1.0.0/16").await;
    let knock = elsewhere.connect(&app()).with("x-auth-request-user", "ada");
    assert_eq!(knock.closed().await.0, 4006);
    let knock = elsewhere.connect(&app()).with("x-auth-request-user", "ada");
    let knock = knock.with("x-forwarded-for", "10.1.0.7");
    assert_eq!(knock.closed().await.0, 4006, "only the TCP peer counts");
    let ingress = world("127.0.0.0/8").await;
    let knock = ingress.connect(&app()).with("x-auth-request-user", "ada");
    let twice = knock.with("x-auth-request-user", "eve");
    assert_ne!(twice.closed().await.0, 1000);
    assert_eq!(ingress.connect(&app()).closed().await.0, 4006, "no header");
    assert!(elsewhere.upgrades().is_empty() && ingress.upgrades().is_empty());
}
