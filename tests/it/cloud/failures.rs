//! What becomes of a socket when the token endpoint is down, slow, lying or unwilling: the close
//! code, the status for programs, how often the endpoint is asked, and what the operator reads.

use std::fmt::Write as _;

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};

use crate::support::{Recipe, World, page};

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
            name: "is down",
            faults: Vec::new(),
            more: "token_url = \"http://127.0.0.1:9/oauth/token\"",
        },
        case("drops the connection", TokenFault::Drop),
        Case {
            more: "timeout = \"300ms\"",
            ..case("is silent", TokenFault::Silence)
        },
        case("is slow", TokenFault::Delay { ms: 200 }),
        case("sends a page", html),
        case("sends half a JSON text", TokenFault::Garbage),
        case("sends 200 kB", TokenFault::Huge { bytes: 200_000 }),
        case("sends a redirect", redirect),
        case("says 400", refuse(400, "OAUTH-14")),
        case("says 401", refuse(401, "OAUTH-5")),
        case("says 403", refuse(403, "AUTH-5")),
        case("says 429", TokenFault::RateLimit { retry_after: 13 }),
        case("says 500", refuse(500, "HTTP-500")),
        case("says 503", refuse(503, "HTTP-503")),
        case(
            "sends a token of a second",
            TokenFault::ExpiresIn { seconds: 1 },
        ),
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
    let first = browser(&world).await;
    let program = program(&world).await;
    let again = browser(&world).await;
    let asked = world.tenant.state().token_fetches;
    let upgrades = world.upgrades().len();
    format!(
        "{} | {first} | {program} | {again} | {asked} | {upgrades}",
        case.name
    )
}

/// What a page sees: `open`, or the close code.
async fn browser(world: &World) -> String {
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
    let rows = table.split_once('\n').unwrap().1;
    let names = "the token endpoint | a page | a program | fetches of 3 tries at once";
    page::shows(&page::rows(rows, names, &[1, 2, 4]));
}

const TABLE: &str = "\
the endpoint is | a page | a program | the page again | fetches | upgrades
is down | 4211 | 503 | 4211 | 0 | 0
drops the connection | 4211 | 503 | 4211 | 1 | 0
is silent | 4211 | 503 | 4211 | 1 | 0
is slow | open | 101 | open | 1 | 3
sends a page | 4211 | 503 | 4211 | 1 | 0
sends half a JSON text | 4211 | 503 | 4211 | 1 | 0
sends 200 kB | 4211 | 503 | 4211 | 1 | 0
sends a redirect | 4211 | 503 | 4211 | 1 | 0
says 400 | 4211 | 502 | 4211 | 1 | 0
says 401 | 4211 | 502 | 4211 | 1 | 0
says 403 | 4211 | 502 | 4211 | 1 | 0
says 429 | 4211 | 503 again in 13 s | 4211 | 1 | 0
says 500 | 4211 | 503 | 4211 | 1 | 0
says 503 | 4211 | 503 | 4211 | 1 | 0
sends a token of a second | open | 101 | open | 1 | 3
";
