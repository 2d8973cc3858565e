//! `check --live`: the way to Qlik, tried for a named somebody, and explained.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script, TokenFault, UpgradeFault};

use crate::support::rehearsal::{check, rehearse};
use crate::support::{Recipe, World};

async fn world(recipe: Recipe) -> (World, String) {
    let engine = "dial_timeout = \"2s\"";
    let recipe = recipe.engine(engine);
    let world = World::start().await;
    let toml = recipe.toml(&world.tenant.url());
    (world, toml)
}

fn refuse(status: u16, code: &str) -> Script {
    Script::Token(TokenFault::Refuse {
        status,
        code: Some(code.to_owned()),
        detail: None,
    })
}

fn upgrade(status: u16) -> Script {
    Script::Upgrade(UpgradeFault::Refuse { status, body: None })
}

fn notice(method: &str) -> Script {
    Script::Call(LiveFault::Notice {
        method: method.to_owned(),
        message: "by script".to_owned(),
    })
}

fn close(code: u16) -> Script {
    Script::Call(LiveFault::Close {
        code: Some(code),
        reason: String::new(),
    })
}

#[tokio::test]
async fn a_route_that_works_is_tried_to_its_end() {
    let (world, toml) = world(Recipe::default().impersonating()).await;
    let arguments = ["--subject", "ada", "--app", SALES_APP];
    let tried = rehearse(&world, &toml, &arguments).await;
    assert_eq!(tried.code, 0, "{:#}", tried.json);
    let names: Vec<_> = tried.steps().iter().map(|step| &step["step"]).collect();
    assert_eq!(names, ["access", "credential", "engine", "greeting", "app"]);
    let greeting = tried.steps()[3]["saw"].as_str().unwrap();
    assert!(
        greeting.contains("session created") && greeting.contains("\"ada\""),
        "{greeting}"
    );
    let calls = world.tenant.calls();
    assert_eq!(calls, ["EngineVersion", "GetAuthenticatedUser", "OpenDoc"]);

    let arguments = ["--live", "--subject", "ada"];
    let (code, said) = check(&world, &toml, &arguments).await;
    assert_eq!(code, 0);
    assert!(
        said.starts_with("/qlik, for \"ada\"\n  access      good "),
        "{said}"
    );
}

#[tokio::test]
async fn each_refusal_of_the_token_endpoint_is_explained() {
    let recipe = Recipe::default().by_machine();
    let (world, toml) = world(recipe).await;
    for (script, code, qlik, mend) in [
        (
            refuse(401, "OAUTH-5"),
            77,
            "OAUTH-5",
            "no exchange is needed",
        ),
        (
            refuse(400, "OAUTH-14"),
            77,
            "OAUTH-14",
            "published and trusted",
        ),
        (refuse(403, "OAUTH-29"), 77, "OAUTH-29", "an Origin between"),
        (
            refuse(403, "AUTH-5"),
            77,
            "AUTH-5",
            "invite or create the user",
        ),
        (refuse(500, "HTTP-500"), 69, "HTTP-500", "status page"),
        (
            Script::Token(TokenFault::RateLimit { retry_after: 9 }),
            69,
            "HTTP-429",
            "fetches_per_minute",
        ),
        (
            Script::Token(TokenFault::Html { status: 200 }),
            69,
            "",
            "check the URL",
        ),
    ] {
        world.tenant.script(script);
        let tried = rehearse(&world, &toml, &[]).await;
        let (step, said, words) = tried.failure();
        assert_eq!(
            (step, said, tried.code),
            ("credential", qlik, code),
            "{words}"
        );
        assert!(words.contains(mend), "{words}");
    }
}

#[tokio::test]
async fn each_refusal_of_the_upgrade_is_explained() {
    let (world, toml) = world(Recipe::default()).await;
    let location = "/login".to_owned();
    for (script, code, status, mend) in [
        (upgrade(400), 77, "400", "link the virtual proxy"),
        (upgrade(401), 77, "401", "does not take the credential"),
        (upgrade(401), 77, "401", "at a bare engine the secret"),
        (upgrade(403), 77, "403", "Host allow list in the QMC"),
        (upgrade(404), 77, "404", "the prefix in url"),
        (upgrade(503), 69, "503", "try again later"),
        (
            Script::Upgrade(UpgradeFault::Redirect { location }),
            77,
            "302",
            "login page",
        ),
        (
            Script::Upgrade(UpgradeFault::NoUpgrade),
            77,
            "200",
            "no answer of a Qlik engine",
        ),
        (
            Script::Upgrade(UpgradeFault::WrongAccept),
            69,
            "",
            "passes `Upgrade",
        ),
        (
            Script::Upgrade(UpgradeFault::Silence),
            69,
            "",
            "raise dial_timeout",
        ),
        (
            Script::Upgrade(UpgradeFault::Drop),
            69,
            "",
            "no Qlik engine answers",
        ),
    ] {
        world.tenant.script(script);
        let tried = rehearse(&world, &toml, &[]).await;
        let (step, said, words) = tried.failure();
        assert_eq!(
            (step, said, tried.code),
            ("engine", status, code),
            "{words}"
        );
        assert!(words.contains(mend), "{words}");
    }
    let nowhere = toml.replace(&world.tenant.url(), "http://127.0.0.1:9");
    let tried = rehearse(&world, &nowhere, &[]).await;
    assert!(tried.failure().2.contains("firewalls"), "{:#}", tried.json);
    let tls = toml.replace("http://", "https://");
    let tried = rehearse(&world, &tls, &[]).await;
    assert!(tried.failure().2.contains("root.pem"), "{:#}", tried.json);
}

#[tokio::test]
async fn whatever_ends_the_first_words_is_explained() {
    let (world, toml) = world(Recipe::default()).await;
    for (script, code, qlik, mend) in [
        (
            notice("OnLicenseAccessDenied"),
            77,
            "OnLicenseAccessDenied",
            "analyzer",
        ),
        (
            notice("OnMaxParallelSessionsExceeded"),
            77,
            "OnMaxParallelSessionsExceeded",
            "five",
        ),
        (
            notice("OnNoEngineAvailable"),
            69,
            "OnNoEngineAvailable",
            "engine service",
        ),
        (notice("OnTomorrow"), 77, "OnTomorrow", "Proxy Service API"),
        (close(4204), 77, "4204", "no such app"),
        (close(4006), 77, "4006", "does not take the credential"),
        (close(4240), 69, "4240", "no engine"),
        (Script::Call(LiveFault::Drop), 69, "", "cut"),
        (Script::Call(LiveFault::Mute), 69, "", "answers no call"),
    ] {
        world.tenant.script(script);
        let tried = rehearse(&world, &toml, &[]).await;
        let (step, said, words) = tried.failure();
        assert_eq!(
            (step, said, tried.code),
            ("greeting", qlik, code),
            "{words}"
        );
        assert!(words.contains(mend), "{words}");
    }
    let asked = r#"{"method":"OnAuthenticationInformation","params":{"mustAuthenticate":true}}"#;
    let text = asked.to_owned();
    world.tenant.script(Script::Call(LiveFault::Say { text }));
    let tried = rehearse(&world, &toml, &[]).await;
    assert_eq!(tried.failure().1, "mustAuthenticate");
    world
        .tenant
        .script(Script::Upgrade(UpgradeFault::NoGreeting));
    let state = r#"{"method":"OnConnected","params":{"qSessionState":"SESSION_ERROR_NO_LICENSE"}}"#;
    let text = state.to_owned();
    world.tenant.script(Script::Next(LiveFault::Say { text }));
    let tried = rehearse(&world, &toml, &[]).await;
    assert_eq!(tried.failure().1, "SESSION_ERROR_NO_LICENSE");
}

#[tokio::test]
async fn an_app_that_is_not_there_or_not_theirs_is_told_apart() {
    let (first, toml) = world(Recipe::default()).await;
    let tried = rehearse(&first, &toml, &["--app", "no-such-app"]).await;
    assert_eq!(
        (tried.failure().0, tried.failure().1, tried.code),
        ("app", "1003", 77)
    );

    let recipe = Recipe::default().access("apps_claim = \"qlik_apps\"");
    let (world, toml) = world(recipe).await;
    let tried = rehearse(&world, &toml, &["--app", SALES_APP]).await;
    assert_eq!((tried.failure().0, tried.code), ("access", 77));
    assert!(tried.failure().2.contains("--as claim=value"));
    assert!(world.tenant.requests().is_empty());
    let claim = format!("qlik_apps=[\"{SALES_APP}\"]");
    let tried = rehearse(&world, &toml, &["--app", SALES_APP, "--as", &claim]).await;
    assert_eq!(tried.code, 0, "{:#}", tried.json);
}

#[tokio::test]
async fn nobody_named_and_nothing_found_are_said_so() {
    let (world, toml) = world(Recipe::default().impersonating()).await;
    let tried = rehearse(&world, &toml, &[]).await;
    assert_eq!((tried.failure().0, tried.code), ("credential", 77));
    assert!(tried.failure().2.contains("--subject"), "{:#}", tried.json);
    assert!(world.tenant.requests().is_empty());
    let tried = rehearse(&world, &toml, &["--as", "sub=ada"]).await;
    assert_eq!(tried.code, 0, "{:#}", tried.json);

    for (arguments, said) in [
        (vec!["--live", "--route", "/none"], "there are \"/qlik\""),
        (vec!["--live", "--app", "?x"], "no app's id"),
        (vec!["--live", "--as", "ada"], "claim=value"),
        (vec!["--subject", "ada"], "--live"),
    ] {
        let (code, complaint) = check(&world, &toml, &arguments).await;
        assert_eq!(code, 64, "{complaint}");
        assert!(complaint.contains(said), "{complaint}");
    }
}
