//! The tables within a table, and the kinds a table can be.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::{Purpose, Table};
use crate::config::node::{Node, described};
use crate::config::notes::{Noted, Span};
use crate::config::shape::{Form, Kind, Need};
use crate::config::unknown;

/// One of the kinds a table can be.
pub(in crate::config) struct Reader<'r, 'a, T> {
    /// As `kind` says it.
    pub(in crate::config) name: &'static str,
    /// What it is.
    pub(in crate::config) doc: &'static str,
    /// How it is read.
    pub(in crate::config) read: &'r dyn Fn(&mut Table<'a>) -> Result<T, Noted>,
}

impl<'a> Table<'a> {
    /// A table whose keys have defaults: it is read even when it is not there.
    pub(in crate::config) fn table<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Noted>,
    ) -> Result<T, Noted> {
        let table = self.child(name)?;
        let (value, shape) = table.run(read);
        self.describe(name, doc, Need::Optional, Form::Table(shape));
        value
    }

    /// A table that says something by being there.
    pub(in crate::config) fn optional_table<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Noted>,
    ) -> Result<Option<T>, Noted> {
        if self.purpose == Purpose::Reading && !self.has(name) {
            self.known.push(name);
            return Ok(None);
        }
        self.table(name, doc, read).map(Some)
    }

    /// A table that must be there; `example` is its most important line.
    pub(in crate::config) fn required_table<T>(
        &mut self,
        name: &'static str,
        example: &str,
        doc: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Noted>,
    ) -> Result<T, Noted> {
        let label = format!("[{}]", self.path(name));
        self.demand(name, &label, example)?;
        let (value, shape) = self.child(name)?.run(read);
        self.describe(name, doc, Need::Required, Form::Table(shape));
        value
    }

    /// Lets `names[0]` be left out where `names[1]` is written, and refuses both together.
    pub(in crate::config) fn instead(
        &mut self,
        names: &'static [&'static str; 2],
    ) -> Result<(), Noted> {
        self.known.push(names[0]);
        let described = self.shape.keys.iter_mut();
        for key in described.filter(|key| key.name == names[0]) {
            key.need = Need::Optional;
        }
        self.exactly_one(names)
    }

    /// Tables that may be left out and whose keys are described elsewhere, as `schema` says.
    pub(in crate::config) fn optional_tables<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        schema: Json,
        read: impl Fn(&mut Self) -> Result<T, Noted>,
    ) -> Result<Vec<T>, Noted> {
        if self.purpose == Purpose::Describing {
            self.describe(name, doc, Need::Optional, Form::Value(schema));
            return Ok(Vec::new());
        }
        let label = format!("[[{}]]", self.path(name));
        let tables = self.children(name, &label).into_iter();
        let values: Vec<_> = tables
            .map(|table| table.and_then(|table| table.run(&read).0))
            .collect();
        values.into_iter().collect()
    }

    /// One or more tables, `[[name]]`.
    pub(in crate::config) fn required_tables<T>(
        &mut self,
        name: &'static str,
        example: &str,
        doc: &'static str,
        read: impl Fn(&mut Self) -> Result<T, Noted>,
    ) -> Result<Vec<T>, Noted> {
        let label = format!("[[{}]]", self.path(name));
        self.demand(name, &label, example)?;
        if self.purpose == Purpose::Describing {
            let (value, shape) = self.sub(None, 0..0, label).run(read);
            self.describe(name, doc, Need::Required, Form::Tables(shape));
            return value.map(|value| vec![value]);
        }
        let mut values = Vec::new();
        for table in self.children(name, &label) {
            values.push(table.and_then(|table| table.run(&read).0));
        }
        values.into_iter().collect()
    }

    /// Reads what `kind` says this table is; the names in `later` are known but not built.
    pub(in crate::config) fn kind<T>(
        &mut self,
        readers: &[Reader<'_, 'a, T>],
        later: &[&str],
    ) -> Result<T, Noted> {
        if self.purpose == Purpose::Describing {
            return self.every_kind(readers);
        }
        let names: Vec<&str> = readers.iter().map(|reader| reader.name).collect();
        let example = format!("{:?}", names.first().unwrap_or(&""));
        let kind = self.required::<String>("kind", &example, "");
        let reader = kind.map(|kind| readers.iter().find(|reader| reader.name == kind));
        if let Ok(Some(reader)) = reader {
            return (reader.read)(self);
        }
        let node = self.node("kind");
        self.look_away();
        match (node, reader) {
            (Some(node), Ok(_)) => Err(unknown::choice(&node, &names, later)),
            (_, Err(noted)) => Err(noted),
            (None, Ok(_)) => Err(self.missing("kind", &example)),
        }
    }

    /// Looks for a table that must be there.
    fn demand(&mut self, name: &'static str, label: &str, example: &str) -> Result<(), Noted> {
        if self.purpose == Purpose::Describing || self.has(name) {
            return Ok(());
        }
        let instead = format!("add {label} with `{example}`");
        Err(self.absent(format!("{label} is missing"), instead))
    }

    fn child(&mut self, name: &'static str) -> Result<Self, Noted> {
        self.known.push(name);
        let label = format!("[{}]", self.path(name));
        let Some(node) = self.node(name) else {
            return Ok(self.sub(None, self.span.clone(), label));
        };
        match node.value {
            DeValue::Table(entries) => Ok(self.sub(Some(entries), node.span, label)),
            _ => Err(no_table(&node, &label)),
        }
    }

    fn children(&mut self, name: &'static str, label: &str) -> Vec<Result<Self, Noted>> {
        self.known.push(name);
        let Some(node) = self.node(name) else {
            return Vec::new();
        };
        let items = match node.value {
            DeValue::Array(items) if items.is_empty() => {
                vec![Err(
                    node.refuse(format!("{label} is empty"), format!("add {label}"))
                )]
            }
            DeValue::Array(_) => node.items().into_iter().map(Ok).collect(),
            _ => vec![Err(no_table(&node, label))],
        };
        let table = |item: Node<'a>| match item.value {
            DeValue::Table(entries) => Ok(self.sub(Some(entries), item.span, label.to_owned())),
            _ => Err(no_table(&item, label)),
        };
        items.into_iter().map(|item| item.and_then(table)).collect()
    }

    /// `route.engine`, for what is below `[route]` or `[[route]]`.
    fn path(&self, name: &str) -> String {
        match self.shape.label.strip_prefix('[') {
            Some(label) => format!("{}.{name}", label.trim_matches(['[', ']'])),
            None => name.to_owned(),
        }
    }

    fn sub(&self, entries: Option<&'a DeTable<'a>>, span: Span, label: String) -> Self {
        let mut table = Self::new(self.notes, entries, span, label);
        table.purpose = self.purpose;
        table
    }

    fn every_kind<T>(&mut self, readers: &[Reader<'_, 'a, T>]) -> Result<T, Noted> {
        let mut outcome = Err(self.missing("kind", ""));
        for reader in readers {
            let table = self.sub(None, 0..0, self.shape.label.clone());
            let (value, mut shape) = table.run(|table| (reader.read)(table));
            shape.label = format!("{} of kind {:?}", self.shape.label, reader.name);
            let (name, doc) = (reader.name, reader.doc);
            self.shape.kinds.push(Kind { name, doc, shape });
            outcome = outcome.or(value);
        }
        outcome
    }

    /// Nothing more can be said of this table: what it has is not known, but may be a secret.
    fn look_away(&mut self) {
        for (key, value) in self.entries.into_iter().flatten() {
            if key.get_ref() != "kind" {
                self.notes.hide_within(value);
            }
        }
        self.entries = None;
    }
}

/// Whatever stands where a table is wanted may be a secret.
fn no_table(node: &Node<'_>, label: &str) -> Noted {
    let what = format!("`{}` cannot be {}", node.key, described(node.value));
    if let Some(brackets) = other_brackets(node) {
        return node.refuse(what, format!("write {label}, with {brackets}"));
    }
    node.hide();
    node.refuse(what, format!("write {label} above its keys"))
}

/// For a header with one bracket too many or too few.
fn other_brackets(node: &Node<'_>) -> Option<&'static str> {
    match node.value {
        DeValue::Table(_) => Some("two brackets"),
        DeValue::Array(items) => items
            .iter()
            .all(|item| item.get_ref().is_table())
            .then_some("one bracket"),
        _ => None,
    }
}
