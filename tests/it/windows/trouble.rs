//! What goes wrong on the way to a session, and what is tried to get somebody else's.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};
use serde_json::{Value, json};

use super::estate::{Kind, Plan};

/// A dependency is down or refused.
const DEPENDENCY: u16 = 4211;
/// Not permitted.
const FORBIDDEN: u16 = 4203;

#[tokio::test]
async fn claims_that_reach_for_somebody_else_open_nothing() {
    let long = "x".repeat(300);
    let hostile = [
        "ada; UserId=root",
        "a=b",
        "CORP\\root",
        "INTERNAL",
        "internal",
        "ada\u{0}",
        "ada\r\nX-Qlik-User: root",
        "\u{85}",
        " ",
        &long,
    ];
    let mut plans: Vec<Plan> = Kind::ALL.into_iter().map(Plan::of).collect();
    plans.push(certificate());
    for plan in plans {
        let estate = plan.start().await;
        for claim in hostile {
            let token = estate.world.sign(json!({"sub": claim}));
            let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
            let (code, _) = knock.cookie(&token).closed().await;
            // A session check may refuse such a subject by itself.
            assert!([FORBIDDEN, 4006].contains(&code), "{claim:?}: {code}");
        }
        assert!(estate.windows.requests().is_empty());
    }
}

#[tokio::test]
async fn qlik_is_left_alone_for_as_long_as_it_asks() {
    for kind in [Kind::Jwt, Kind::Session] {
        let plan = Plan::of(kind);
        let estate = plan
            .recipe(|recipe| recipe.route("clients_without_origin = \"bearer\""))
            .start()
            .await;
        let fault = TokenFault::RateLimit { retry_after: 40 };
        estate.windows.script(Script::Token(fault));
        let ada = estate.world.visit("ada", SALES_APP).closed().await;
        let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
        let token = estate.world.token("bob");
        let bob = knock.without("origin").bearer(&token).answered().await;
        assert_eq!((ada.0, bob.status), (DEPENDENCY, 503), "{kind:?}");
        let wait: u64 = bob.header("retry-after").unwrap().parse().unwrap();
        assert!((20..=40).contains(&wait), "{kind:?} {wait}");
        let asked = estate.windows.state().token_fetches;
        assert_eq!(asked, 1, "{kind:?}: nobody else asks either");
        let log = estate.world.log_text();
        assert!(log.contains("asked to be left alone for 40 s"), "{log}");
    }
}

#[tokio::test]
async fn a_directory_by_claim_is_held_to_the_same() {
    let credential = Kind::Jwt.credential();
    let credential = credential.replace(
        "user_directory = \"CORP\"",
        "user_directory_claim = \"dir\"",
    );
    let estate = Plan::of(Kind::Jwt).credential(&credential).start().await;
    let bad: [Value; 6] = [
        json!("INTERNAL"),
        json!(" internal"),
        json!("CORP\\x"),
        json!("a;b"),
        json!(["CORP"]),
        Value::Null,
    ];
    for directory in bad {
        let token = estate.world.sign(json!({"sub": "ada", "dir": directory}));
        let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
        let (code, _) = knock.cookie(&token).closed().await;
        assert_eq!(code, FORBIDDEN, "{directory}");
    }
    assert!(estate.windows.requests().is_empty());
}

#[tokio::test]
async fn what_the_way_to_a_session_answers_is_told_in_plain_words() {
    let refuse = |status| TokenFault::Refuse {
        status,
        code: None,
        detail: None,
    };
    let redirect = TokenFault::Redirect {
        location: "https://evil.example/".to_owned(),
    };
    for (fault, words) in [
        (refuse(401), "status 401: it does not take"),
        (refuse(400), "status 400: the virtual proxy is not linked"),
        (refuse(403), "status 403: the Host allow list"),
        (refuse(404), "status 404: there is no virtual proxy"),
        (
            refuse(500),
            "status 500: Qlik's proxy service, or what stands before it",
        ),
        (redirect, "it wants people to sign in"),
        (
            TokenFault::Html { status: 200 },
            "it gave no session cookie",
        ),
        (TokenFault::Drop, "could not be reached"),
        (TokenFault::Silence, "did not answer within 300 ms"),
    ] {
        let estate = Plan::of(Kind::Jwt)
            .with("timeout = \"300ms\"")
            .start()
            .await;
        estate.windows.script(Script::Token(fault.clone()));
        let (code, _) = estate.world.visit("ada", SALES_APP).closed().await;
        assert_eq!(code, DEPENDENCY, "{fault:?}");
        let log = estate.world.log_text();
        assert!(log.contains(words), "{fault:?}: {log}");
        assert!(estate.upgrades().is_empty());
    }
}

#[tokio::test]
async fn a_proxy_service_that_lies_opens_nothing() {
    for kind in [Kind::Ticket, Kind::Session] {
        for fault in [
            TokenFault::Html { status: 200 },
            TokenFault::Garbage,
            TokenFault::Drop,
            TokenFault::Redirect {
                location: "https://evil.example/".to_owned(),
            },
            TokenFault::Refuse {
                status: 403,
                code: None,
                detail: None,
            },
        ] {
            let estate = Plan::of(kind).start().await;
            estate.windows.script(Script::Token(fault.clone()));
            let (code, _) = estate.world.visit("ada", SALES_APP).closed().await;
            assert_eq!(code, DEPENDENCY, "{kind:?} {fault:?}");
            assert!(estate.upgrades().is_empty());
            assert_eq!(estate.windows.sessions_of("CORP\\ada"), 0);
        }
    }
}

#[tokio::test]
async fn an_origin_that_the_host_allow_list_has_not_is_tried_twice_and_no_more() {
    let estate = Plan::of(Kind::Jwt)
        .proxy(|proxy| proxy.hosts(&["qlik.example"]))
        .start()
        .await;
    let (code, _) = estate.world.visit("ada", SALES_APP).closed().await;
    assert_eq!(code, DEPENDENCY);
    assert_eq!(estate.upgrades().len(), 2);
    assert_eq!(estate.windows.tally().sessions_opened, 1);
}

#[tokio::test]
async fn a_virtual_proxy_of_another_prefix_or_unlinked_is_told() {
    let estate = Plan::of(Kind::Jwt)
        .engine("url = \"@front/nowhere\"")
        .start()
        .await;
    assert_eq!(
        estate.world.visit("ada", SALES_APP).closed().await.0,
        DEPENDENCY
    );
    assert!(
        estate
            .world
            .log_text()
            .contains("there is no virtual proxy")
    );
    let estate = Plan::of(Kind::Jwt)
        .proxy(engine_sim::windows::VirtualProxy::unlinked)
        .start()
        .await;
    assert_eq!(
        estate.world.visit("ada", SALES_APP).closed().await.0,
        DEPENDENCY
    );
    assert!(estate.world.log_text().contains("is not linked"));
}

fn certificate() -> Plan {
    Plan::of(Kind::Header)
        .credential(super::bare::CERTIFICATE)
        .engine("url = \"@engine\"")
}
