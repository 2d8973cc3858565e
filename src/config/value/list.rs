//! Values that are lists.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::model::Apps;
use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;
use crate::id::AppId;

/// A list, or one value without brackets; one or more.
pub(in crate::config) struct OneOrMany<T>(pub(in crate::config) Vec<T>);

/// A list of one or more.
pub(in crate::config) struct OneOrMore<T>(pub(in crate::config) Vec<T>);

/// `"any"`, or a list of apps.
pub(in crate::config) struct AppList(pub(in crate::config) Apps);

const ANY: &str = "any";

impl<T: Value> Value for Vec<T> {
    const WANTED: &'static str = "a list in brackets: [\"…\", \"…\"]";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        if !node.value.is_array() {
            return Err(match node.value.as_str() {
                Some(_) => node.refuse(
                    format!("`{}` is a list", node.key),
                    "put it into brackets: [\"…\"]",
                ),
                None => node.mismatch::<Self>(),
            });
        }
        each(node)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema()})
    }
}

/// Reads every item, so that every mistake is noted.
fn each<T: Value>(node: &Node<'_>) -> Result<Vec<T>, Noted> {
    let items: Vec<Result<T, Noted>> = node.items().iter().map(T::read).collect();
    items.into_iter().collect()
}

impl<T: Value> Value for OneOrMore<T> {
    const WANTED: &'static str = Vec::<T>::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        filled(node, Vec::read(node)?).map(Self)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema(), "minItems": 1})
    }
}

impl<T: Written> Written for OneOrMore<T> {
    fn written(&self) -> Json {
        self.0.iter().map(Written::written).collect()
    }
}

fn filled<T: Value>(node: &Node<'_>, list: Vec<T>) -> Result<Vec<T>, Noted> {
    if list.is_empty() {
        let what = format!("`{}` is empty", node.key);
        return Err(node.refuse(what, format!("write {}", T::WANTED)));
    }
    Ok(list)
}

impl<T: Value> Value for OneOrMany<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        filled(node, each(node)?).map(Self)
    }

    fn schema() -> Json {
        json!({"anyOf": [T::schema(), OneOrMore::<T>::schema()]})
    }
}

impl Value for AppList {
    const WANTED: &'static str = "the ids of apps in brackets, or \"any\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = match node.value {
            DeValue::Array(_) => return listed(node),
            _ => node.text::<Self>()?,
        };
        match text {
            ANY => Ok(Self(Apps::Any)),
            "*" => Err(every_app(node)),
            _ => Err(node.refuse("`apps` is a list", "put the id into brackets: [\"…\"]")),
        }
    }

    fn schema() -> Json {
        let ids = json!({"type": "array", "items": {"type": "string", "minLength": 1}});
        json!({"anyOf": [{"const": ANY}, ids]})
    }
}

fn listed(node: &Node<'_>) -> Result<AppList, Noted> {
    let ids = Vec::<String>::read(node)?;
    if ids.iter().any(|id| id == ANY || id == "*") {
        return Err(every_app(node));
    }
    Ok(AppList(Apps::Listed(
        ids.into_iter().map(AppId::new).collect(),
    )))
}

fn every_app(node: &Node<'_>) -> Noted {
    node.refuse(
        "a list names apps one by one",
        "for every app, write apps = \"any\"",
    )
}
