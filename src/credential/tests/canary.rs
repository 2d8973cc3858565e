//! Secrets planted everywhere must show nowhere: not in `Debug`, not in errors, not in the log.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tracing::level_filters::LevelFilter;

use super::support::{Reply, SECRET, TokenServer, machine, person, prepare, secret, shown};
use crate::config::{ApiKey, ClientAuth, ClientProof, Credential};

const TOKEN: &str = "canary-token-4711";
const KEY: &str = "canary-key-4711";

#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn lines(&self, level: &str) -> usize {
        let ours = |line: &&str| line.contains(level) && line.contains("Qlik credential");
        self.text().lines().filter(ours).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// Answers that quote the secret and the token wherever a careless reader would show them.
fn indiscreet(number: usize) -> Reply {
    let basic = STANDARD.encode(format!("client-1:{SECRET}"));
    let title = format!("no: {SECRET} {basic}\n\u{1b}[31m");
    match number % 8 {
        1 => Reply::token(TOKEN),
        2 => Reply::error(401, SECRET, &title),
        3 => Reply::error(500, "X-1", &title),
        4 => Reply::json(200, &json!({"access_token": [TOKEN]})),
        5 => Reply::json(200, &json!({"access_token": format!("{TOKEN} {TOKEN}")})),
        6 => Reply::token(TOKEN).with_header("content-type", "text/html"),
        7 => Reply::error(302, "x", &title).with_header("location", &format!("/?t={TOKEN}")),
        _ => Reply::error(429, "HTTP-429", &title).with_header("x-token", TOKEN),
    }
}

#[tokio::test]
async fn no_canary_is_seen_anywhere() {
    let (log, _guard) = listen();
    let mut seen = String::new();
    let rounds =
        (1..=8).flat_map(|number| [(number, ClientAuth::Body), (number, ClientAuth::Basic)]);
    for (number, client_auth) in rounds {
        let server = TokenServer::start(move |_| indiscreet(number)).await;
        let mut oauth = server.oauth();
        oauth.client.proof = ClientProof::Secret(secret(SECRET), client_auth);
        let credentials = machine(oauth);
        let got = credentials.obtain(&person("ada", &json!({}))).await;
        assert_eq!(got.is_ok(), number == 1, "{number}");
        write!(seen, "{credentials:?} {credentials:#?} {got:?} {got:#?}").unwrap();
        seen.push_str(&got.map_or_else(|error| error.to_string(), |_| String::new()));
    }
    let key = || Credential::ApiKey(ApiKey { key: secret(KEY) });
    let fixed = prepare(key()).unwrap();
    let credential = fixed.obtain(&person("ada", &json!({}))).await.unwrap();
    assert!(shown(&credential).contains(KEY));
    write!(seen, "{fixed:?} {credential:?} {:?}", key()).unwrap();

    seen.push_str(&log.text());
    assert!(log.lines("WARN") == 14, "{}", log.text());
    assert!(seen.contains("status 401") && seen.contains("no: … …"));
    for canary in [
        "canary",
        &STANDARD.encode(format!("client-1:{SECRET}")),
        "\u{1b}",
    ] {
        assert!(!seen.contains(canary), "{canary:?} shows in {seen}");
    }
}

#[tokio::test]
async fn the_operator_is_told_once_and_told_what_to_do() {
    let (log, _guard) = listen();
    let server = TokenServer::start(|_| Reply::error(401, "OAUTH-5", "Unauthorized")).await;
    let credentials =
        super::support::impersonation(server.oauth(), crate::config::LookupField::Subject, "sub");
    for name in ["ada", "bob", "cyd", "ada"] {
        let refused = credentials.obtain(&person(name, &json!({}))).await;
        assert!(refused.is_err());
    }
    assert_eq!(server.seen().len(), 3);
    assert_eq!(log.lines("WARN"), 1, "{}", log.text());
    let text = log.text();
    assert!(text.contains("code OAUTH-5, title \"Unauthorized\", traceId 000000000000abcd"));
    assert!(text.contains("use kind oauth-client or oauth-impersonation: no exchange is needed"));
}
