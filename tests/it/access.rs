//! What a person may open and do: on the URL, and on every call.

use engine_sim::engine::{FINANCE_APP, PEOPLE_APP, SALES_APP};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Browser, Recipe, World};

/// A claim that lists apps.
fn claimed() -> Recipe {
    Recipe::default().access("apps_claim = \"/qlik/apps\"")
}

fn listed() -> Recipe {
    Recipe::default().access(&format!("apps = [\"{SALES_APP}\", \"{FINANCE_APP}\"]"))
}

fn apps(apps: &Value) -> Value {
    json!({"sub": "ada", "qlik": {"apps": apps}})
}

/// The answer in the engine's place, for the call of that id.
fn denied(id: &Value, method: &str) -> Value {
    let error = json!({"code": 5, "parameter": method, "message": "Access denied"});
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

#[tokio::test]
async fn an_apps_url_is_held_to_the_list_or_the_claim() {
    let sales = json!([SALES_APP]);
    for (recipe, claims, app, opens) in [
        (listed(), json!({"sub": "ada"}), SALES_APP, true),
        (listed(), json!({"sub": "ada"}), FINANCE_APP, true),
        (listed(), json!({"sub": "ada"}), PEOPLE_APP, false),
        (listed(), json!({"sub": "ada"}), "SessionApp_1", false),
        (listed(), json!({"sub": "ada"}), "engineData", true),
        (claimed(), apps(&sales), SALES_APP, true),
        (claimed(), apps(&json!(SALES_APP)), SALES_APP, true),
        (claimed(), apps(&sales), FINANCE_APP, false),
        (claimed(), apps(&json!([])), SALES_APP, false),
        (claimed(), apps(&json!([])), "engineData", false),
        (claimed(), apps(&json!([SALES_APP, 7])), SALES_APP, false),
        (claimed(), apps(&json!({"0": SALES_APP})), SALES_APP, false),
        (claimed(), json!({"sub": "ada"}), SALES_APP, false),
        (Recipe::default(), json!({"sub": "ada"}), PEOPLE_APP, true),
        (
            Recipe::default(),
            json!({"sub": "ada"}),
            "SessionApp_1",
            false,
        ),
    ] {
        let world = recipe.start().await;
        let knock = world.connect(&format!("/qlik/app/{app}"));
        let knock = knock.cookie(&world.sign(claims.clone()));
        if opens {
            knock.open().await.is_alive().await;
        } else {
            let told = knock.closed().await;
            let expected = (4203, "No permission to open the app".to_owned());
            assert_eq!(told, expected, "{claims} {app}");
            assert!(world.tenant.requests().is_empty(), "{claims} {app}");
        }
    }
}

#[tokio::test]
async fn a_call_that_names_another_app_is_answered_and_never_sent_on() {
    let world = listed().start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    for params in [
        json!([PEOPLE_APP]),
        json!([FINANCE_APP]),
        json!([PEOPLE_APP, "", "", "", false]),
        json!({"qDocName": PEOPLE_APP}),
        json!({"qNoData": false, "qDocName": PEOPLE_APP}),
        json!({}),
        json!([]),
        json!([7]),
        json!([[SALES_APP]]),
        json!([SALES_APP.to_uppercase()]),
    ] {
        let answer = ada.call(-1, "OpenDoc", params.clone()).await;
        assert_eq!(answer, denied(&answer["id"], "OpenDoc"), "{params}");
    }
    assert!(
        world.tenant.calls().is_empty(),
        "{:?}",
        world.tenant.calls()
    );
    assert!(ada.open_doc(SALES_APP).await > 0);
    assert_eq!(world.tenant.calls(), ["OpenDoc"]);
}

#[tokio::test]
async fn engine_data_opens_the_persons_apps_and_no_other() {
    let world = claimed().start().await;
    let knock = world.connect("/qlik/app/engineData");
    let mine = apps(&json!([SALES_APP, FINANCE_APP]));
    let mut ada = knock.cookie(&world.sign(mine)).open().await;
    let answer = ada.call(-1, "OpenDoc", json!([PEOPLE_APP])).await;
    assert_eq!(answer["error"]["code"], 5);
    let named = json!({"qDocName": FINANCE_APP});
    let answer = ada.call(-1, "OpenDoc", named).await;
    assert_eq!(
        answer["result"]["qReturn"]["qGenericId"], FINANCE_APP,
        "{answer}"
    );
    assert_eq!(world.tenant.calls(), ["OpenDoc"]);
}

#[tokio::test]
async fn an_app_that_was_taken_away_is_not_found_open() {
    let world = claimed().start().await;
    let visit = async |mine: Value| {
        let mut claims = apps(&mine);
        claims["sid"] = json!("one");
        let knock = world.connect("/qlik/app/engineData");
        knock.cookie(&world.sign(claims)).open().await
    };
    let mut before = visit(json!([SALES_APP, FINANCE_APP])).await;
    before.call(-1, "OpenDoc", json!([FINANCE_APP])).await;

    let reordered = visit(json!([FINANCE_APP, SALES_APP])).await;
    assert_eq!(reordered.session_state(), "SESSION_ATTACHED");

    let mut after = visit(json!([SALES_APP])).await;
    assert_eq!(after.session_state(), "SESSION_CREATED");
    let answer = after.call(-1, "GetActiveDoc", json!([])).await;
    assert!(answer["error"].is_object(), "{answer}");
}

#[tokio::test]
async fn a_consumer_looks_and_selects_and_changes_nothing() {
    let world = listed().start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let doc = ada.open_doc(SALES_APP).await;
    for (handle, method, params) in [
        (-1, "ShutdownProcess", json!([])),
        (-1, "GetDocList", json!([])),
        (-1, "CreateApp", json!(["new"])),
        (-1, "DeleteApp", json!([SALES_APP])),
        (-1, "CopyApp", json!([SALES_APP, SALES_APP])),
        (-1, "CreateSessionApp", json!([])),
        (-1, "CreateSessionAppFromApp", json!([SALES_APP])),
        (-1, "NobodyKnowsThis", json!([])),
        (-1, "openDoc", json!([SALES_APP])),
        (doc, "GetScript", json!([])),
        (doc, "SetScript", json!([""])),
        (doc, "DoReload", json!([])),
        (doc, "doReloadEx", json!([])),
        (doc, "DoSave", json!([])),
        (doc, "CreateConnection", json!([{}])),
        (doc, "GetConnections", json!([])),
        (doc, "ExportData", json!(["CSV_C"])),
        (doc, "Publish", json!([])),
        (77, "GetScriptEx", json!([])),
        (-2, "DoSave", json!([])),
    ] {
        let answer = ada.call(handle, method, params).await;
        assert_eq!(answer, denied(&answer["id"], method));
    }
    assert_eq!(world.tenant.calls(), ["OpenDoc"]);
    let layout = ada.call(doc, "GetAppLayout", json!([])).await;
    assert_eq!(layout["result"]["qLayout"]["qTitle"], "Sales");
    for (reason, count) in [("method", 18), ("session_app", 2)] {
        let name = format!("qix_proxy_denied_calls_total{{reason=\"{reason}\"}}");
        assert_eq!(world.metric(&name).await, count, "{reason}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_denied() {
    let world = listed().start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let call = format!("\"method\":\"OpenDoc\",\"handle\":-1,\"params\":[\"{SALES_APP}\"]");
    let two_methods = format!("{{\"id\":2,{call},\"method\":\"EngineVersion\"}}");
    let two_params = format!("{{\"id\":3,{call},\"params\":[\"{PEOPLE_APP}\"]}}");
    let escaped = format!("{{\"id\":4,{call},\"p\\u0061rams\":[\"{PEOPLE_APP}\"]}}");
    let nested =
        json!({"id": 6, "handle": -1, "method": "OpenDoc", "params": {"qDocName": [PEOPLE_APP]}});
    for (text, id) in [
        (format!("[{{\"id\":1,{call}}}]"), Value::Null),
        (two_methods, json!(2)),
        (two_params, json!(3)),
        (escaped, json!(4)),
        (nested.to_string(), json!(6)),
        ("{\"id\":7}".to_owned(), json!(7)),
        (format!("{{\"id\":8,{call}}} trailing"), json!(8)),
        (format!("{{\"id\":9,{call}"), json!(9)),
        ("null".to_owned(), Value::Null),
        (String::new(), Value::Null),
    ] {
        ada.send(&text).await;
        let answer = ada.receive().await;
        assert_eq!(answer["error"]["code"], 5, "{text}: {answer}");
        assert!(
            answer["id"] == id || answer["id"].is_null(),
            "{text}: {answer}"
        );
    }
    ada.put(Message::binary(format!("{{\"id\":10,{call}}}")))
        .await;
    assert_eq!(ada.receive().await["error"]["code"], 5, "binary");
    assert!(
        world.tenant.calls().is_empty(),
        "{:?}",
        world.tenant.calls()
    );
    ada.is_alive().await;
}

#[tokio::test]
async fn a_denied_call_amid_others_is_answered_and_the_others_too() {
    let world = listed().start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let mut expected = Vec::new();
    for n in 0..50 {
        let method = if n % 2 == 0 {
            "EngineVersion"
        } else {
            "GetDocList"
        };
        expected.push((ada.ask(-1, method, json!([])).await, n % 2 == 1));
    }
    let mut answers = Vec::new();
    for _ in 0..50 {
        let answer = ada.receive().await;
        let code = &answer["error"]["code"];
        answers.push((answer["id"].as_u64().unwrap(), *code == 5));
    }
    answers.sort_unstable();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn session_apps_are_made_where_the_route_has_them() {
    for (access, opens) in [
        ("apps = \"any\"", false),
        ("apps = \"any\"\nsession_apps = true", true),
        ("apps_claim = \"none\"\nsession_apps = true", false),
    ] {
        let world = Recipe::default().access(access).start().await;
        let knock = world.visit("ada", "SessionApp_1700000000000");
        if opens {
            let mut ada: Browser = knock.open().await;
            ada.call(-1, "CreateSessionApp", json!([])).await;
            assert_eq!(world.tenant.calls(), ["CreateSessionApp"]);
        } else {
            assert_eq!(knock.closed().await.0, 4203, "{access}");
        }
    }
}

#[tokio::test]
async fn a_route_of_any_reads_nothing() {
    let access = "apps = \"any\"\nmethods = \"any\"";
    let world: World = Recipe::default().access(access).start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    ada.send("this is no JSON").await;
    let answer = ada.receive().await;
    assert_eq!(
        answer["error"]["code"], -32700,
        "the engine's own answer: {answer}"
    );
    ada.call(-1, "GetDocList", json!([])).await;
    assert_eq!(world.tenant.calls(), ["GetDocList"]);
}
