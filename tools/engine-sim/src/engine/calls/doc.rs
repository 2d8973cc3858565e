//! The handle of an app.

use serde_json::{Value, json};

use crate::engine::{
    association::Lock,
    doc::{Ending, Step},
    expression::{Expression, Incalculable},
    number,
    rpc::{Answer, Fault, nothing, out},
    session::Target,
};

use super::{Desk, no_interface};

pub(super) fn answer(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "GetAppLayout" => Ok(out("qLayout", app_layout(desk)?)),
        "GetAppProperties" => Ok(out("qProp", app_properties(desk)?)),
        "GetAllInfos" => Ok(out("qInfos", all_infos(desk)?)),
        "CreateSessionObject" => create_session_object(desk),
        "DestroySessionObject" => destroy(desk),
        "GetObject" => object(desk, "GenericObject"),
        "GetDimension" => object(desk, "GenericDimension"),
        "GetMeasure" => object(desk, "GenericMeasure"),
        "GetField" => field(desk),
        "GetFieldDescription" => field_description(desk),
        "Evaluate" => evaluate(desk),
        "ClearAll" => clear_all(desk),
        "LockAll" => lock_all(desk, Lock::On),
        "UnlockAll" => lock_all(desk, Lock::Off),
        "Back" => step(desk, Step::Back),
        "Forward" => step(desk, Step::Forward),
        "AbortModal" => abort_modal(desk),
        "ClearUndoBuffer" => Ok(nothing()),
        _ => authoring(desk),
    }
}

/// Calls that a proxy may deny: answered, so that a denial can be told from their absence.
fn authoring(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "GetScript" => Ok(out("qScript", json!("LOAD * INLINE [secret];"))),
        "GetScriptEx" => Ok(out(
            "qScript",
            json!({ "qScript": "LOAD * INLINE [secret];" }),
        )),
        "SetScript" | "DoSave" | "Publish" => Ok(nothing()),
        "DoReload" => Ok(out("qReturn", json!(true))),
        "DoReloadEx" => Ok(out(
            "qResult",
            json!({ "qSuccess": true, "qScriptLogFile": "" }),
        )),
        "GetConnections" => Ok(out("qConnections", json!([]))),
        "CreateConnection" => Ok(out("qConnectionId", json!("none"))),
        _ => Err(desk.unknown("Doc")),
    }
}

fn app_layout(desk: &Desk<'_>) -> Result<Value, Fault> {
    let app = &desk.session.doc()?.app;
    Ok(json!({
        "qTitle": app.title,
        "qFileName": app.id,
        "qLastReloadTime": "2026-01-01T00:00:00.000Z",
        "qModified": false,
        "qHasScript": true,
        "qHasData": app.table.rows > 0,
        "qReadOnly": true,
        "qIsOpenedWithoutData": false,
        "qIsSessionApp": app.id.starts_with("SessionApp_"),
        "qProtected": false,
        "qIsDirectQueryMode": false,
        "qStateNames": [],
        "qMeta": { "privileges": ["read"], "published": true },
        "qThumbnail": { "qUrl": "" },
        "qUnsupportedFeatures": [],
        "qUsage": "ANALYTICS",
        "qLocaleInfo": locale(),
    }))
}

fn locale() -> Value {
    json!({
        "qDecimalSep": ".", "qThousandSep": ",", "qListSep": ",",
        "qMoneyDecimalSep": ".", "qMoneyThousandSep": ",", "qMoneyFmt": "$#,##0.00;-$#,##0.00",
        "qTimeFmt": "h:mm:ss TT", "qDateFmt": "M/D/YYYY", "qTimestampFmt": "M/D/YYYY h:mm:ss[.fff] TT",
        "qCalendarStrings": {
            "qDayNames": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            "qMonthNames": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
            "qLongDayNames": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
            "qLongMonthNames": ["January", "February", "March", "April", "May", "June", "July",
                "August", "September", "October", "November", "December"],
        },
        "qFirstWeekDay": 6, "qBrokenWeeks": true, "qReferenceDay": 0, "qFirstMonthOfYear": 1,
        "qCollation": "en-US", "qNumericalAbbreviation": "3:k;6:M;9:G;12:T;15:P;18:E;21:Z;24:Y;-3:m;-6:μ;-9:n;-12:p;-15:f;-18:a;-21:z;-24:y",
    })
}

fn app_properties(desk: &Desk<'_>) -> Result<Value, Fault> {
    let app = &desk.session.doc()?.app;
    Ok(json!({
        "qTitle": app.title,
        "qLastReloadTime": "2026-01-01T00:00:00.000Z",
        "qThumbnail": {},
        "qHasSectionAccess": false,
    }))
}

fn all_infos(desk: &Desk<'_>) -> Result<Value, Fault> {
    let stored = desk
        .session
        .doc()?
        .objects()
        .filter(|(_, object)| object.is_stored());
    Ok(stored.map(|(_, object)| object.info().clone()).collect())
}

fn create_session_object(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let properties = desk.request.param(0, "qProp").clone();
    let id = desk.session.doc_mut()?.add(properties)?;
    let interface = object_interface(desk, &id, "GenericObject");
    Ok(out("qReturn", interface))
}

fn destroy(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let id = desk.request.text(0, "qId")?;
    let removed = desk.session.doc_mut()?.remove(id);
    Ok(out("qSuccess", json!(removed)))
}

fn object(desk: &mut Desk<'_>, kind: &str) -> Result<Answer, Fault> {
    let id = desk.request.text(0, "qId")?.to_owned();
    let found = desk
        .session
        .doc()?
        .object(&id)
        .is_some_and(|it| interface_kind(it.kind()) == kind);
    let interface = if found {
        object_interface(desk, &id, kind)
    } else {
        no_interface()
    };
    Ok(out("qReturn", interface))
}

fn object_interface(desk: &mut Desk<'_>, id: &str, kind: &str) -> Value {
    let object = desk.session.doc().ok().and_then(|doc| doc.object(id));
    let generic_type = object.map_or_else(String::new, |object| object.kind().to_owned());
    let mut interface = desk.interface(Target::Object(id.to_owned()), kind, Some(id));
    interface["qGenericType"] = json!(generic_type);
    interface
}

fn interface_kind(kind: &str) -> &'static str {
    match kind {
        "dimension" => "GenericDimension",
        "measure" => "GenericMeasure",
        _ => "GenericObject",
    }
}

fn field(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let name = desk.request.text(0, "qFieldName")?.to_owned();
    let found = desk.session.doc()?.app.table.find(&name);
    let interface = match found {
        Some(field) => desk.interface(Target::Field(field), "Field", Some(&name)),
        None => no_interface(),
    };
    Ok(out("qReturn", interface))
}

fn field_description(desk: &Desk<'_>) -> Result<Answer, Fault> {
    let name = desk.request.text(0, "qFieldName")?;
    let table = &desk.session.doc()?.app.table;
    let field = table
        .find(name)
        .map(|id| table.field(id))
        .ok_or_else(|| Fault::not_found(name))?;
    Ok(out(
        "qReturn",
        json!({
            "qInternalNumber": 0, "qName": field.name, "qSrcTables": [table.name],
            "qIsSystem": false, "qIsHidden": false, "qIsNumeric": field.is_numeric(),
            "qCardinal": field.values.len(), "qTotalCount": table.rows, "qTags": field.tags(),
        }),
    ))
}

fn evaluate(desk: &Desk<'_>) -> Result<Answer, Fault> {
    let doc = desk.session.doc()?;
    let table = &doc.app.table;
    let rows: Vec<_> = doc.association().rows().collect();
    let text = match Expression::parse(desk.request.text(0, "qExpression")?, table) {
        Ok(Expression::Text(text)) => text,
        Ok(expression) => number::text(expression.evaluate(table, &rows), &Value::Null),
        Err(Incalculable) => "Error: Error in expression".to_owned(),
    };
    Ok(out("qReturn", json!(text)))
}

fn clear_all(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let locked_too = desk.request.flag(0, "qLockedAlso");
    desk.session.doc_mut()?.choose(None, |chosen, _| {
        if locked_too {
            chosen.set_locks(Lock::Off);
        }
        chosen.clear_except(None);
    })?;
    Ok(nothing())
}

fn lock_all(desk: &mut Desk<'_>, lock: Lock) -> Result<Answer, Fault> {
    desk.session
        .doc_mut()?
        .choose(None, |chosen, _| chosen.set_locks(lock))?;
    Ok(nothing())
}

fn step(desk: &mut Desk<'_>, step: Step) -> Result<Answer, Fault> {
    let moved = desk.session.doc_mut()?.step(step)?;
    Ok(out("qSuccess", json!(moved)))
}

fn abort_modal(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let ending = if desk.request.flag(0, "qAccept") {
        Ending::Accept
    } else {
        Ending::Abort
    };
    desk.session.doc_mut()?.end(ending);
    Ok(nothing())
}
