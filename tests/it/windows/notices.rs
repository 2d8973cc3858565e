//! What a browser hears of what Qlik's proxy service says.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script, Speaks};
use engine_sim::windows::Release;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::estate::{Kind, Plan, admitted, first_words};

#[tokio::test]
async fn a_browser_hears_that_it_was_let_in_whenever_that_is_said() {
    for speaks in [Speaks::AfterFirstMessage, Speaks::AtOnce] {
        let estate = Plan::of(Kind::Jwt)
            .proxy(move |proxy| proxy.speaks(speaks))
            .start()
            .await;
        let (_ada, heard) = estate.visit("ada", SALES_APP).await;
        assert_eq!(heard[0], admitted());
        assert_eq!(heard[1]["params"]["qSessionState"], "SESSION_CREATED");
        assert_eq!(heard.len(), 2);
        let notice = "qix_proxy_notices_total{notice=\"authentication\"}";
        assert_eq!(estate.world.metric(notice).await, 1);
    }
}

#[tokio::test]
async fn who_has_too_many_sessions_is_told_so() {
    let estate = Plan::of(Kind::Ticket)
        .windows(|windows| windows.sessions_a_person(0))
        .start()
        .await;
    let mut ada = estate
        .world
        .visit("ada", SALES_APP)
        .upgraded()
        .await
        .browser;
    ada.ask(-1, "EngineVersion", json!([])).await;
    let notice = ada.receive().await;
    assert_eq!(
        notice["method"], "OnMaxParallelSessionsExceeded",
        "{notice}"
    );
    ada.closed().await;
    let counted = "qix_proxy_notices_total{notice=\"too_many_sessions\"}";
    assert_eq!(estate.world.metric(counted).await, 1);
    let log = estate.world.log_text();
    assert!(log.contains("Qlik will not serve this session"), "{log}");
}

#[tokio::test]
async fn the_code_says_what_the_notice_said() {
    let estate = Plan::of(Kind::Header).start().await;
    for (method, code) in [
        ("OnMaxParallelSessionsExceeded", 4205),
        ("OnLicenseAccessDenied", 4230),
        ("OnLicenseAccessDeniedPendingUserSync", 4230),
        ("OnNoEngineAvailable", 4240),
        ("OnNoRepositoryAvailable", 4211),
        ("OnSessionTimedOut", 4001),
        ("OnSessionLoggedOut", 4200),
        ("OnWhateverComesNext", 4200),
    ] {
        let mut ada = estate.open("ada", SALES_APP).await;
        let notice = LiveFault::Notice {
            method: method.to_owned(),
            message: String::new(),
        };
        estate.windows.script(Script::Live(notice));
        assert_eq!(ada.receive().await["method"], method);
        assert_eq!(ada.closed().await.0, code, "{method}");
    }
}

#[tokio::test]
async fn what_is_private_in_any_notice_is_cut() {
    let estate = Plan::of(Kind::Header).start().await;
    let mut ada = estate.open("ada", SALES_APP).await;
    let text = json!({"method": "OnSessionClosed", "params": {
        "severity": "fatal", "logoutUri": "https://qlik.internal/logout", "userId": "svc-bot",
    }});
    let text = text.to_string();
    estate.windows.script(Script::Live(LiveFault::Say { text }));
    let heard = ada.receive().await;
    assert_eq!(heard["params"], json!({"severity": "fatal"}));
}

#[tokio::test]
async fn a_credential_that_is_never_taken_ends_in_4211_and_no_page_to_sign_in_at() {
    for access in ["apps = \"any\"", "apps = \"any\"\nmethods = \"any\""] {
        let estate = Plan::of(Kind::Header)
            .credential("kind = \"none\"")
            .engine("url = \"@front/vp\"\nflavour = \"windows\"")
            .recipe(move |recipe| recipe.access(access))
            .proxy(|proxy| proxy.release(Release::Before2024))
            .start()
            .await;
        let mut ada = estate
            .world
            .visit("ada", SALES_APP)
            .upgraded()
            .await
            .browser;
        ada.ask(-1, "EngineVersion", json!([])).await;
        match ada.next().await {
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 4211),
            other => panic!("{other:?}"),
        }
        ada.end().await;
        assert_eq!(estate.windows.tally().sockets_asked, 1);
        let ended = "qix_proxy_sockets_ended_total{route=\"/qlik\",reason=\"credential_refused\",side=\"engine\"}";
        estate.counted(ended).await;
        let log = estate.world.log_text();
        assert!(log.contains("there is no fresh one"), "{log}");
    }
}

#[tokio::test]
async fn several_calls_before_the_first_word_are_said_again_in_their_order() {
    let estate = Plan::of(Kind::Ticket)
        .proxy(|proxy| proxy.release(Release::Before2024))
        .start()
        .await;
    estate.open("ada", SALES_APP).await;
    estate.windows.forget_sessions();
    estate.windows.reset();
    let mut ada = estate
        .world
        .visit("ada", SALES_APP)
        .upgraded()
        .await
        .browser;
    let ids = [
        ada.ask(-1, "EngineVersion", json!([])).await,
        ada.ask(-1, "EngineVersion", json!([])).await,
        ada.ask(-1, "EngineVersion", json!([])).await,
    ];
    let heard = first_words(&mut ada).await;
    let mut answered: Vec<_> = heard.iter().filter_map(|one| one["id"].as_u64()).collect();
    answered.sort_unstable();
    assert_eq!(answered, ids, "each is answered once: {heard:?}");
    let sockets = estate.upgrades();
    assert_eq!(sockets.len(), 2);
    let said = &sockets[1].messages;
    assert!(said.len() >= 3, "{sockets:?}");
    for (message, id) in said.iter().zip(ids) {
        assert!(message.contains(&format!("\"id\":{id}")), "{message}");
    }
}
