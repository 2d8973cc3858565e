//! The lists a session object can ask for: fields, sheets, master items, current selections.

use serde_json::{Map, Value, json};

use super::{
    association::State, data::FieldId, doc::Doc, layout::meta, number::json_number, object::Object,
};

/// The most names shown of what is selected in a field, unless a client says otherwise.
const SHOWN_NAMES: u64 = 6;

/// What the layout calls the list that a definition asks for.
pub(super) fn name(definition: &str) -> Option<&'static str> {
    Some(match definition {
        "qSelectionObjectDef" => "qSelectionObject",
        "qFieldListDef" => "qFieldList",
        "qAppObjectListDef" => "qAppObjectList",
        "qDimensionListDef" => "qDimensionList",
        "qMeasureListDef" => "qMeasureList",
        "qVariableListDef" => "qVariableList",
        "qBookmarkListDef" => "qBookmarkList",
        "qMediaListDef" => "qMediaList",
        "qChildListDef" => "qChildList",
        "qUndoInfoDef" => "qUndoInfo",
        "qStaticContentUrlDef" => "qStaticContentUrl",
        _ => return None,
    })
}

/// The list itself, for the object `id` whose definition it is.
pub(super) fn listing(doc: &Doc, id: &str, kind: &str, def: &Value) -> Value {
    match kind {
        "qSelectionObjectDef" => current_selections(doc, def),
        "qFieldListDef" => items(fields(doc, def)),
        "qAppObjectListDef" => items(objects(doc, def["qType"].as_str().unwrap_or_default(), def)),
        "qDimensionListDef" => items(objects(doc, "dimension", def)),
        "qMeasureListDef" => items(objects(doc, "measure", def)),
        "qChildListDef" => items(children(doc, id, def)),
        "qUndoInfoDef" => json!({ "qUndoCount": 0, "qRedoCount": 0 }),
        "qStaticContentUrlDef" => json!({}),
        _ => items([]),
    }
}

/// What holds the objects of a sheet: the cells that name them.
fn child_ids(object: &Object) -> Vec<&str> {
    let cells = object.effective()["cells"].as_array().into_iter().flatten();
    cells.filter_map(|cell| cell["name"].as_str()).collect()
}

fn items(items: impl IntoIterator<Item = Value>) -> Value {
    json!({ "qItems": items.into_iter().collect::<Value>() })
}

fn current_selections(doc: &Doc, def: &Value) -> Value {
    let fields = doc.selections().fields().iter();
    let (back, forward) = doc.steps();
    json!({
        "qBackCount": back,
        "qForwardCount": forward,
        "qSelections": fields.map(|field| selection(doc, *field, def)).collect::<Value>(),
    })
}

fn selection(doc: &Doc, id: FieldId, def: &Value) -> Value {
    let (field, states) = (doc.app.table.field(id), doc.association());
    let shown = def["qDisplayNumberOfRows"]
        .as_u64()
        .filter(|n| *n > 0)
        .unwrap_or(SHOWN_NAMES);
    let chosen = doc.selections().elements(id);
    let values: Vec<_> = chosen
        .iter()
        .filter_map(|element| field.value(*element))
        .collect();
    let names = values
        .iter()
        .map(|value| value.text.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let locked = doc.selections().is_locked(id);
    let numbers = values.iter().filter_map(|value| value.number);
    let range = |pick: fn(f64, f64) -> f64| json_number(numbers.clone().reduce(pick));
    let info = values
        .iter()
        .take(usize::try_from(shown).unwrap_or(usize::MAX))
        .map(|value| json!({ "qName": value.text, "qRangeLo": "NaN", "qRangeHi": "NaN" }));
    json!({
        "qTotal": field.values.len(),
        "qIsNum": field.is_numeric(),
        "qField": field.name,
        "qReadableName": field.name,
        "qLocked": locked,
        "qOneAndOnlyOne": false,
        "qSelectedCount": chosen.len(),
        "qSelected": names,
        "qRangeLo": range(f64::min),
        "qRangeHi": range(f64::max),
        "qSelectedFieldSelectionInfo": info.collect::<Value>(),
        "qSelectionThreshold": shown,
        "qSortIndex": id.0,
        "qDimensionReferences": [],
        "qStateCounts": {
            "qLocked": states.count(id, State::Locked),
            "qSelected": states.count(id, State::Selected),
            "qOption": states.count(id, State::Optional),
            "qDeselected": 0,
            "qAlternative": states.count(id, State::Alternative),
            "qExcluded": states.count(id, State::Excluded),
            "qSelectedExcluded": states.count(id, State::SelectedExcluded),
            "qLockedExcluded": states.count(id, State::LockedExcluded),
        },
    })
}

fn fields(doc: &Doc, _def: &Value) -> Vec<Value> {
    let table = &doc.app.table;
    let field = |id: FieldId| {
        let field = table.field(id);
        json!({
            "qName": field.name,
            "qCardinal": field.values.len(),
            "qTags": field.tags(),
            "qSrcTables": [table.name],
        })
    };
    table.ids().map(field).collect()
}

fn objects(doc: &Doc, kind: &str, def: &Value) -> Vec<Value> {
    let of_kind = doc.objects().filter(|(_, object)| object.kind() == kind);
    of_kind
        .map(|(_, object)| item(object, &def["qData"]))
        .collect()
}

fn children(doc: &Doc, id: &str, def: &Value) -> Vec<Value> {
    let ids = doc.object(id).map(child_ids).unwrap_or_default();
    let found = ids.into_iter().filter_map(|id| doc.object(id));
    found.map(|object| item(object, &def["qData"])).collect()
}

/// An object as a list shows it: `qData` picks paths out of its layout.
fn item(object: &Object, wanted: &Value) -> Value {
    let mut data = Map::new();
    let visible = json!({ "qMeta": meta(object), "qMetaDef": object.effective()["qMetaDef"] });
    for (name, path) in wanted.as_object().into_iter().flatten() {
        let path = path.as_str().unwrap_or_default();
        let found = visible
            .pointer(path)
            .or_else(|| object.effective().pointer(path));
        data.insert(name.clone(), found.cloned().unwrap_or(Value::Null));
    }
    json!({ "qInfo": object.info(), "qMeta": meta(object), "qData": data })
}
