//! Every fault and its answer: a status for programs, a close code for pages, a status for pages
//! where the route says so.

use std::time::Duration;

use engine_sim::engine::{FINANCE_APP, SALES_APP};
use engine_sim::tenant::{Script, TokenFault, UpgradeFault};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Answer, Knock, ORIGIN, Recipe, World, soon};

/// Something that goes wrong behind a lawful request.
struct Case {
    name: &'static str,
    recipe: Recipe,
    script: Option<Script>,
    session: fn(&World) -> String,
    expected: Expected,
}

/// Status, label and close code of an answer.
type Expected = (u16, &'static str, u16);

/// How the request comes, and so what its answer looks like.
#[derive(Clone, Copy, Debug)]
enum Guest {
    Page,
    PageThatWantsStatus,
    Program,
}

const BUSY: Expected = (503, "engine_busy", 4205);
const DOWN: Expected = (502, "engine_down", 4240);
const NOT_SIGNED_IN: Expected = (401, "not_signed_in", 4006);
const REFUSED: Expected = (502, "credential_refused", 4211);
const UNMINTED: Expected = (503, "credential_down", 4211);
const ELSEWHERE: &str = "http://127.0.0.1:9/";

impl Case {
    fn new(name: &'static str, expected: Expected) -> Self {
        Self {
            name,
            recipe: Recipe::default(),
            script: None,
            session: |world| world.token("ada"),
            expected,
        }
    }

    /// The session is bad.
    fn session(name: &'static str, session: fn(&World) -> String) -> Self {
        Self {
            session,
            ..Self::new(name, NOT_SIGNED_IN)
        }
    }

    /// The engine's upgrade goes wrong.
    fn dial(name: &'static str, fault: UpgradeFault, expected: Expected) -> Self {
        Self {
            script: Some(Script::Upgrade(fault)),
            ..Self::new(name, expected)
        }
    }

    /// The engine answers an upgrade with a status.
    fn status(status: u16, expected: Expected) -> Self {
        Self::dial("a status", refuse(status), expected)
    }

    /// The fetch of a person's token goes wrong.
    fn token(name: &'static str, fault: TokenFault, expected: Expected) -> Self {
        Self {
            script: Some(Script::Token(fault)),
            ..Self::new(name, expected).with(Recipe::default().impersonating())
        }
    }

    fn with(self, recipe: Recipe) -> Self {
        Self { recipe, ..self }
    }
}

fn refuse(status: u16) -> UpgradeFault {
    UpgradeFault::Refuse { status, body: None }
}

fn refuse_token(status: u16, code: &str) -> TokenFault {
    TokenFault::Refuse {
        status,
        code: Some(code.to_owned()),
        detail: None,
    }
}

fn cases() -> Vec<Case> {
    let cases = [by_the_person(), by_the_engine(), by_the_credential()];
    cases.into_iter().flatten().collect()
}

fn by_the_person() -> Vec<Case> {
    let another = Recipe::default().access(&format!("apps = [\"{FINANCE_APP}\"]"));
    vec![
        Case::session("no session", |_| String::new()),
        Case::session("a token that is none", |_| "x.y.z".to_owned()),
        Case::session("an expired token", |world| {
            world.sign(json!({"sub": "ada", "exp": 1_700_000_000}))
        }),
        Case::session("another secret's token", |world| {
            let token = world.token("ada");
            let (signed, _) = token.rsplit_once('.').unwrap();
            format!("{signed}.{}", "A".repeat(43))
        }),
        Case::new("another app", (403, "not_permitted", 4203)).with(another),
    ]
}

fn by_the_engine() -> Vec<Case> {
    let location = ELSEWHERE.to_owned();
    let nobody = Recipe::default().engine(&format!("url = \"{ELSEWHERE}\""));
    let hasty = Recipe::default().engine("dial_timeout = \"300ms\"");
    let late = (504, "engine_timeout", 4240);
    vec![
        Case::status(404, (404, "no_such_app", 4204)),
        Case::status(403, (502, "engine_refused", 4211)),
        Case::status(400, DOWN),
        Case::status(426, DOWN),
        Case::status(500, DOWN),
        Case::status(502, DOWN),
        Case::status(503, BUSY),
        Case::status(429, BUSY),
        Case::dial("no upgrade", UpgradeFault::NoUpgrade, DOWN),
        Case::dial("a wrong accept key", UpgradeFault::WrongAccept, DOWN),
        Case::dial("a protocol", UpgradeFault::UnofferedProtocol, DOWN),
        Case::dial("an extension", UpgradeFault::UnofferedExtension, DOWN),
        Case::dial("a redirect", UpgradeFault::Redirect { location }, DOWN),
        Case::dial("a line cut", UpgradeFault::Drop, DOWN),
        Case::dial("no answer", UpgradeFault::Silence, late).with(hasty),
        Case::new("nobody there", DOWN).with(nobody),
    ]
}

fn by_the_credential() -> Vec<Case> {
    let location = ELSEWHERE.to_owned();
    let hasty = Recipe::default().credential(
        r#"
        kind = "oauth-client"
        shared = true
        client_id = "machine"
        client_secret = { env = "QLIK_CLIENT_SECRET" }
        timeout = "300ms""#,
    );
    let limit = TokenFault::RateLimit { retry_after: 60 };
    vec![
        Case::dial("a key that is refused", refuse(401), REFUSED),
        Case::token("a client", refuse_token(400, "OAUTH-14"), REFUSED),
        Case::token("a secret", refuse_token(401, "HTTP-401"), REFUSED),
        Case::token("a person", refuse_token(403, "HTTP-403"), REFUSED),
        Case::token("a limit", limit, UNMINTED),
        Case::token("no token", refuse_token(500, "HTTP-500"), UNMINTED),
        Case::token("a page", TokenFault::Html { status: 200 }, UNMINTED),
        Case::token("half a token", TokenFault::Garbage, UNMINTED),
        Case::token("elsewhere", TokenFault::Redirect { location }, UNMINTED),
        Case::token("a line cut", TokenFault::Drop, UNMINTED),
        Case::token("no word", TokenFault::Silence, UNMINTED).with(hasty),
    ]
}

#[tokio::test]
async fn a_page_reads_a_close_code() {
    for case in cases() {
        let (name, (status, _, expected)) = (case.name, case.expected);
        let (code, reason) = arrange(case, Guest::Page, async |knock| knock.closed().await).await;
        assert_eq!(code, expected, "{name} {status}");
        assert!(!reason.is_empty(), "{name} {status}");
    }
}

#[tokio::test]
async fn a_program_reads_a_status() {
    assert_statuses(Guest::Program).await;
}

#[tokio::test]
async fn a_page_reads_a_status_where_the_route_says_so() {
    assert_statuses(Guest::PageThatWantsStatus).await;
}

/// The headers of a plain answer, every one.
const HEADERS: [&str; 6] = [
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "x-content-type-options",
];

async fn assert_statuses(guest: Guest) {
    for case in cases() {
        let (name, (status, label, _)) = (case.name, case.expected);
        let answer = arrange(case, guest, async |knock| knock.refused().await).await;
        assert_eq!(answer.status, status, "{name} {status}");
        assert_eq!(answer.json()["error"], label, "{name} {status}");
        let mut headers = answer.header_names();
        // Who is told to wait is told how long.
        headers.retain(|&header| name != "a limit" || header != "retry-after");
        assert_eq!(headers, HEADERS, "{name} {status}");
    }
}

/// Lets a case happen to a guest.
async fn arrange<T>(case: Case, guest: Guest, act: impl AsyncFnOnce(Knock<'_>) -> T) -> T {
    let recipe = case.recipe.route("clients_without_origin = \"bearer\"\n");
    let recipe = match guest {
        Guest::PageThatWantsStatus => recipe.route("refusal = \"status\""),
        Guest::Page | Guest::Program => recipe,
    };
    let world = recipe.start().await;
    case.script
        .into_iter()
        .for_each(|script| world.tenant.script(script));
    let session = (case.session)(&world);
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let knock = match (guest, session.as_str()) {
        (_, "") => knock,
        (Guest::Program, token) => knock.bearer(token),
        (_, token) => knock.cookie(token),
    };
    let done = act(match guest {
        Guest::Program => knock.without("origin"),
        Guest::Page | Guest::PageThatWantsStatus => knock,
    })
    .await;
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
    let opened = "qix_proxy_sockets_opened_total{route=\"/qlik\"}";
    assert_eq!(world.metric(opened).await, 0);
    done
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_tried_once_more() {
    let refuse = || {
        Script::Upgrade(UpgradeFault::Refuse {
            status: 401,
            body: None,
        })
    };
    for (refusals, opens, fetches, dials) in [(1, true, 2, 2), (2, false, 2, 2), (5, false, 2, 2)] {
        let world = Recipe::default().impersonating().start().await;
        (0..refusals).for_each(|_| world.tenant.script(refuse()));
        if opens {
            world.visit("ada", SALES_APP).open().await.is_alive().await;
        } else {
            assert_eq!(world.visit("ada", SALES_APP).closed().await.0, 4211);
        }
        assert_eq!(
            world.tenant.state().token_fetches,
            fetches,
            "{refusals} refusals"
        );
        assert_eq!(world.upgrades().len(), dials, "{refusals} refusals");
        let bearers: Vec<_> = world.upgrades();
        assert_ne!(
            bearers[0].header("authorization"),
            bearers[1].header("authorization")
        );
    }
}

#[tokio::test]
async fn tokens_that_expire_at_the_tenant_are_renewed_unseen() {
    let world = Recipe::default().impersonating().start().await;
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    world.tenant.script(Script::ExpireTokens);
    world.visit("ada", SALES_APP).open().await.is_alive().await;
    assert_eq!(world.tenant.state().token_fetches, 2);
}

#[tokio::test]
async fn caps_hold_for_a_person_and_for_all() {
    let limits = "[limits]\nsockets = 2\nsockets_per_subject = 1\n";
    let route = "clients_without_origin = \"bearer\"";
    let world = Recipe::default().process(limits).route(route).start().await;
    let ada = world.visit("ada", SALES_APP).open().await;
    assert_eq!(world.visit("ada", SALES_APP).closed().await.0, 4205);
    let program = world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .without("origin");
    let answer = program.bearer(&world.token("ada")).refused().await;
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (429, json!("too_many"))
    );

    let mut bob = world.visit("bob", SALES_APP).open().await;
    assert_eq!(
        world.visit("eve", SALES_APP).closed().await.0,
        4205,
        "two in all"
    );
    assert_eq!(
        world.upgrades().len(),
        2,
        "the engine is not asked for those refused"
    );
    drop(ada);
    soon(world.tenant.until(|state| state.sockets_open == 1)).await;
    world.visit("eve", SALES_APP).open().await.is_alive().await;
    bob.is_alive().await;
}

#[tokio::test]
async fn one_person_has_so_many_engine_sessions_and_no_more() {
    let limits = "[limits]\nidentities_per_subject = 2\n";
    let world = Recipe::default().process(limits).start().await;
    let _first = world.visit("ada", "one").open().await;
    let _second = world.visit("ada", "two").open().await;
    assert_eq!(world.visit("ada", "three").closed().await.0, 4205);
    world.visit("ada", "two").open().await.is_alive().await;
}

#[tokio::test]
async fn what_is_no_websocket_request_is_answered_plainly() {
    let world = World::start().await;
    let target = format!("/qlik/app/{SALES_APP}");
    let good = || world.connect(&target).cookie(&world.token("ada"));
    let line = |method: &str| format!("{method} {target} HTTP/1.1");
    let table: Vec<(&str, Knock<'_>, u16)> = vec![
        ("POST", good().line(&line("POST")), 405),
        ("HEAD", good().line(&line("HEAD")), 405),
        (
            "no upgrade",
            good().without("upgrade").without("connection"),
            426,
        ),
        ("version 8", good().set("sec-websocket-version", "8"), 426),
        ("version 14", good().set("sec-websocket-version", "14"), 426),
        ("no version", good().without("sec-websocket-version"), 426),
        ("no key", good().without("sec-websocket-key"), 400),
        (
            "a short key",
            good().set("sec-websocket-key", "c2hvcnQ="),
            400,
        ),
        (
            "no such place",
            good().line("GET /qlik/nothing HTTP/1.1"),
            404,
        ),
        (
            "no such route",
            good().line("GET /other/app/x HTTP/1.1"),
            404,
        ),
    ];
    for (name, knock, status) in table {
        let answer = knock.refused().await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let version = (status == 426).then_some("13");
        assert_eq!(answer.header("sec-websocket-version"), version, "{name}");
        let methods = (status == 405).then_some("GET");
        assert_eq!(answer.header("allow"), methods, "{name}");
    }
    assert!(world.tenant.requests().is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let world = Recipe::default()
        .listen("head_bytes = \"8 KiB\"")
        .start()
        .await;
    let knock = world.visit("ada", SALES_APP);
    assert_eq!(
        knock
            .with("x-long", &"x".repeat(9000))
            .refused()
            .await
            .status,
        431
    );
    let many = (0..200).fold(world.visit("ada", SALES_APP), |knock, n| {
        knock.with(&format!("x-{n}"), "y")
    });
    assert_eq!(many.refused().await.status, 431);
    assert!(world.tenant.requests().is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_slow_ends_its_connection() {
    let world = Recipe::default()
        .listen("head_timeout = \"300ms\"")
        .start()
        .await;
    for begin in ["", "GET /qlik/app/x HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut io = world.dial().await;
        io.write_all(begin.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        soon(io.read_to_end(&mut got)).await.unwrap();
        let got = String::from_utf8(got).unwrap();
        assert!(got.is_empty() || got.starts_with("HTTP/1.1 408"), "{got}");
    }
}

#[tokio::test]
async fn a_refused_page_that_does_not_answer_the_close_is_cut() {
    let world = Recipe::default()
        .limits("close_grace = \"300ms\"")
        .start()
        .await;
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    let mut io = world.dial().await;
    io.write_all(&knock.bytes()).await.unwrap();
    let mut read = Vec::new();
    let head = soon(Answer::head(&mut io, &mut read)).await.unwrap();
    assert_eq!(head.status, 101);
    let begun = std::time::Instant::now();
    soon(io.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read[..4], [0x88, read[1], 0x0f, 0xa6], "a Close with 4006");
    assert_eq!(usize::from(read[1]) + 2, read.len(), "and nothing else");
    assert!(begun.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_refused_page_counts_among_the_connections() {
    let recipe = Recipe::default().listen("connections = 1");
    let world = recipe.limits("close_grace = \"500ms\"").start().await;
    let knock = world
        .connect(&format!("/qlik/app/{SALES_APP}"))
        .origin(ORIGIN);
    let mut first = world.dial().await;
    first.write_all(&knock.bytes()).await.unwrap();
    let mut read = Vec::new();
    assert_eq!(
        soon(Answer::head(&mut first, &mut read))
            .await
            .unwrap()
            .status,
        101
    );
    let begun = std::time::Instant::now();
    assert_eq!(world.http("GET", "/x").refused().await.status, 404);
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "it did not wait its turn"
    );
}
