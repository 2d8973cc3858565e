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
    recipe: fn() -> Recipe,
    scripts: Vec<Script>,
    session: fn(&World) -> String,
    status: u16,
    error: &'static str,
    close: u16,
}

/// How the request comes, and so what its answer looks like.
#[derive(Clone, Copy, Debug)]
enum Guest {
    Page,
    PageThatWantsStatus,
    Program,
}

fn cases() -> Vec<Case> {
    let ada: fn(&World) -> String = |world| world.token("ada");
    let case = |name, scripts, (status, error, close)| Case {
        name,
        recipe: Recipe::default,
        scripts,
        session: ada,
        status,
        error,
        close,
    };
    let who = |name, session| Case {
        session,
        ..case(name, Vec::new(), (401, "not_signed_in", 4006))
    };
    let with = |case: Case, recipe| Case { recipe, ..case };
    let dial = |fault| vec![Script::Upgrade(fault)];
    let mint = |fault| vec![Script::Token(fault)];
    let refuse = |status| UpgradeFault::Refuse { status, body: None };
    let refuse_token = |status, code: &str| TokenFault::Refuse {
        status,
        code: Some(code.to_owned()),
        detail: None,
    };
    let location = "http://127.0.0.1:9/".to_owned();
    let down = (502, "engine_down", 4240);
    let busy = (503, "engine_busy", 4205);
    let unminted = (503, "credential_down", 4211);
    let refused = (502, "credential_refused", 4211);
    let per_person: fn() -> Recipe = || Recipe::default().impersonating();
    let hasty: fn() -> Recipe = || {
        let credential = r#"
            kind = "oauth-client"
            client_id = "machine"
            client_secret = { env = "QLIK_CLIENT_SECRET" }
            timeout = "300ms""#;
        Recipe::default().credential(credential)
    };
    vec![
        who("no session", |_| String::new()),
        who("a token that is none", |_| "x.y.z".to_owned()),
        who("an expired token", |world| {
            world.sign(json!({"sub": "ada", "exp": 1_700_000_000}))
        }),
        who("another secret's token", |world| {
            let token = world.token("ada");
            let (signed, _) = token.rsplit_once('.').unwrap();
            format!("{signed}.{}", "A".repeat(43))
        }),
        with(
            case("another app", vec![], (403, "not_permitted", 4203)),
            || Recipe::default().access(&format!("apps = [\"{FINANCE_APP}\"]")),
        ),
        case("no such app", dial(refuse(404)), (404, "no_such_app", 4204)),
        case(
            "the engine forbids",
            dial(refuse(403)),
            (502, "engine_refused", 4211),
        ),
        case("the engine breaks", dial(refuse(500)), down),
        case("a bad gateway", dial(refuse(502)), down),
        case("the engine is busy", dial(refuse(503)), busy),
        case("too many for the engine", dial(refuse(429)), busy),
        case("400 from the engine", dial(refuse(400)), down),
        case("426 from the engine", dial(refuse(426)), down),
        case("no upgrade", dial(UpgradeFault::NoUpgrade), down),
        case("a wrong accept key", dial(UpgradeFault::WrongAccept), down),
        case(
            "a protocol nobody offered",
            dial(UpgradeFault::UnofferedProtocol),
            down,
        ),
        case(
            "an extension nobody offered",
            dial(UpgradeFault::UnofferedExtension),
            down,
        ),
        case(
            "a redirect",
            dial(UpgradeFault::Redirect {
                location: location.clone(),
            }),
            down,
        ),
        case("a connection dropped", dial(UpgradeFault::Drop), down),
        with(case("nobody there", vec![], down), || {
            Recipe::default().engine("url = \"http://127.0.0.1:9\"")
        }),
        with(
            case(
                "no answer",
                dial(UpgradeFault::Silence),
                (504, "engine_timeout", 4240),
            ),
            || Recipe::default().engine("dial_timeout = \"300ms\""),
        ),
        case("a key that is refused", dial(refuse(401)), refused),
        with(
            case(
                "a client that is unknown",
                mint(refuse_token(400, "OAUTH-14")),
                refused,
            ),
            per_person,
        ),
        with(
            case(
                "a secret that is wrong",
                mint(refuse_token(401, "HTTP-401")),
                refused,
            ),
            per_person,
        ),
        with(
            case(
                "a person whom Qlik refuses",
                mint(refuse_token(403, "HTTP-403")),
                refused,
            ),
            per_person,
        ),
        with(
            case(
                "tokens are limited",
                mint(TokenFault::RateLimit { retry_after: 60 }),
                unminted,
            ),
            per_person,
        ),
        with(
            case("no token", mint(refuse_token(500, "HTTP-500")), unminted),
            per_person,
        ),
        with(
            case(
                "a page for a token",
                mint(TokenFault::Html { status: 200 }),
                unminted,
            ),
            per_person,
        ),
        with(
            case("half a token", mint(TokenFault::Garbage), unminted),
            per_person,
        ),
        with(
            case(
                "a token elsewhere",
                mint(TokenFault::Redirect { location }),
                unminted,
            ),
            per_person,
        ),
        with(
            case("a token line cut", mint(TokenFault::Drop), unminted),
            per_person,
        ),
        with(
            case("no word of a token", mint(TokenFault::Silence), unminted),
            hasty,
        ),
    ]
}

#[tokio::test]
async fn a_page_reads_a_close_code() {
    for case in cases() {
        let (code, reason) = arrange(&case, Guest::Page, async |knock| knock.closed().await).await;
        assert_eq!(code, case.close, "{}", case.name);
        assert!(!reason.is_empty(), "{}", case.name);
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

async fn assert_statuses(guest: Guest) {
    for case in cases() {
        let answer = arrange(&case, guest, async |knock| knock.refused().await).await;
        assert_eq!(answer.status, case.status, "{}", case.name);
        assert_eq!(answer.json()["error"], case.error, "{}", case.name);
        let names = ["cache-control", "content-length", "content-type", "date"];
        let names = [&names[..], &["x-content-type-options"]].concat();
        assert_eq!(answer.header_names(), names, "{}", case.name);
    }
}

/// Lets a case happen to a guest.
async fn arrange<T>(case: &Case, guest: Guest, act: impl AsyncFnOnce(Knock<'_>) -> T) -> T {
    let recipe = (case.recipe)().route("clients_without_origin = \"bearer\"\n");
    let recipe = match guest {
        Guest::PageThatWantsStatus => recipe.route("refusal = \"status\""),
        Guest::Page | Guest::Program => recipe,
    };
    let world = recipe.start().await;
    for script in &case.scripts {
        world.tenant.script(script.clone());
    }
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
    assert_eq!(
        world
            .metric("qix_proxy_sockets_opened_total{route=\"/qlik\"}")
            .await,
        0.0
    );
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
