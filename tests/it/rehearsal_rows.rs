//! `check --live`: every row of its advice, provoked at the stand-in for Qlik.

use engine_sim::tenant::{LiveFault, Script, TokenFault, UpgradeFault};
use serde_json::json;

use crate::support::rehearsal::rehearse;
use crate::support::{Recipe, World};

/// Qlik's code, how `check` ends, and words of the mend.
type Row = (&'static str, i32, &'static str);

#[rustfmt::skip] // a row a code
const TOKEN_CODES: &[Row] = &[
    ("AUTH-5", 77, "invite or create the user"),
    ("CSRF-TOKEN-2", 77, "into token_url"),
    ("INTERNAL-TOKEN-1", 77, "subject, name and email"),
    ("LOGIN-2", 77, "check the host of engine.url"),
    ("LOGIN-8", 77, "into token_url"),
    ("LOGIN-10", 77, "into token_url"),
    ("OAUTH-5", 77, "use kind oauth-client or oauth-impersonation: no exchange is needed"),
    ("OAUTH-14", 77, "published and trusted"),
    ("OAUTH-29", 77, "an Origin between"),
    ("invalid_client", 77, "client_auth (body or basic)"),
    ("invalid_grant", 77, "exists and is active"),
    ("invalid_request", 77, "into token_url"),
    ("invalid_scope", 77, "allowedScopes"),
    ("unauthorized_client", 77, "urn:qlik:oauth:user-impersonation"),
    ("unsupported_grant_type", 77, "allow client_credentials"),
];

#[rustfmt::skip] // a row a status
const TOKEN_STATUSES: &[(u16, i32, &str)] = &[
    (400, 77, "check client_id, scope"),
    (401, 77, "make a new secret"),
    (403, 77, "enable the user"),
    (404, 77, "check token_url"),
    (405, 77, "check token_url"),
    (429, 69, "a lower fetches_per_minute"),
    (500, 69, "look at Qlik's status page"),
    (503, 69, "look at Qlik's status page"),
    (418, 77, "check token_url"),
];

#[rustfmt::skip] // a row a status
const UPGRADES: &[(u16, i32, &str)] = &[
    (302, 77, "login page"),
    (400, 77, "link the virtual proxy"),
    (401, 77, "made for the Qlik of"),
    (403, 77, "Host allow list in the QMC"),
    (404, 77, "the prefix in url"),
    (418, 77, "no answer of a Qlik engine"),
    (429, 69, "try again later"),
    (500, 69, "look at Qlik's own logs"),
    (503, 69, "try again later"),
];

#[rustfmt::skip] // a row a notice
const NOTICES: &[Row] = &[
    ("OnLicenseAccessDenied", 77, "professional, analyzer or capacity access"),
    ("OnLicenseAccessDeniedPendingUserSync", 69, "try again in a minute"),
    ("OnExcessLicenseAssignment", 77, "free some in the QMC"),
    ("OnMaxParallelSessionsExceeded", 77, "this user has five sessions"),
    ("OnSessionTimedOut", 69, "inactivity timeout"),
    ("OnSessionClosed", 69, "who else logs this user out"),
    ("OnSessionLoggedOut", 69, "who else logs this user out"),
    ("OnNoEngineAvailable", 69, "start the engine service"),
    ("OnEngineWebsocketFailed", 69, "start the engine service"),
    ("OnNoRepositoryAvailable", 69, "start the repository service"),
    ("OnRepositoryWebsocketFailed", 69, "start the repository service"),
    ("OnTomorrow", 77, "Proxy Service API"),
];

#[rustfmt::skip] // a row a state
const STATES: &[Row] = &[
    ("SESSION_ERROR_NO_LICENSE", 77, "set a licence"),
    ("SESSION_ERROR_LICENSE_RENEW", 77, "renew it"),
    ("SESSION_ERROR_LIMIT_EXCEEDED", 77, "raise the limit"),
    ("SESSION_ERROR_SECURITY_HEADER_CHANGED", 77, "belongs to another user"),
    ("SESSION_ERROR_APP_ACCESS_DENIED", 77, "share the app"),
    ("SESSION_ACCESS_CONTROL_SETUP_FAILURE", 77, "section access"),
    ("SESSION_ERROR_APP_FAILURE", 77, "cannot load the app"),
];

#[rustfmt::skip] // a row a code
const CLOSES: &[(u16, i32, &str)] = &[
    (4002, 77, "licence ran out"),
    (4004, 77, "no such app"),
    (4005, 77, "too many sessions"),
    (4006, 77, "does not take the credential"),
    (4203, 77, "give them a licence"),
    (4204, 77, "no such app"),
    (4205, 77, "too many sessions"),
    (4210, 69, "has no engine"),
    (4211, 69, "has no engine"),
    (4220, 69, "has no engine"),
    (4222, 69, "has no engine"),
    (4230, 77, "give them a licence"),
    (4240, 69, "has no engine"),
    (1000, 69, "closed the socket"),
];

#[rustfmt::skip] // a row a code
const ERRORS: &[(i64, i32, &str)] = &[
    (5, 77, "share the app"),
    (403, 77, "share the app"),
    (3000, 77, "share the app"),
    (4000, 77, "share the app"),
    (401, 77, "does not take the user"),
    (4001, 77, "does not take the user"),
    (12004, 77, "does not take the user"),
    (404, 77, "there is no such app"),
    (1003, 77, "there is no such app"),
    (1008, 69, "could not connect to the app"),
    (5000, 77, "out of licences"),
    (5004, 77, "out of licences"),
    (429, 69, "left alone"),
    (-32601, 77, "look up this code"),
];

struct Trial {
    world: World,
    toml: String,
}

impl Trial {
    async fn of(recipe: Recipe) -> Self {
        let world = World::start().await;
        let toml = recipe.toml(&world.tenant.url());
        Self { world, toml }
    }

    /// Has the stand-in misbehave once; the step that fails, its code and its words are as told.
    async fn holds(
        &self,
        scripts: Vec<Script>,
        (step, code): (&str, &str),
        (exit, mend): (i32, &str),
    ) {
        for script in scripts {
            self.world.tenant.script(script);
        }
        let tried = rehearse(&self.world, &self.toml, &[]).await;
        let (at, said, words) = tried.failure();
        assert_eq!((at, said, tried.code), (step, code, exit), "{words}");
        assert!(words.contains(mend), "{code}: {words}");
        let failed = tried.steps().last().unwrap();
        assert!(
            failed["cause"].is_string() && failed["mend"].is_string(),
            "{words}"
        );
    }
}

fn say(text: &serde_json::Value) -> LiveFault {
    let text = text.to_string();
    LiveFault::Say { text }
}

#[tokio::test]
async fn every_code_and_status_of_the_token_endpoint() {
    let trial = Trial::of(Recipe::default().by_machine()).await;
    let refuse = |status, code: &str| {
        let code = Some(code.to_owned());
        let detail = None;
        vec![Script::Token(TokenFault::Refuse {
            status,
            code,
            detail,
        })]
    };
    for &(code, exit, mend) in TOKEN_CODES {
        let scripts = refuse(400, code);
        trial
            .holds(scripts, ("credential", code), (exit, mend))
            .await;
    }
    for &(status, exit, mend) in TOKEN_STATUSES {
        let scripts = refuse(status, "NEW-1");
        trial
            .holds(scripts, ("credential", "NEW-1"), (exit, mend))
            .await;
    }
}

#[tokio::test]
async fn every_status_of_the_upgrade() {
    let trial = Trial::of(Recipe::default()).await;
    for &(status, exit, mend) in UPGRADES {
        let refuse = UpgradeFault::Refuse { status, body: None };
        let code = status.to_string();
        let scripts = vec![Script::Upgrade(refuse)];
        trial.holds(scripts, ("engine", &code), (exit, mend)).await;
    }
}

#[tokio::test]
async fn every_notice_close_and_error() {
    let trial = Trial::of(Recipe::default()).await;
    for &(method, exit, mend) in NOTICES {
        let (method, message) = (method.to_owned(), String::new());
        let code = method.clone();
        let notice = Script::Call(LiveFault::Notice { method, message });
        trial
            .holds(vec![notice], ("greeting", &code), (exit, mend))
            .await;
    }
    for &(code, exit, mend) in CLOSES {
        let close = LiveFault::Close {
            code: Some(code),
            reason: String::new(),
        };
        let code = code.to_string();
        trial
            .holds(vec![Script::Call(close)], ("greeting", &code), (exit, mend))
            .await;
    }
    for &(code, exit, mend) in ERRORS {
        let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no"}});
        let scripts = vec![Script::Call(say(&error))];
        let code = code.to_string();
        trial
            .holds(scripts, ("greeting", &code), (exit, mend))
            .await;
    }
    let asked =
        json!({"method": "OnAuthenticationInformation", "params": {"mustAuthenticate": true}});
    let scripts = vec![Script::Call(say(&asked))];
    let expected = ("greeting", "mustAuthenticate");
    let mend = "authentication method, session cookie name or header name";
    trial.holds(scripts, expected, (77, mend)).await;
}

/// By themselves: a call that `check` made before it heard the greeting would take what is scripted
/// for the next one's.
#[tokio::test]
async fn every_state_of_the_greeting() {
    let trial = Trial::of(Recipe::default()).await;
    for &(state, exit, mend) in STATES {
        let greeting = json!({"method": "OnConnected", "params": {"qSessionState": state}});
        let scripts = vec![
            Script::Upgrade(UpgradeFault::NoGreeting),
            Script::Next(say(&greeting)),
        ];
        trial
            .holds(scripts, ("greeting", state), (exit, mend))
            .await;
    }
}
