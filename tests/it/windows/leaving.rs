//! What becomes of a person's session when they have gone: Qlik counts five of them a person.

use engine_sim::engine::SALES_APP;
use serde_json::{Value, json};

use super::estate::{Estate, Kind, Plan, first_words};
use crate::support::{Browser, soon};

const ADA: &str = "CORP\\ada";
const ENDED: &str = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"ended\"}";
const UNENDED: &str = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"unended\"}";

#[tokio::test]
async fn a_session_is_ended_after_the_last_socket_and_the_next_one_is_good() {
    for kind in Kind::ALL {
        let plan = Plan::of(kind).with("session_linger = \"100ms\"");
        let estate = plan.start().await;
        let mut first = estate.open("ada", SALES_APP).await;
        let mut second = estate.open("ada", SALES_APP).await;
        first.close(1000).await;
        let mut bob = estate.open("bob", SALES_APP).await;
        bob.close(1000).await;
        soon(left(&estate, "CORP\\bob")).await;
        second.is_alive().await;
        assert_eq!(estate.windows.sessions_of(ADA), 1, "{kind:?}");
        second.close(1000).await;
        soon(left(&estate, ADA)).await;
        estate.counted(ENDED).await;
        estate.open("ada", SALES_APP).await.is_alive().await;
        let tally = estate.windows.tally();
        assert_eq!((tally.sessions_opened, tally.sockets_asked), (3, 0));
    }
}

#[tokio::test]
async fn six_restarts_do_not_use_up_the_five_sessions() {
    for kind in [Kind::Ticket, Kind::Session] {
        restart(Plan::of(kind), kind).await;
    }
    for kind in [Kind::Header, Kind::Jwt] {
        restart(Plan::of(kind).with("session_linger = \"1min\""), kind).await;
    }
}

async fn restart(plan: Plan, kind: Kind) {
    let mut estate = plan.start().await;
    for _ in 0..6 {
        let mut ada = estate.open("ada", SALES_APP).await;
        tokio::join!(estate.world.restart(), ada.closed());
        assert_eq!(estate.windows.sessions_of(ADA), 0, "{kind:?}");
    }
    let tally = estate.windows.tally();
    assert_eq!((tally.sessions_opened, tally.sockets_over_limit), (6, 0));
}

#[tokio::test]
async fn who_might_have_other_sessions_there_is_not_logged_out_unasked() {
    for kind in [Kind::Header, Kind::Jwt] {
        let mut estate = Plan::of(kind).start().await;
        let mut ada = estate.open("ada", SALES_APP).await;
        ada.close(1000).await;
        estate.world.restart().await;
        assert_eq!(estate.windows.sessions_of(ADA), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_log_out_shows_the_cookie_by_the_name_it_came_by() {
    for kind in [Kind::Header, Kind::Jwt] {
        let estate = Plan::of(kind)
            .with("session_linger = \"1ms\"")
            .proxy(|proxy| proxy.cookie("X-Qlik-Session-Reports"))
            .start()
            .await;
        let mut ada = estate.open("ada", SALES_APP).await;
        ada.close(1000).await;
        soon(left(&estate, ADA)).await;
    }
}

#[tokio::test]
async fn a_log_out_waits_for_the_persons_other_sockets() {
    let plan = Plan::of(Kind::Jwt).with("session_linger = \"100ms\"");
    let plan = plan.with("list_claims = { Group = \"groups\" }");
    let estate = plan.start().await;
    // Other groups and another spelling are other sessions of the one Windows user.
    let mut first = come(&estate, &json!({"sub": "ada", "groups": ["a"]})).await;
    let mut second = come(&estate, &json!({"sub": "Ada", "groups": ["b"]})).await;
    let mut bob = come(&estate, &json!({"sub": "bob", "groups": []})).await;
    first.close(1000).await;
    bob.close(1000).await;
    soon(left(&estate, "CORP\\bob")).await;
    second.is_alive().await;
    assert_eq!(estate.windows.sessions().len(), 2);
    second.close(1000).await;
    soon(async {
        while !estate.windows.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn come(estate: &Estate, claims: &Value) -> Browser {
    let token = estate.world.sign(claims.clone());
    let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut browser = knock.cookie(&token).upgraded().await.browser;
    first_words(&mut browser).await;
    browser
}

#[tokio::test]
async fn an_installation_that_is_gone_holds_no_stop_up() {
    let mut estate = Plan::of(Kind::Session).start().await;
    let mut ada = estate.open("ada", SALES_APP).await;
    estate.stop_windows().await;
    ada.closed().await;
    soon(estate.world.stop()).await.unwrap();
}

#[tokio::test]
async fn an_end_that_is_refused_is_counted_and_let_be() {
    let plan = Plan::of(Kind::Session).with("session_linger = \"1ms\"");
    let mut estate = plan.start().await;
    let mut ada = estate.open("ada", SALES_APP).await;
    estate.stop_windows().await;
    ada.closed().await;
    estate.counted(UNENDED).await;
}

async fn left(estate: &Estate, person: &str) {
    while estate.windows.sessions_of(person) > 0 {
        tokio::task::yield_now().await;
    }
}
