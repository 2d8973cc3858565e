//! The shape of a config as JSON Schema 2020-12, for editors and for whoever writes configs by
//! machine. What must hold between values (a key's family, a path taken twice) is the reader's.

use serde_json::{Map, Value as Json, json};

use super::read;
use super::shape::{Form, Key, Kind, Need, Rule, Shape};

/// The JSON Schema of the config.
#[must_use]
pub fn schema() -> Json {
    let mut schema = table(&read::shape());
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The config of qix-proxy",
        "$defs": {"customer": table(&read::customer_shape())},
    });
    merge(&mut schema, head);
    schema
}

/// The JSON Schema of a customer's file.
#[must_use]
pub fn customer_schema() -> Json {
    let mut schema = table(&read::customer_shape());
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A customer of a route of qix-proxy",
    });
    merge(&mut schema, head);
    schema
}

fn table(shape: &Shape) -> Json {
    if shape.kinds.is_empty() {
        return object(shape, &Map::new());
    }
    let kinds: Vec<Json> = shape.kinds.iter().map(kind).collect();
    json!({"type": "object", "required": ["kind"], "oneOf": kinds})
}

fn kind(kind: &Kind) -> Json {
    let own = json!({"const": kind.name});
    let mut schema = object(&kind.shape, &Map::from_iter([("kind".to_owned(), own)]));
    merge(
        &mut schema,
        json!({"title": kind.name, "description": kind.doc}),
    );
    schema
}

/// A table of its own keys and of these `further` ones, which are required.
fn object(shape: &Shape, further: &Map<String, Json>) -> Json {
    let mut properties = further.clone();
    properties.extend(
        shape
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), property(key))),
    );
    let own = shape.keys.iter().filter(|key| key.is_required());
    let required: Vec<&str> = own
        .map(|key| key.name)
        .chain(further.keys().map(String::as_str))
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        merge(&mut schema, json!({"required": required}));
    }
    let rules: Vec<Json> = shape.rules.iter().map(rule).collect();
    if !rules.is_empty() {
        merge(&mut schema, json!({"allOf": rules}));
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = match &key.form {
        Form::Table(shape) => table(shape),
        Form::Tables(shape) => json!({"type": "array", "minItems": 1, "items": table(shape)}),
        Form::Value(schema) => schema.clone(),
    };
    merge(&mut schema, json!({"description": key.doc}));
    if let Need::Default(default) = &key.need {
        merge(&mut schema, json!({"default": default}));
    }
    schema
}

fn rule(rule: &Rule) -> Json {
    match rule {
        Rule::AtMostOne(names) => json!({"not": {"required": names}}),
        Rule::Demanded(name, other) => json!({"dependentRequired": {*other: [name]}}),
        Rule::ExactlyOne(names) => {
            let each: Vec<Json> = names
                .iter()
                .map(|name| json!({"required": [name]}))
                .collect();
            json!({"oneOf": each})
        }
        Rule::Only(name, other) => json!({"dependentRequired": {*name: [other]}}),
        Rule::Word {
            name,
            word,
            needs,
            never,
        } => {
            let never: Map<String, Json> = never
                .iter()
                .map(|name| ((*name).to_owned(), json!(false)))
                .collect();
            json!({
                "if": {"properties": {*name: {"const": word}}, "required": [name]},
                "then": {"required": needs, "properties": never},
            })
        }
    }
}

fn merge(into: &mut Json, from: Json) {
    if let (Json::Object(into), Json::Object(from)) = (into, from) {
        into.extend(from);
    }
}
