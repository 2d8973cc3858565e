//! Holds the engine's tables and the recorded list together: a method is in both or in neither.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{Engine, SALES_APP, SessionKey, Socket};

const CALLS: &str = include_str!("../../recorded/calls.json");

fn recorded() -> Vec<Value> {
    serde_json::from_str(CALLS).unwrap()
}

fn send(socket: &mut Socket, handle: &Value, method: &Value, params: &Value) -> Value {
    socket
        .call(&json!({"id": 1, "handle": handle, "method": method, "params": params}))
        .remove(0)
}

/// A socket that has the app open, and a handle of a kind. Masters answer as objects do.
fn desk(engine: &Engine, kind: &str) -> (Socket, Value) {
    let key = SessionKey {
        user: kind.to_owned(),
        app: SALES_APP.to_owned(),
        identity: None,
    };
    let (mut socket, _) = engine.attach(key, Duration::ZERO);
    let mut open = |handle: Value, method: &str, params: Value| {
        let answer = send(&mut socket, &handle, &json!(method), &params);
        answer["result"]["qReturn"]["qHandle"].clone()
    };
    let doc = open(json!(-1), "OpenDoc", json!([SALES_APP]));
    let handle = match kind {
        "Global" => json!(-1),
        "Doc" => doc,
        "Field" => open(doc, "GetField", json!(["Region"])),
        "GenericDimension" => open(doc, "GetDimension", json!(["dimension-main"])),
        "GenericMeasure" => open(doc, "GetMeasure", json!(["measure-main"])),
        _ => open(doc, "GetObject", json!(["chart-bars"])),
    };
    (socket, handle)
}

#[tokio::test]
async fn every_recorded_call_is_answered() {
    let engine = Engine::default();
    for call in recorded() {
        let kind = call["handle"].as_str().unwrap();
        let (mut socket, handle) = desk(&engine, kind);
        assert!(handle.is_i64(), "{kind}");
        send(&mut socket, &handle, &call["method"], &call["params"]);
    }
    assert_eq!(engine.unknown_calls(), Vec::<String>::new());
}

#[test]
fn nothing_is_answered_that_was_not_recorded() {
    let recorded: BTreeSet<_> = recorded()
        .iter()
        .map(|call| call["method"].as_str().unwrap().to_owned())
        .collect();
    let tables = [
        include_str!("calls/global.rs"),
        include_str!("calls/doc.rs"),
        include_str!("calls/field.rs"),
        include_str!("calls/object.rs"),
        include_str!("calls/select.rs"),
    ];
    let known: BTreeSet<_> = tables.iter().flat_map(|table| methods(table)).collect();
    assert!(known.len() > 60, "the tables could be read");
    assert_eq!(
        known.difference(&recorded).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

/// The texts that stand before a `=>`.
fn methods(table: &str) -> Vec<String> {
    let arms = table.lines().filter_map(|line| line.split_once("=>"));
    let names = arms.flat_map(|(patterns, _)| patterns.split('|'));
    let quoted = names.filter_map(|name| name.trim().strip_prefix('"')?.strip_suffix('"'));
    quoted
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(str::to_owned)
        .collect()
}
