//! What becomes of a socket when the token endpoint is down, slow, lying or unwilling: the close
//! code, the status for programs, how often the endpoint is asked, and what the operator reads.

use std::fmt::Write as _;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};

use crate::support::{Recipe, World};

/// The sort of trouble, and how it is brought about.
struct Case {
    name: &'static str,
    faults: Vec<TokenFault>,
    more: &'static str,
}

fn case(name: &'static str, fault: TokenFault) -> Case {
    Case {
        name,
        faults: vec![fault],
        more: "",
    }
}

fn refuse(status: u16, code: &str) -> TokenFault {
    TokenFault::Refuse {
        status,
        code: Some(code.to_owned()),
        detail: None,
    }
}

fn cases() -> Vec<Case> {
    let html = TokenFault::Html { status: 200 };
    let elsewhere = "http://127.0.0.1:9/".to_owned();
    let redirect = TokenFault::Redirect {
        location: elsewhere,
    };
    vec![
        Case {
            name: "down",
            faults: Vec::new(),
            more: "token_url = \"http://127.0.0.1:9/oauth/token\"",
        },
        case("drops the connection", TokenFault::Drop),
        Case {
            more: "timeout = \"300ms\"",
            ..case("silent", TokenFault::Silence)
        },
        case("slow", TokenFault::Delay { ms: 200 }),
        case("a page", html),
        case("half a JSON text", TokenFault::Garbage),
        case("huge", TokenFault::Huge { bytes: 200_000 }),
        case("a redirect", redirect),
        case("400", refuse(400, "OAUTH-14")),
        case("401", refuse(401, "OAUTH-5")),
        case("403", refuse(403, "AUTH-5")),
        case("429", TokenFault::RateLimit { retry_after: 13 }),
        case("500", refuse(500, "HTTP-500")),
        case("503", refuse(503, "HTTP-503")),
        case("expires in a second", TokenFault::ExpiresIn { seconds: 1 }),
    ]
}

/// One page, then a program, then the page again, at once.
async fn row(case: Case) -> String {
    let recipe = Recipe::default().route("clients_without_origin = \"bearer\"");
    let toml = format!(
        r#"
        kind = "oauth-impersonation"
        client_id = "trusted"
        client_secret = {{ env = "QLIK_CLIENT_SECRET" }}
        user = {{ field = "subject", claim = "sub" }}
        {}"#,
        case.more
    );
    let world = recipe.credential(&toml).start().await;
    for fault in case.faults {
        world.tenant.script(Script::Token(fault));
    }
    let first = page(&world).await;
    let program = program(&world).await;
    let again = page(&world).await;
    let asked = world.tenant.state().token_fetches;
    let upgrades = world.upgrades().len();
    format!(
        "{} | {first} | {program} | {again} | {asked} | {upgrades}",
        case.name
    )
}

/// What a page sees: `open`, or the close code.
async fn page(world: &World) -> String {
    let mut browser = world.visit("ada", SALES_APP).upgraded().await.browser;
    let first = browser.next().await;
    match first {
        Some(Ok(message)) if message.is_text() => "open".to_owned(),
        Some(Ok(tokio_tungstenite::tungstenite::Message::Close(Some(frame)))) => {
            u16::from(frame.code).to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// What a program sees: the status, and when to come again.
async fn program(world: &World) -> String {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let knock = knock.without("origin").bearer(&world.token("ada"));
    let head = knock.answered().await;
    match head.header("retry-after") {
        Some(wait) => format!("{} again in {wait} s", head.status),
        None => head.status.to_string(),
    }
}

#[tokio::test]
async fn every_trouble_of_the_token_endpoint_has_its_answer() {
    let mut table = String::from(
        "the endpoint is | a page | a program | the page again | fetches | upgrades\n",
    );
    for case in cases() {
        writeln!(table, "{}", row(case).await).unwrap();
    }
    println!("{table}");
    assert_eq!(table, TABLE);
}

const TABLE: &str = "\
the endpoint is | a page | a program | the page again | fetches | upgrades
down | 4211 | 503 | 4211 | 0 | 0
drops the connection | 4211 | 503 | 4211 | 1 | 0
silent | 4211 | 503 | 4211 | 1 | 0
slow | open | 101 | open | 1 | 3
a page | 4211 | 503 | 4211 | 1 | 0
half a JSON text | 4211 | 503 | 4211 | 1 | 0
huge | 4211 | 503 | 4211 | 1 | 0
a redirect | 4211 | 503 | 4211 | 1 | 0
400 | 4211 | 502 | 4211 | 1 | 0
401 | 4211 | 502 | 4211 | 1 | 0
403 | 4211 | 502 | 4211 | 1 | 0
429 | 4211 | 503 again in 13 s | 4211 | 1 | 0
500 | 4211 | 503 | 4211 | 1 | 0
503 | 4211 | 503 | 4211 | 1 | 0
expires in a second | open | 101 | open | 1 | 3
";
