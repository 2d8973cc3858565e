//! Values made of claims.

use serde_json::{Value as Json, json};

use crate::config::model::Wording;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;
use crate::template::{Template, TemplateMistake};

impl Value for Template {
    const WANTED: &'static str =
        "a text with a claim between braces, such as \"{sub}\" or \"app|{/user/id}\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        Self::parse(text).map_err(|mistake| node.refuse(mistake, format!("write {}", Self::WANTED)))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "\\{[^{}]+\\}"})
    }
}

impl Value for Wording {
    const WANTED: &'static str = "a text in quotes, with claims between braces or without";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = String::read(node)?;
        match Template::parse(&text) {
            Ok(template) => Ok(Self::Filled(template)),
            Err(TemplateMistake::Constant) => {
                Ok(Self::Fixed(text.replace("{{", "{").replace("}}", "}")))
            }
            Err(mistake) => Err(node.refuse(mistake, format!("write {}", Self::WANTED))),
        }
    }

    fn schema() -> Json {
        json!({"type": "string", "minLength": 1})
    }
}
