//! What becomes of a session: it is looked after, lost, ended.

use engine_sim::engine::SALES_APP;
use engine_sim::windows::Release;
use tokio_tungstenite::tungstenite::Message;

use super::estate::{Estate, Kind, Plan, connected};
use crate::support::soon;

#[tokio::test]
async fn a_session_that_is_lost_is_opened_anew_once_for_everybody() {
    for release in [Release::November2024, Release::Before2024] {
        for kind in Kind::ALL {
            let estate = Plan::of(kind)
                .proxy(move |proxy| proxy.release(release))
                .start()
                .await;
            estate.open("ada", SALES_APP).await;
            estate.windows.forget_sessions();
            // What was said before the first word is said again, once.
            estate.windows.reset();
            estate.open("ada", SALES_APP).await.is_alive().await;
            estate.open("ada", SALES_APP).await.is_alive().await;
            let tally = estate.windows.tally();
            assert_eq!(tally.sessions_opened, 1, "{kind:?} {release:?}");
            let asked = u64::from(release == Release::Before2024);
            assert_eq!(tally.sockets_asked, asked, "{kind:?} {release:?}");
            assert_eq!(estate.windows.sessions_of("CORP\\ada"), 1);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_looked_after_stays_the_same() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind).with("session_life = \"20ms\"").start().await;
        soon(come_and_go(&estate)).await;
        let tally = estate.windows.tally();
        assert_eq!(tally.sessions_opened, 1, "{kind:?}");
        assert!(tally.tickets_drawn <= 1);
    }
}

#[tokio::test]
async fn a_session_whose_cookie_is_called_otherwise_stays_the_same() {
    for kind in [Kind::Header, Kind::Jwt, Kind::Ticket] {
        let estate = Plan::of(kind)
            .proxy(|proxy| proxy.cookie("X-Qlik-Session-Reports"))
            .with("session_life = \"20ms\"")
            .start()
            .await;
        soon(come_and_go(&estate)).await;
        assert_eq!(estate.windows.tally().sessions_opened, 1, "{kind:?}");
    }
}

/// Opens socket after socket until the session was looked after a few times.
async fn come_and_go(estate: &Estate) {
    while estate.windows.tally().bootstraps < 4 {
        let mut ada = estate.open("ada", SALES_APP).await;
        ada.close(1000).await;
    }
}

#[tokio::test]
async fn two_people_whom_windows_takes_for_one_share_neither_session() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind).start().await;
        let (_ada, ada) = estate.visit("ada", SALES_APP).await;
        let (_other, other) = estate.visit("Ada", SALES_APP).await;
        for heard in [ada, other] {
            let state = &connected(&heard)["params"]["qSessionState"];
            assert_eq!(state, "SESSION_CREATED", "{kind:?}");
        }
        assert_eq!(estate.windows.tally().sessions_opened, 2, "{kind:?}");
        let upgrades = estate.upgrades();
        let cookies: Vec<_> = upgrades.iter().map(|one| one.header("cookie")).collect();
        assert_ne!(cookies[0], cookies[1], "{kind:?}");
        // To Qlik they are one: five sessions are theirs together.
        assert_eq!(estate.windows.sessions_of("corp\\ADA"), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn who_is_logged_out_of_qlik_hears_it_and_comes_in_again() {
    let estate = Plan::of(Kind::Jwt).start().await;
    let mut ada = estate.open("ada", SALES_APP).await;
    estate.windows.end_sessions();
    let notice = ada.receive().await;
    assert_eq!(notice["method"], "OnSessionLoggedOut", "{notice}");
    ada.closed().await;
    let notices = "qix_proxy_notices_total{notice=\"session_logged_out\"}";
    assert_eq!(estate.world.metric(notices).await, 1);
    estate.open("ada", SALES_APP).await.is_alive().await;
}

#[tokio::test]
async fn no_ping_ever_reaches_the_proxy_service() {
    let estate = Plan::of(Kind::Session)
        .recipe(|recipe| recipe.limits("client_ping = \"20ms\""))
        .start()
        .await;
    let mut ada = estate.open("ada", SALES_APP).await;
    ada.put(Message::Ping(b"mine".as_slice().into())).await;
    soon(async {
        let mut pings = 0;
        let mut ponged = false;
        while pings < 3 || !ponged {
            match ada.next().await {
                Some(Ok(Message::Ping(_))) => pings += 1,
                Some(Ok(Message::Pong(payload))) => ponged |= &*payload == b"mine",
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    ada.is_alive().await;
}

#[tokio::test]
async fn many_who_come_at_once_are_no_storm() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind)
            .with("fetches_per_minute = 2\nfetch_queue = \"1ms\"")
            .start()
            .await;
        estate.open("ada", SALES_APP).await;
        estate.open("bob", SALES_APP).await;
        let (code, _) = estate.world.visit("eve", SALES_APP).closed().await;
        assert_eq!(code, 4211, "{kind:?}");
        estate.open("ada", SALES_APP).await;
        assert_eq!(estate.windows.tally().sessions_opened, 2, "{kind:?}");
    }
}
