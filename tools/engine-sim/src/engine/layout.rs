//! Layouts: an object's properties with its definitions calculated.

use serde_json::{Map, Value, json};

use super::{
    cube::{Cube, CubeDefinition},
    doc::Doc,
    expression::Expression,
    list::List,
    listings, number,
    object::Object,
};

/// The layout of an object of `doc`.
pub(super) fn layout(doc: &Doc, object: &Object) -> Value {
    let id = object.info()["qId"].as_str().unwrap_or_default();
    let mut layout = Map::new();
    layout.insert("qInfo".to_owned(), object.info().clone());
    layout.insert("qMeta".to_owned(), meta(object));
    layout.insert("qSelectionInfo".to_owned(), selection_info(doc, id));
    if object.has_soft_patches() {
        layout.insert("qHasSoftPatches".to_owned(), json!(true));
    }
    calculate_into(&mut layout, Scene { doc, id }, object.effective());
    Value::Object(layout)
}

/// `qMeta`: what the object says of itself, and what may be done to it.
pub(super) fn meta(object: &Object) -> Value {
    let mut meta = object.effective()["qMetaDef"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let privileges = json!(["read", "update", "delete", "exportdata"]);
    meta.insert("privileges".to_owned(), privileges);
    if object.is_stored() {
        meta.insert("published".to_owned(), json!(true));
        meta.insert("approved".to_owned(), json!(true));
    }
    Value::Object(meta)
}

#[derive(Clone, Copy)]
struct Scene<'a> {
    doc: &'a Doc,
    id: &'a str,
}

fn selection_info(doc: &Doc, id: &str) -> Value {
    let mut info = Map::new();
    if doc.is_modal(id) {
        info.insert("qInSelections".to_owned(), json!(true));
    }
    if doc.has_made_selections(id) {
        info.insert("qMadeSelections".to_owned(), json!(true));
    }
    Value::Object(info)
}

fn calculate_into(layout: &mut Map<String, Value>, scene: Scene<'_>, properties: &Value) {
    for (key, value) in properties.as_object().into_iter().flatten() {
        match key.as_str() {
            "qInfo" | "qMetaDef" => {}
            "qHyperCubeDef" => drop(layout.insert("qHyperCube".to_owned(), cube(scene, value))),
            "qListObjectDef" => drop(layout.insert("qListObject".to_owned(), list(scene, value))),
            key if listings::name(key).is_some() => {
                let name = listings::name(key).unwrap_or_default().to_owned();
                layout.insert(name, listings::listing(scene.doc, scene.id, key, value));
            }
            key => drop(layout.insert(key.to_owned(), calculated(scene, value))),
        }
    }
}

fn calculated(scene: Scene<'_>, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(expression) = map.get("qStringExpression") {
                return json!(string(scene, expression));
            }
            if let Some(expression) = map.get("qValueExpression") {
                return number::json_number(value_of(scene, expression));
            }
            let mut inner = Map::new();
            calculate_into(&mut inner, scene, value);
            Value::Object(inner)
        }
        Value::Array(list) => list.iter().map(|inner| calculated(scene, inner)).collect(),
        plain => plain.clone(),
    }
}

fn cube(scene: Scene<'_>, def: &Value) -> Value {
    let definition = CubeDefinition::parse(def, &scene.doc.app.table, scene.doc);
    Cube::calculate(&definition, scene.doc.view(scene.id)).layout()
}

fn list(scene: Scene<'_>, def: &Value) -> Value {
    let search = scene.doc.object(scene.id).and_then(Object::search);
    List::new(def, scene.doc, search).layout()
}

fn parsed(scene: Scene<'_>, expression: &Value) -> Option<Expression> {
    let text = expression
        .as_str()
        .or_else(|| expression["qExpr"].as_str())?;
    Expression::parse(text, &scene.doc.app.table).ok()
}

fn string(scene: Scene<'_>, expression: &Value) -> String {
    match parsed(scene, expression) {
        Some(Expression::Text(text)) => text,
        Some(_) => number::text(value_of(scene, expression), &Value::Null),
        None => String::new(),
    }
}

fn value_of(scene: Scene<'_>, expression: &Value) -> Option<f64> {
    let view = scene.doc.view(scene.id);
    parsed(scene, expression)?.evaluate(view.table, &view.rows.rows().collect::<Vec<_>>())
}
