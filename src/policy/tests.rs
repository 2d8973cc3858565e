use serde_json::{Map, json};

use super::*;
use crate::id::{Issuer, Subject};
use crate::person::ClaimPath;

const A: &str = "app-a";
const B: &str = "app-b";

fn person(claims: &Value) -> Person {
    let claims = claims.as_object().cloned().unwrap_or_else(Map::new);
    Person::new(Issuer::new("i"), Subject::new("ada"), None, claims)
}

fn access(apps: Apps, methods: Methods) -> Access {
    Access {
        apps,
        methods,
        session_apps: false,
    }
}

fn with_session_apps(access: Access) -> Access {
    Access {
        session_apps: true,
        ..access
    }
}

fn listed(apps: &[&str]) -> Apps {
    Apps::Listed(apps.iter().map(|&app| AppId::new(app)).collect())
}

fn target(document: &str) -> Target {
    Target::parse(&[document]).unwrap()
}

fn permitted(access: &Access, document: &str) -> Permit {
    permit(access, &person(&json!({})), &target(document)).unwrap()
}

fn reason(permit: &Permit, message: &str) -> Option<DenyReason> {
    match permit.judge(MessageKind::Text, message.as_bytes()) {
        Verdict::Deny(denied) => Some(denied.reason),
        Verdict::Pass => None,
    }
}

/// What a permit says to a call, for each row.
#[track_caller]
fn assert_judged(permit: &Permit, table: &[(i32, &str, Value, Option<DenyReason>)]) {
    for (handle, method, params, expected) in table {
        let message = json!({"jsonrpc": "2.0", "id": 1, "handle": handle, "method": method, "params": params});
        assert_eq!(reason(permit, &message.to_string()), *expected, "{message}");
    }
}

#[test]
fn an_app_is_permitted_by_list_by_claim_or_to_all() {
    let claim = || Apps::Claimed(ClaimPath::new("apps"));
    let ok = Ok(());
    let no = Err(Fault::NotPermitted);
    let table = [
        (listed(&[A, B]), json!({}), A, ok),
        (listed(&[A]), json!({}), B, no),
        (listed(&[A]), json!({}), "APP-A", no),
        (listed(&[A]), json!({}), "engineData", ok),
        (listed(&[]), json!({}), "engineData", no),
        (Apps::Any, json!({}), B, ok),
        (Apps::Any, json!({}), "engineData", ok),
        (claim(), json!({"apps": [A, B]}), B, ok),
        (claim(), json!({"apps": A}), A, ok),
        (claim(), json!({"apps": [A]}), "engineData", ok),
        (claim(), json!({"apps": [A]}), B, no),
        (claim(), json!({"apps": []}), "engineData", no),
        (claim(), json!({}), A, no),
        (claim(), json!({"apps": [A, 7]}), A, no),
        (claim(), json!({"apps": [A, ""]}), A, no),
        (claim(), json!({"apps": [[A]]}), A, no),
        (claim(), json!({"apps": {"0": A}}), A, no),
        (claim(), json!({"apps": null}), A, no),
        (claim(), json!({"apps": true}), "engineData", no),
        (claim(), json!({"apps": "app-a,app-b"}), A, no),
        (claim(), json!({"apps": "*"}), A, no),
    ];
    for (apps, claims, document, expected) in table {
        let access = access(apps, Methods::Consumer);
        let outcome = permit(&access, &person(&claims), &target(document)).map(|_| ());
        assert_eq!(outcome, expected, "{document} by {access:?} of {claims}");
    }
}

#[test]
fn a_session_app_is_permitted_only_where_the_route_has_them() {
    for document in ["SessionApp_17", "sessionapp_x", "?transient="] {
        for apps in [Apps::Any, listed(&[A])] {
            let without = access(apps, Methods::Any);
            let nobody = person(&json!({}));
            let fault = permit(&without, &nobody, &target(document)).map(|_| ());
            assert_eq!(fault, Err(Fault::NotPermitted), "{document}");
            let with = with_session_apps(without);
            assert!(
                permit(&with, &nobody, &target(document)).is_ok(),
                "{document}"
            );
        }
    }
}

#[test]
fn only_any_with_any_reads_nothing() {
    let reading = |apps, methods| permitted(&access(apps, methods), A).reading();
    assert_eq!(reading(Apps::Any, Methods::Any), Reading::Nothing);
    assert_eq!(reading(Apps::Any, Methods::Consumer), Reading::EveryMessage);
    assert_eq!(reading(listed(&[A]), Methods::Any), Reading::EveryMessage);
    let permit = permitted(&access(Apps::Any, Methods::Any), A);
    assert_eq!(permit.judge(MessageKind::Binary, b"\xff"), Verdict::Pass);
}

#[test]
fn an_app_s_url_holds_every_call_to_that_app() {
    let app = Some(DenyReason::App);
    let table = [
        (-1, "OpenDoc", json!([A, "", "", "", false]), None),
        (-1, "OpenDoc", json!({"qDocName": A}), None),
        (-1, "OpenDoc", json!([B]), app),
        (-1, "OpenDoc", json!({"qDocName": B}), app),
        (-1, "OpenDoc", json!({"qAppId": A}), app),
        (-1, "OpenDoc", json!([]), app),
        (-1, "OpenDoc", json!({}), app),
        (-1, "OpenDoc", json!([[A]]), app),
        (-1, "OpenDoc", json!(["app-A"]), app),
        (-1, "OpenDoc", json!(["SessionApp_17"]), app),
        (1, "OpenDoc", json!([B]), app),
        (1, "opendoc", json!([B]), app),
    ];
    for methods in [Methods::Consumer, Methods::Any] {
        let permit = permitted(&access(listed(&[A, B]), methods), A);
        assert_judged(&permit, &table);
    }
}

#[test]
fn engine_data_holds_every_call_to_the_person_s_apps() {
    let permit = permitted(&access(listed(&[A, B]), Methods::Consumer), "engineData");
    let table = [
        (-1, "OpenDoc", json!([A]), None),
        (-1, "OpenDoc", json!([B]), None),
        (-1, "OpenDoc", json!(["app-c"]), Some(DenyReason::App)),
        (-1, "OpenDoc", json!([""]), Some(DenyReason::App)),
    ];
    assert_judged(&permit, &table);
}

#[test]
fn a_consumer_looks_and_selects() {
    let method = Some(DenyReason::Method);
    let table = [
        (-1, "GetProgress", json!([3]), None),
        (-1, "GetActiveDoc", json!([]), None),
        (-1, "EngineVersion", json!([]), None),
        (-1, "GetAuthenticatedUser", json!([]), None),
        (-1, "GetDocList", json!([]), method),
        (-1, "engineversion", json!([]), method),
        (-1, "GetAppLayout", json!([]), method),
        (-1, "MadeUpYesterday", json!([]), method),
        (0, "GetFolderItemsForPath", json!([""]), method),
        (-1, "DeleteApp", json!([A]), method),
        (1, "DeleteApp", json!([A]), method),
        (
            1,
            "CreateSessionObject",
            json!([{"qMethod": "DoReload"}]),
            None,
        ),
        (2, "GetLayout", json!([]), None),
        (2, "SelectListObjectValues", json!(["/q", [1], true]), None),
        (2, "MadeUpYesterday", json!([]), None),
        (1, "DoReload", json!([]), method),
        (1, "doreloadEX", json!([]), method),
        (1, "GetScript", json!([]), method),
        (1, "SetScript", json!(["LOAD 1;"]), method),
        (1, "CreateConnection", json!([{}]), method),
        (1, "DoSave", json!([]), method),
        (1, "Publish", json!([]), method),
        (1, "SetAppProperties", json!([{}]), method),
        (3, "ExportData", json!(["CSV_C"]), method),
        (1, "BulkRequest", json!([{}]), method),
        (
            -1,
            "CreateSessionApp",
            json!([]),
            Some(DenyReason::SessionApp),
        ),
    ];
    for apps in [Apps::Any, listed(&[A])] {
        assert_judged(&permitted(&access(apps, Methods::Consumer), A), &table);
    }
}

#[test]
fn any_method_passes_but_what_reaches_another_app() {
    let app = Some(DenyReason::App);
    let table = [
        (1, "DoReload", json!([]), None),
        (1, "SetScript", json!(["LOAD 1;"]), None),
        (1, "MadeUpYesterday", json!([B]), None),
        (1, "DoSave", json!([]), None),
        (1, "DoSave", json!([""]), None),
        (1, "DoSave", json!([A]), None),
        (1, "DoSave", json!([B]), app),
        (1, "DoSave", json!({"qfilename": ""}), app),
        (1, "SaveAs", json!(["new"]), app),
        (1, "TransformApp", json!([{"qName": "new"}]), app),
        (1, "BulkRequest", json!([{"qOperations": []}]), app),
        (-1, "GetStreamList", json!([]), None),
        (-1, "GetAppEntry", json!([A]), None),
        (-1, "GetAppEntry", json!({"qAppID": B}), app),
        (-1, "GetAppEntry", json!({"qAppId": A}), app),
        (-1, "CopyApp", json!([A, B]), app),
        (-1, "CopyApp", json!([A]), app),
        (
            -1,
            "CopyApp",
            json!({"qSrcAppId": B, "qTargetAppId": A}),
            app,
        ),
        (-1, "CopyApp", json!([A, A]), None),
        (
            -1,
            "ReplaceAppFromID",
            json!({"qTargetAppId": A, "qSrcAppID": B}),
            app,
        ),
        (-1, "ReplaceAppFromPath", json!([A, "/b.qvf"]), app),
        (-1, "ImportApp", json!([A, "/b.qvf"]), app),
        (-1, "ExportApp", json!(["/out", B]), app),
        (-1, "ExportApp", json!(["/out", A]), None),
        (-1, "DeleteApp", json!([B]), app),
        (-1, "PublishApp", json!([B]), app),
        (-1, "CreateApp", json!(["new"]), app),
        (-1, "GetDocList", json!([]), app),
        (-1, "MadeUpYesterday", json!([]), Some(DenyReason::Method)),
        (-1, "DoReload", json!([]), Some(DenyReason::Method)),
        (-1, "getstreamlist", json!([]), Some(DenyReason::Method)),
        (
            -1,
            "CreateSessionApp",
            json!([]),
            Some(DenyReason::SessionApp),
        ),
    ];
    assert_judged(&permitted(&access(listed(&[A]), Methods::Any), A), &table);
}

#[test]
fn a_session_app_is_made_of_a_permitted_app_and_opened_by_its_own_name() {
    let app = Some(DenyReason::App);
    let table = [
        (-1, "CreateSessionApp", json!([]), None),
        (-1, "CreateSessionAppFromApp", json!([A]), None),
        (-1, "CreateSessionAppFromApp", json!([B]), app),
        (-1, "CreateSessionAppFromApp", json!([]), app),
        (
            -1,
            "OpenDoc",
            json!(["SessionApp_17", "", "", "", false]),
            None,
        ),
        (-1, "OpenDoc", json!(["SessionApp_18"]), app),
        (1, "SetScript", json!(["LOAD 1;"]), Some(DenyReason::Method)),
    ];
    let access = with_session_apps(access(listed(&[A]), Methods::Consumer));
    assert_judged(&permitted(&access, "SessionApp_17"), &table);
}

#[test]
fn what_is_not_understood_is_denied_and_answered() {
    let permit = permitted(&access(listed(&[A]), Methods::Consumer), A);
    let table: [(MessageKind, &[u8], DenyReason); 4] = [
        (
            MessageKind::Binary,
            br#"{"method":"GetLayout","handle":1}"#,
            DenyReason::Binary,
        ),
        (
            MessageKind::Text,
            br#"[{"method":"GetLayout","handle":1}]"#,
            DenyReason::Unreadable,
        ),
        (MessageKind::Text, b"\xff", DenyReason::Unreadable),
        (MessageKind::Text, b"", DenyReason::Unreadable),
    ];
    for (kind, payload, reason) in table {
        let Verdict::Deny(denied) = permit.judge(kind, payload) else {
            panic!("{payload:?} passed");
        };
        assert_eq!(denied.reason, reason);
        let answer: Value = serde_json::from_slice(&denied.answer).unwrap();
        assert_eq!(answer["error"]["code"], json!(5));
        assert_eq!(answer["id"], Value::Null);
    }
}

#[test]
fn a_reason_has_a_label_of_its_own() {
    let mut labels = DenyReason::ALL.map(DenyReason::label).to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), DenyReason::ALL.len());
}
