//! The Global handle.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{
    data::App,
    rpc::{Answer, Fault, nothing, out},
    session::Target,
};

use super::Desk;

pub(super) fn answer(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "OpenDoc" => open_doc(desk),
        "GetActiveDoc" => active_doc(desk),
        "CreateSessionApp" => create_session_app(desk),
        "EngineVersion" => Ok(out("qVersion", json!({ "qComponentVersion": "12.2027.0" }))),
        "GetAuthenticatedUser" => Ok(out("qReturn", json!(desk.session.key.user))),
        "GetProgress" => Ok(out("qProgressData", no_progress())),
        "CancelRequest" => Ok(nothing()),
        "AllowCreateApp" | "IsPersonalMode" => Ok(out("qReturn", json!(false))),
        "GetConfiguration" => Ok(configuration(desk)),
        "GetDocList" => Ok(out("qDocList", doc_list(desk))),
        "GetBaseBNFHash" => Ok(out("qBnfHash", json!("0"))),
        "CreateApp" => Ok(created_app()),
        "DeleteApp" => Ok(out("qSuccess", json!(true))),
        _ => Err(desk.unknown("Global")),
    }
}

fn open_doc(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let id = desk.request.text(0, "qDocName")?;
    let app = match desk.session.catalogue.find(id) {
        Some(app) => Arc::clone(app),
        None if is_session_app(id) && id == desk.session.key.app => Arc::new(App::empty(id)),
        None => return Err(Fault::app_not_found(id)),
    };
    desk.session.open(app)?;
    Ok(out("qReturn", doc_interface(desk)?))
}

/// A session app needs no opening: the URL names it, and it is there.
fn active_doc(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let id = desk.session.key.app.clone();
    if is_session_app(&id) && desk.session.doc().is_err() {
        desk.session.open(Arc::new(App::empty(&id)))?;
    }
    Ok(out("qReturn", doc_interface(desk)?))
}

fn create_session_app(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let named = desk.session.key.app.clone();
    let id = if is_session_app(&named) {
        named
    } else {
        format!("SessionApp_{}", desk.seat)
    };
    desk.session.open(Arc::new(App::empty(&id)))?;
    let mut answer = out("qReturn", doc_interface(desk)?);
    answer.insert("qSessionAppId".to_owned(), json!(id));
    Ok(answer)
}

fn is_session_app(id: &str) -> bool {
    id.starts_with("SessionApp_")
}

fn doc_interface(desk: &mut Desk<'_>) -> Result<Value, Fault> {
    let id = desk.session.doc()?.app.id.clone();
    Ok(desk.interface(Target::Doc, "Doc", Some(&id)))
}

/// What the engine says of a request it does not know, or no longer: every request here is
/// answered before the next one is read.
fn no_progress() -> Value {
    json!({
        "qStarted": true, "qFinished": true, "qCompleted": 0, "qTotal": 0, "qKB": 0,
        "qMillisecs": 0, "qErrorData": [], "qPersistentProgressMessages": [],
        "qTransientProgressMessage": { "qMessageCode": 0, "qMessageParameters": [""] },
    })
}

fn configuration(desk: &Desk<'_>) -> Answer {
    let name = desk.request.param(0, "name").as_str().unwrap_or_default();
    let features = json!({ "features": {} });
    Answer::from_iter([
        ("qConfig".to_owned(), features),
        ("qName".to_owned(), json!(name)),
    ])
}

fn doc_list(desk: &Desk<'_>) -> Value {
    let entry = |app: &App| {
        json!({
            "qDocName": app.id, "qConnectedUsers": 0, "qFileTime": 0, "qFileSize": 0,
            "qDocId": app.id, "qMeta": {}, "qLastReloadTime": "2026-01-01T00:00:00.000Z",
            "qTitle": app.title, "qThumbnail": { "qUrl": "" },
        })
    };
    desk.session.catalogue.apps().map(entry).collect()
}

/// Nothing is made: only a test that a proxy denies this ever gets here.
fn created_app() -> Answer {
    let mut answer = out("qSuccess", json!(true));
    answer.insert(
        "qAppId".to_owned(),
        json!("00000000-0000-4000-8000-000000000000"),
    );
    answer
}
