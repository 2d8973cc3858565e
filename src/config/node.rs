//! One value of the text, with its place; and what it takes to become a value of the house.

use std::fmt::Display;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::notes::{Noted, Notes, Span};

/// A value of the house that can be written in a config.
pub(super) trait Value: Sized {
    /// What is to be written, to follow "write ".
    const WANTED: &'static str;

    /// Reads it, or notes why not.
    fn read(node: &Node<'_>) -> Result<Self, Noted>;

    /// The JSON Schema of what is to be written.
    fn schema() -> Json;
}

/// A value that can be a default, so that it can be written down again.
pub(super) trait Written: Value {
    /// The value as a config would write it.
    fn written(&self) -> Json;
}

/// One value of the text.
#[derive(Clone)]
pub(super) struct Node<'a> {
    /// The key it stands at, for messages.
    pub(super) key: &'a str,
    /// Its place.
    pub(super) span: Span,
    /// What is written.
    pub(super) value: &'a DeValue<'a>,
    /// Where mistakes go.
    pub(super) notes: &'a Notes<'a>,
}

impl<'a> Node<'a> {
    /// The value of a key.
    pub(super) fn new(
        key: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
        notes: &'a Notes<'a>,
    ) -> Self {
        Self {
            key: key.get_ref(),
            span: value.span(),
            value: value.get_ref(),
            notes,
        }
    }

    /// The text, when it is one.
    pub(super) fn text<T: Value>(&self) -> Result<&'a str, Noted> {
        self.value.as_str().ok_or_else(|| self.mismatch::<T>())
    }

    /// The items of an array, or the one value itself.
    pub(super) fn items(&self) -> Vec<Self> {
        let DeValue::Array(items) = self.value else {
            return vec![self.clone()];
        };
        items
            .iter()
            .map(|item| Node {
                span: item.span(),
                value: item.get_ref(),
                ..self.clone()
            })
            .collect()
    }

    /// The keys and values of a table.
    pub(super) fn table<T: Value>(&self) -> Result<&'a DeTable<'a>, Noted> {
        self.value.as_table().ok_or_else(|| self.mismatch::<T>())
    }

    /// Notes that the value is of the wrong type.
    pub(super) fn mismatch<T: Value>(&self) -> Noted {
        let found = described(self.value);
        self.refuse(
            format!("`{}` cannot be {found}", self.key),
            format!("write {}", T::WANTED),
        )
    }

    /// Notes a mistake at this value.
    pub(super) fn refuse(&self, what: impl Display, instead: impl Into<String>) -> Noted {
        self.notes
            .refuse(self.span.clone(), what.to_string(), instead)
    }

    /// Keeps this value out of every snippet: it may be a secret.
    pub(super) fn hide(&self) {
        self.notes.hide(self.span.clone());
    }
}

/// A value's type, with its article.
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
