//! `check --live` before Qlik on Windows.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};

use super::estate::{Estate, Kind, Plan};
use crate::support::rehearsal::{Tried, rehearse};

async fn tried(estate: &Estate) -> Tried {
    let arguments = ["--subject", "ada", "--app", SALES_APP];
    let tried = rehearse(&estate.world, &estate.toml, &arguments).await;
    let said = tried.json.to_string();
    for secret in estate.windows.secrets() {
        assert!(!said.contains(&secret), "{said}");
    }
    tried
}

#[tokio::test]
async fn every_kind_is_tried_to_its_end() {
    for kind in Kind::ALL {
        let estate = Plan::of(kind).start().await;
        let tried = tried(&estate).await;
        assert_eq!(tried.code, 0, "{kind:?} {:#}", tried.json);
        let greeting = tried.steps()[3]["saw"].as_str().unwrap();
        assert!(
            greeting.contains("UserDirectory=CORP; UserId=ada"),
            "{greeting}"
        );
    }
}

#[tokio::test]
async fn a_check_leaves_no_session_that_can_be_ended_by_itself() {
    for (kind, linger) in [
        (Kind::Ticket, ""),
        (Kind::Ticket, "session_linger = \"never\""),
        (Kind::Session, ""),
    ] {
        let estate = Plan::of(kind).with(linger).start().await;
        for _ in 0..2 {
            let tried = tried(&estate).await;
            assert_eq!(tried.code, 0, "{kind:?} {:#}", tried.json);
            assert_eq!(estate.windows.sessions_of("CORP\\ada"), 0, "{kind:?}");
        }
        assert_eq!(estate.windows.tally().sessions_opened, 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_check_logs_nobody_out() {
    for kind in [Kind::Header, Kind::Jwt] {
        let plan = Plan::of(kind).with("session_linger = \"5min\"");
        let estate = plan.start().await;
        let mut ada = estate.open("ada", SALES_APP).await;
        let tried = tried(&estate).await;
        assert_eq!(tried.code, 0, "{kind:?} {:#}", tried.json);
        ada.is_alive().await;
        assert_eq!(estate.windows.sessions_of("CORP\\ada"), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_proxy_service_with_trouble_of_its_own_is_no_login_page() {
    for kind in [Kind::Jwt, Kind::Session] {
        for (status, cause) in [(500, "has trouble of its own"), (429, "is asked too often")] {
            let estate = Plan::of(kind).start().await;
            estate.windows.script(Script::Token(TokenFault::Refuse {
                status,
                code: None,
                detail: None,
            }));
            let tried = tried(&estate).await;
            let (step, _, words) = tried.failure();
            assert_eq!((step, tried.code), ("credential", 69), "{words}");
            assert!(words.contains(&format!("status {status}")), "{words}");
            assert!(words.contains(cause), "{words}");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_on_the_allow_list_is_explained() {
    let plan = Plan::of(Kind::Jwt).proxy(|proxy| proxy.hosts(&["elsewhere.example"]));
    let estate = plan.start().await;
    let tried = tried(&estate).await;
    let (_, code, words) = tried.failure();
    assert_eq!((code, tried.code), ("403", 77), "{words}");
    assert!(words.contains("Host allow list"), "{words}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_explained() {
    for kind in [Kind::Jwt, Kind::Ticket] {
        let mut estate = Plan::of(kind).start().await;
        let lines = estate.toml.lines().filter(|line| !line.starts_with("ca "));
        estate.toml = lines.collect::<Vec<_>>().join("\n");
        let tried = tried(&estate).await;
        let (step, _, words) = tried.failure();
        assert_eq!((step, tried.code), ("credential", 69), "{kind:?} {words}");
        assert!(words.contains("or a certificate is not trusted"), "{words}");
    }
}

#[tokio::test]
async fn a_cookie_that_qlik_does_not_know_is_explained() {
    let plan = Plan::of(Kind::Session).proxy(|proxy| proxy.cookie("Renamed-In-The-QMC"));
    let estate = plan.start().await;
    let tried = tried(&estate).await;
    let (step, code, words) = tried.failure();
    assert_eq!(
        (step, code, tried.code),
        ("credential", "302", 77),
        "{words}"
    );
    assert!(
        words.contains("how the virtual proxy authenticates"),
        "{words}"
    );
}

#[tokio::test]
async fn a_person_with_too_many_sessions_is_explained() {
    let plan = Plan::of(Kind::Session).windows(|windows| windows.sessions_a_person(0));
    let estate = plan.start().await;
    let tried = tried(&estate).await;
    let (step, code, words) = tried.failure();
    let expected = ("greeting", "OnMaxParallelSessionsExceeded", 77);
    assert_eq!((step, code, tried.code), expected, "{words}");
}
