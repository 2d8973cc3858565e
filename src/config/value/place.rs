//! Where a claim stands in a token, and where a value stands in an answer.

use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::text::header_schema;
use crate::config::model::Place;
use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::person::ClaimPath;

impl Value for ClaimPath {
    const WANTED: &'static str =
        "a name or a JSON pointer in quotes, such as \"sub\" or \"/user/id\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = String::read(node)?;
        if text.starts_with('/') && has_bad_escape(&text) {
            return Err(node.refuse(
                "in a JSON pointer, `~` stands only in `~0` (for `~`) and `~1` (for `/`)",
                format!("write {:?}", text.replace('~', "~0")),
            ));
        }
        Ok(Self::new(text))
    }

    fn schema() -> Json {
        json!({"type": "string", "minLength": 1})
    }
}

impl Written for ClaimPath {
    fn written(&self) -> Json {
        json!(self.as_str())
    }
}

fn has_bad_escape(pointer: &str) -> bool {
    let mut after_tilde = pointer.split('~').skip(1);
    after_tilde.any(|rest| !rest.starts_with(['0', '1']))
}

impl Value for Place {
    const WANTED: &'static str =
        "where it stands in the JSON, such as \"/user/id\", or { header = \"x-user\" }";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let DeValue::Table(entries) = node.value else {
            node.text::<Self>()?;
            return ClaimPath::read(node).map(Self::Json);
        };
        let header = |table: &mut Table<'_>| table.required("header", "\"x-user\"", "");
        let (header, _) = Table::inline(node, entries).run(header);
        header.map(Self::Header)
    }

    fn schema() -> Json {
        let header = json!({
            "type": "object",
            "properties": {"header": header_schema()},
            "required": ["header"],
            "additionalProperties": false,
        });
        json!({"anyOf": [ClaimPath::schema(), header]})
    }
}

impl Value for HeaderName {
    const WANTED: &'static str = "the name of a header in quotes, such as \"x-user\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        Self::from_bytes(text.as_bytes()).map_err(|_| {
            node.refuse(
                "this is no name of a header",
                format!("write {}", Self::WANTED),
            )
        })
    }

    fn schema() -> Json {
        header_schema()
    }
}

/// Claims by the name they get.
impl<T: Value> Value for BTreeMap<String, T> {
    const WANTED: &'static str = "a table of names and places, such as { email = \"/user/email\" }";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let mut claims = Self::new();
        let mut outcome = Ok(());
        for (name, value) in node.table::<Self>()? {
            let node = Node::new(name, value, node.notes);
            match claim(&node) {
                Ok(place) => drop(claims.insert(name.get_ref().to_string(), place)),
                Err(noted) => outcome = Err(noted),
            }
        }
        outcome.map(|()| claims)
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "propertyNames": {"not": {"const": "sub"}},
            "additionalProperties": T::schema(),
        })
    }
}

fn claim<T: Value>(node: &Node<'_>) -> Result<T, Noted> {
    if node.key == "sub" {
        return Err(node.refuse(
            "`sub` is always the subject",
            "leave it out, and say in `subject` where it stands",
        ));
    }
    T::read(node)
}
