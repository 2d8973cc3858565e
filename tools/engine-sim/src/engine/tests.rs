//! The engine as its sockets see it, held against sums made by hand from the same rows.

mod charts;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    BAR_CHART, Engine, FINANCE_APP, KPI, PEOPLE_APP, SALES_APP, SHEET, SessionKey, SessionState,
    Socket, data::Catalogue,
};

const TTL: Duration = Duration::from_mins(1);

fn key(user: &str) -> SessionKey {
    SessionKey {
        user: user.to_owned(),
        app: SALES_APP.to_owned(),
        identity: None,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!` in place"
)]
fn send(socket: &mut Socket, handle: i64, method: &str, params: Value) -> Value {
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "handle": handle, "method": method, "params": params
    });
    let mut messages = socket.call(&request);
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

fn result(socket: &mut Socket, handle: i64, method: &str, params: Value) -> Value {
    let answer = send(socket, handle, method, params);
    assert_eq!(answer.get("error"), None, "{method}");
    answer["result"].clone()
}

fn handle_of(answer: &Value) -> i64 {
    answer["qReturn"]["qHandle"].as_i64().unwrap()
}

fn opened(engine: &Engine, user: &str) -> (Socket, i64) {
    let (mut socket, _) = engine.attach(key(user), TTL);
    let doc = handle_of(&result(&mut socket, -1, "OpenDoc", json!([SALES_APP])));
    (socket, doc)
}

fn cube(dimension: &str, measures: &[&str]) -> Value {
    let measures: Vec<_> = measures
        .iter()
        .map(|m| json!({"qDef": {"qDef": m}}))
        .collect();
    json!({
        "qInfo": {"qType": "chart"},
        "qHyperCubeDef": {
            "qDimensions": [{"qDef": {"qFieldDefs": [dimension]}}],
            "qMeasures": measures,
            "qInitialDataFetch": [{"qTop": 0, "qLeft": 0, "qHeight": 100, "qWidth": 10}],
        },
    })
}

/// The sum of `sum` by `by` over the rows where `keep` holds, straight from the table.
fn sums(
    by: &str,
    sum: &str,
    keep: impl Fn(&dyn Fn(&str) -> String) -> bool,
) -> BTreeMap<String, f64> {
    let catalogue = Catalogue::default();
    let table = &catalogue.find(SALES_APP).unwrap().table;
    let field = |name: &str| table.field(table.find(name).unwrap());
    let mut sums = BTreeMap::new();
    for row in 0..table.rows {
        let text = |name: &str| {
            let field = field(name);
            field.value(field.element(row)).unwrap().text.clone()
        };
        if keep(&text) {
            *sums.entry(text(by)).or_default() += field(sum).number(row).unwrap();
        }
    }
    sums
}

fn shown(layout: &Value) -> BTreeMap<String, f64> {
    let rows = layout["qHyperCube"]["qDataPages"][0]["qMatrix"]
        .as_array()
        .unwrap();
    let row = |row: &Value| {
        (
            row[0]["qText"].as_str().unwrap().to_owned(),
            row[1]["qNum"].as_f64().unwrap(),
        )
    };
    rows.iter().map(row).collect()
}

fn layout(socket: &mut Socket, handle: i64) -> Value {
    result(socket, handle, "GetLayout", json!([]))["qLayout"].clone()
}

#[tokio::test]
async fn a_hypercube_shows_the_sums_of_the_rows() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let made = result(
        &mut socket,
        doc,
        "CreateSessionObject",
        json!([cube("Region", &["Sum(Sales)"])]),
    );
    let object = handle_of(&made);
    let layout = layout(&mut socket, object);
    let expected = sums("Region", "Sales", |_| true);
    assert_eq!(shown(&layout), expected);
    let hypercube = &layout["qHyperCube"];
    assert_eq!(hypercube["qSize"], json!({"qcx": 2, "qcy": expected.len()}));
    let most = expected.values().copied().fold(f64::MIN, f64::max);
    assert_eq!(hypercube["qMeasureInfo"][0]["qMax"].as_f64(), Some(most));
    let total: f64 = expected.values().sum();
    assert_eq!(hypercube["qGrandTotalRow"][0]["qNum"].as_f64(), Some(total));
    let page = json!(["/qHyperCubeDef", [{"qTop": 1, "qLeft": 0, "qHeight": 2, "qWidth": 2}]]);
    let data = result(&mut socket, object, "GetHyperCubeData", page);
    let matrix = data["qDataPages"][0]["qMatrix"].as_array().unwrap();
    assert_eq!(matrix.len(), 2);
    assert_eq!(matrix[0], hypercube["qDataPages"][0]["qMatrix"][1]);
}

#[tokio::test]
async fn a_selection_changes_the_other_charts_and_says_so() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let create = |socket: &mut Socket, by: &str| {
        handle_of(&result(
            socket,
            doc,
            "CreateSessionObject",
            json!([cube(by, &["Sum(Sales)"])]),
        ))
    };
    let (bars, pie) = (
        create(&mut socket, "Region"),
        create(&mut socket, "Category"),
    );
    layout(&mut socket, bars);
    layout(&mut socket, pie);
    let field = handle_of(&result(&mut socket, doc, "GetField", json!(["Region"])));
    let answer = send(
        &mut socket,
        field,
        "SelectValues",
        json!([[{"qText": "Nordics"}], false, false]),
    );
    assert_eq!(answer["result"], json!({"qReturn": true}));
    assert_eq!(answer["change"], json!([bars, pie]));
    let is_nordic = |text: &dyn Fn(&str) -> String| text("Region") == "Nordics";
    assert_eq!(
        shown(&layout(&mut socket, pie)),
        sums("Category", "Sales", is_nordic)
    );
    assert_eq!(
        shown(&layout(&mut socket, bars)),
        sums("Region", "Sales", is_nordic)
    );
    // Told once: the next change of a chart whose layout was not fetched again is no news.
    let again = send(&mut socket, doc, "ClearAll", json!([false]));
    assert_eq!(again["change"], json!([bars, pie]));
    let silent = send(&mut socket, field, "Select", json!(["nord*"]));
    assert_eq!(
        (silent["result"]["qReturn"].clone(), silent.get("change")),
        (json!(true), None)
    );
}

#[tokio::test]
async fn selecting_in_a_chart_keeps_its_bars_until_it_is_confirmed() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let bars = handle_of(&result(
        &mut socket,
        doc,
        "GetObject",
        json!({"qId": BAR_CHART}),
    ));
    let kpi = handle_of(&result(&mut socket, doc, "GetObject", json!([KPI])));
    let all = shown(&layout(&mut socket, bars));
    layout(&mut socket, kpi);
    let begun = send(
        &mut socket,
        bars,
        "BeginSelections",
        json!([["/qHyperCubeDef"]]),
    );
    assert_eq!(begun["change"], json!([bars]));
    let select = json!(["/qHyperCubeDef", 0, [0], true]);
    assert_eq!(
        result(&mut socket, bars, "SelectHyperCubeValues", select)["qSuccess"],
        true
    );
    let during = layout(&mut socket, bars);
    assert_eq!(
        during["qSelectionInfo"],
        json!({"qInSelections": true, "qMadeSelections": true})
    );
    assert_eq!(shown(&during), all);
    let number =
        layout(&mut socket, kpi)["qHyperCube"]["qDataPages"][0]["qMatrix"][0][0]["qNum"].clone();
    let confirmed = send(&mut socket, bars, "EndSelections", json!([true]));
    assert_eq!(confirmed["change"], json!([bars]));
    let after = shown(&layout(&mut socket, bars));
    assert_eq!(after.len(), 1);
    assert_eq!(number.as_f64(), after.values().next().copied());
    let refused = send(
        &mut socket,
        bars,
        "BeginSelections",
        json!([["/qHyperCubeDef"]]),
    );
    assert_eq!(refused.get("error"), None);
    let other = send(&mut socket, doc, "ClearAll", json!([]));
    assert_eq!(other["error"]["code"], 6003);
    result(&mut socket, doc, "AbortModal", json!([false]));
    result(&mut socket, doc, "Back", json!([]));
    assert_eq!(shown(&layout(&mut socket, bars)), all);
}

#[tokio::test]
async fn an_engine_session_is_shared_and_outlives_its_sockets_by_its_ttl() {
    tokio::time::pause();
    let engine = Engine::default();
    let (mut one, doc) = opened(&engine, "ann");
    let (mut two, state) = engine.attach(key("ann"), TTL);
    assert_eq!(state, SessionState::Attached);
    assert_eq!(
        send(&mut two, -1, "OpenDoc", json!({"qDocName": SALES_APP}))["error"]["code"],
        1002
    );
    let second = handle_of(&result(&mut two, -1, "GetActiveDoc", json!([])));
    let object = handle_of(&result(&mut two, second, "GetObject", json!([KPI])));
    let total = layout(&mut two, object);
    let mut changes = two.changes();
    let field = handle_of(&result(&mut one, doc, "GetField", json!(["Year"])));
    result(
        &mut one,
        field,
        "SelectValues",
        json!([[{"qIsNumeric": true, "qNumber": 2024}]]),
    );
    // The clock stands still, so that a push that never comes is a failure at once.
    let push = tokio::time::timeout(TTL, changes.next()).await.unwrap();
    assert_eq!(push, json!({"jsonrpc": "2.0", "change": [object]}));
    assert_ne!(layout(&mut two, object), total);
    drop(one);
    drop(two);
    tokio::time::advance(TTL / 2).await;
    let (third, state) = engine.attach(key("ann"), TTL);
    assert_eq!(
        (state, engine.sessions().len()),
        (SessionState::Attached, 1)
    );
    drop(third);
    tokio::time::advance(TTL).await;
    assert_eq!(engine.attach(key("ann"), TTL).1, SessionState::Created);
    assert_eq!(engine.attach(key("bob"), TTL).1, SessionState::Created);
}

#[tokio::test]
async fn what_nobody_recorded_is_unknown_and_kept() {
    let engine = Engine::default();
    let (mut socket, doc) = opened(&engine, "ann");
    let answer = send(&mut socket, doc, "Frobnicate", json!([]));
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!(1), &json!(-32601))
    );
    send(&mut socket, doc, "Frobnicate", json!([]));
    send(&mut socket, -1, "ShutdownProcess", json!([]));
    assert_eq!(
        engine.unknown_calls(),
        ["Doc.Frobnicate", "Global.ShutdownProcess"]
    );
    assert_eq!(
        send(&mut socket, 99, "GetLayout", json!([]))["error"]["code"],
        -32602
    );
    assert_eq!(socket.call(&json!([]))[0]["error"]["code"], -32600);
}

#[tokio::test]
async fn apps_are_found_by_id_alone() {
    let engine = Engine::default();
    for (id, title) in engine.apps() {
        let (mut socket, _) = engine.attach(key(&title), TTL);
        let none = send(&mut socket, -1, "GetActiveDoc", json!([]));
        assert_eq!(none["error"]["code"], 1017);
        assert_eq!(
            send(&mut socket, -1, "OpenDoc", json!(["nope"]))["error"]["code"],
            1003
        );
        let doc = handle_of(&result(&mut socket, -1, "OpenDoc", json!([id])));
        assert_eq!(
            result(&mut socket, doc, "GetAppLayout", json!([]))["qLayout"]["qTitle"],
            title
        );
        let sheet = handle_of(&result(&mut socket, doc, "GetObject", json!([SHEET])));
        let children = &layout(&mut socket, sheet)["qChildList"]["qItems"];
        assert_eq!(children.as_array().map(Vec::len), Some(3), "{children}");
        let missing = result(&mut socket, doc, "GetObject", json!(["nope"]));
        assert_eq!(missing["qReturn"], json!({"qType": null, "qHandle": null}));
    }
    let ids: Vec<_> = engine.apps().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [SALES_APP, FINANCE_APP, PEOPLE_APP]);
}

#[tokio::test]
async fn delta_answers_hold_what_changed() {
    let (mut socket, doc) = opened(&Engine::default(), "ann");
    let object = handle_of(&result(&mut socket, doc, "GetObject", json!([KPI])));
    let ask =
        json!({"id": 5, "handle": object, "method": "GetLayout", "params": [], "delta": true});
    let first = socket.call(&ask).remove(0);
    assert_eq!(
        (&first["delta"], &first["result"]["qLayout"][0]["path"]),
        (&json!(true), &json!("/"))
    );
    assert_eq!(socket.call(&ask)[0]["result"]["qLayout"], json!([]));
    let field = handle_of(&result(&mut socket, doc, "GetField", json!(["Category"])));
    result(&mut socket, field, "Select", json!(["Bikes"]));
    let patches = socket.call(&ask)[0]["result"]["qLayout"].clone();
    let paths: Vec<_> = patches
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"/qHyperCube/qDataPages/0/qMatrix/0/0/qNum"),
        "{paths:?}"
    );
}
