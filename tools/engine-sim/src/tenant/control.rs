//! `/__sim/…`: what tests, the demo and the load harness read and script over HTTP.

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    refusal::{Answer, reply},
    script::Script,
    shared::Shared,
};

const BODY_LIMIT: usize = 1024 * 1024;

pub(crate) async fn answer(shared: &Shared, head: &Parts, body: Incoming) -> Answer {
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/__sim/requests") => requests(shared, head.uri.query()),
        (&Method::GET, "/__sim/secrets") => found(&json!(shared.vault.secrets())),
        (&Method::GET, "/__sim/state") => found(&json!(shared.ledger.state())),
        (&Method::GET, "/__sim/calls") => found(&json!(shared.ledger.calls())),
        (&Method::GET, "/__sim/unknown") => found(&json!(shared.ledger.unknown())),
        (&Method::POST, "/__sim/reset") => {
            shared.reset();
            found(&json!({}))
        }
        (&Method::POST, "/__sim/script") => match read(body).await {
            Ok(bytes) => script(shared, &bytes),
            Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
        },
        _ => refuse(StatusCode::NOT_FOUND, "no such control"),
    }
}

fn requests(shared: &Shared, query: Option<&str>) -> Answer {
    let mut requests = json!(shared.ledger.requests());
    if query != Some("messages=1") {
        for request in requests.as_array_mut().into_iter().flatten() {
            request
                .as_object_mut()
                .and_then(|request| request.remove("messages"));
        }
    }
    found(&requests)
}

/// One script, or a list of them.
fn script(shared: &Shared, bytes: &[u8]) -> Answer {
    let parsed = serde_json::from_slice::<Value>(bytes).and_then(|value| match value {
        Value::Array(scripts) => scripts.into_iter().map(serde_json::from_value).collect(),
        script => serde_json::from_value::<Script>(script).map(|script| vec![script]),
    });
    match parsed {
        Ok(scripts) => {
            let taken = scripts.len();
            for script in scripts {
                shared.obey(script);
            }
            found(&json!({ "taken": taken }))
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn read(body: Incoming) -> Result<Bytes, String> {
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| error.to_string())
}

fn found(body: &Value) -> Answer {
    reply(StatusCode::OK, body)
}

fn refuse(status: StatusCode, why: &str) -> Answer {
    reply(status, &json!({ "error": why }))
}
