//! What becomes of a socket when the way to a session on Windows is down, slow, lying or closed: what
//! a page sees, what a program, how often Qlik is asked, and how many websockets it sees.

use std::fmt::Write as _;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};
use engine_sim::windows::{Gives, Release};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::estate::{Estate, Kind, Plan};
use crate::support::{page, soon};

struct Case {
    name: &'static str,
    plan: fn(Plan) -> Plan,
    faults: Vec<TokenFault>,
}

fn case(name: &'static str, fault: TokenFault) -> Case {
    Case {
        name,
        plan: |plan| plan,
        faults: vec![fault],
    }
}

fn shaped(name: &'static str, plan: fn(Plan) -> Plan) -> Case {
    let faults = Vec::new();
    Case { name, plan, faults }
}

fn refuse(status: u16) -> TokenFault {
    TokenFault::Refuse {
        status,
        code: None,
        detail: None,
    }
}

/// What both the front door and the proxy service can do to whoever asks.
fn cases() -> Vec<Case> {
    let location = "https://127.0.0.1:9/".to_owned();
    vec![
        case("drops the connection", TokenFault::Drop),
        Case {
            plan: |plan| plan.with("timeout = \"300ms\""),
            ..case("is silent", TokenFault::Silence)
        },
        case("is slow", TokenFault::Delay { ms: 200 }),
        case("sends a page", TokenFault::Html { status: 200 }),
        case("sends half a JSON text", TokenFault::Garbage),
        case("sends a redirect", TokenFault::Redirect { location }),
        case("says 400", refuse(400)),
        case("says 401", refuse(401)),
        case("says 403", refuse(403)),
        case("says 404", refuse(404)),
        case("says 429", TokenFault::RateLimit { retry_after: 13 }),
        case("says 500", refuse(500)),
        case("says 503", refuse(503)),
        shaped("says that there are too many sessions", |plan| {
            plan.windows(|windows| windows.sessions_a_person(0))
        }),
    ]
}

/// What only the front door can do.
fn front_cases() -> Vec<Case> {
    vec![
        shaped("is down", |plan| {
            plan.engine("url = \"https://127.0.0.1:9/vp\"")
        }),
        shaped("gives no cookie", |plan| {
            plan.proxy(|proxy| proxy.gives(Gives::TokenAlone))
        }),
        shaped("gives no token against forgery", |plan| {
            plan.proxy(|proxy| proxy.gives(Gives::CookieAlone))
        }),
        shaped("gives none, before November 2024", |plan| {
            let old = Release::Before2024;
            plan.proxy(move |proxy| proxy.gives(Gives::CookieAlone).release(old))
        }),
        shaped("has not the origin in its Host allow list", |plan| {
            plan.proxy(|proxy| proxy.hosts(&["qlik.example"]))
        }),
    ]
}

fn service_cases() -> Vec<Case> {
    vec![shaped("is down", |plan| {
        let credential = Kind::Session.credential();
        plan.credential(&credential.replace("@qps", "https://127.0.0.1:9"))
    })]
}

/// One page, then a program, then the page again, at once.
async fn row(kind: Kind, case: Case) -> String {
    let plan = Plan::of(kind).recipe(|it| it.route("clients_without_origin = \"bearer\""));
    let estate = (case.plan)(plan).start().await;
    for fault in case.faults {
        estate.windows.script(Script::Token(fault));
    }
    let first = browser(&estate).await;
    let program = program(&estate).await;
    let again = browser(&estate).await;
    let asked = estate.windows.state().token_fetches;
    let (sessions, upgrades) = (
        estate.windows.tally().sessions_opened,
        estate.upgrades().len(),
    );
    let name = case.name;
    format!("{name} | {first} | {program} | {again} | {asked} | {sessions} | {upgrades}")
}

/// What a page sees: `open`, a notice, the close code.
async fn browser(estate: &Estate) -> String {
    let visit = estate.world.visit("ada", SALES_APP);
    let mut browser = visit.upgraded().await.browser;
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "handle": -1, "method": "EngineVersion", "params": []});
    browser.put(Message::text(call.to_string())).await;
    let mut seen = String::new();
    loop {
        match soon(browser.next()).await {
            Some(Ok(Message::Text(text))) if text.contains("\"id\":1") => return "open".to_owned(),
            Some(Ok(Message::Text(text))) if text.contains("OnMaxParallel") => {
                seen = "told, ".to_owned();
            }
            Some(Ok(Message::Text(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => return format!("{seen}{}", frame.code),
            other => panic!("{other:?}"),
        }
    }
}

/// What a program sees: the status, and when to come again.
async fn program(estate: &Estate) -> String {
    let knock = estate.world.connect(&format!("/qlik/app/{SALES_APP}"));
    let token = estate.world.token("ada");
    let knock = knock.without("origin").bearer(&token);
    let head = knock.answered().await;
    match head.header("retry-after") {
        Some(wait) => format!("{} again in {wait} s", head.status),
        None => head.status.to_string(),
    }
}

async fn table(kind: Kind, cases: Vec<Case>) -> String {
    let mut table = String::from(HEAD);
    for case in cases {
        writeln!(table, "{}", row(kind, case).await).unwrap();
    }
    println!("{table}");
    table
}

#[tokio::test]
async fn every_trouble_of_a_virtual_proxy_has_its_answer() {
    let cases = front_cases().into_iter().chain(cases());
    let told = table(Kind::Jwt, cases.collect()).await;
    assert_eq!(told, format!("{HEAD}{FRONT}"));
    let names = "the virtual proxy | a page | a program | asked at 3 tries at once";
    page::shows(&page::rows(FRONT, names, &[1, 2, 4]));
}

#[tokio::test]
async fn every_trouble_of_the_proxy_service_has_its_answer() {
    let cases = service_cases().into_iter().chain(cases());
    let told = table(Kind::Session, cases.collect()).await;
    assert_eq!(told, format!("{HEAD}{SERVICE}"));
    let names = "the proxy service's API | a page | a program | asked at 3 tries at once";
    page::shows(&page::rows(SERVICE, names, &[1, 2, 4]));
}

const HEAD: &str = "it is | a page | a program | the page again | asked | sessions | upgrades\n";

const FRONT: &str = "\
is down | 4211 | 503 | 4211 | 0 | 0 | 0
gives no cookie | 4211 | 502 | 4211 | 1 | 1 | 0
gives no token against forgery | 4211 | 502 | 4211 | 2 | 1 | 4
gives none, before November 2024 | open | 101 | open | 1 | 1 | 3
has not the origin in its Host allow list | 4211 | 502 | 4211 | 2 | 1 | 4
drops the connection | 4211 | 503 | 4211 | 1 | 0 | 0
is silent | 4211 | 503 | 4211 | 1 | 0 | 0
is slow | open | 101 | open | 1 | 1 | 3
sends a page | 4211 | 502 | 4211 | 1 | 0 | 0
sends half a JSON text | 4211 | 502 | 4211 | 1 | 0 | 0
sends a redirect | 4211 | 502 | 4211 | 1 | 0 | 0
says 400 | 4211 | 502 | 4211 | 1 | 0 | 0
says 401 | 4211 | 502 | 4211 | 1 | 0 | 0
says 403 | 4211 | 502 | 4211 | 1 | 0 | 0
says 404 | 4211 | 502 | 4211 | 1 | 0 | 0
says 429 | 4211 | 503 again in 13 s | 4211 | 1 | 0 | 0
says 500 | 4211 | 503 | 4211 | 1 | 0 | 0
says 503 | 4211 | 503 | 4211 | 1 | 0 | 0
says that there are too many sessions | told, 4205 | 101 | told, 4205 | 1 | 1 | 3
";

const SERVICE: &str = "\
is down | 4211 | 503 | 4211 | 0 | 0 | 0
drops the connection | 4211 | 503 | 4211 | 1 | 0 | 0
is silent | 4211 | 503 | 4211 | 1 | 0 | 0
is slow | open | 101 | open | 2 | 1 | 3
sends a page | 4211 | 503 | 4211 | 1 | 0 | 0
sends half a JSON text | 4211 | 503 | 4211 | 1 | 0 | 0
sends a redirect | 4211 | 502 | 4211 | 1 | 0 | 0
says 400 | 4211 | 502 | 4211 | 1 | 0 | 0
says 401 | 4211 | 502 | 4211 | 1 | 0 | 0
says 403 | 4211 | 502 | 4211 | 1 | 0 | 0
says 404 | 4211 | 502 | 4211 | 1 | 0 | 0
says 429 | 4211 | 503 again in 13 s | 4211 | 1 | 0 | 0
says 500 | 4211 | 503 | 4211 | 1 | 0 | 0
says 503 | 4211 | 503 | 4211 | 1 | 0 | 0
says that there are too many sessions | told, 4205 | 101 | told, 4205 | 2 | 1 | 3
";
