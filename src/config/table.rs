//! The cursor over one table of the text: a reader asks it for keys, it notes every mistake.
//!
//! Reading and describing are one: asked for a key, the cursor also learns that the table knows
//! it. Whoever reads with a blank cursor gets the table's shape. A reader therefore asks for all
//! its keys before it gives up on one.

mod below;

use toml::de::DeTable;

use super::node::{Node, Value, Written};
use super::notes::{Noted, Notes, Span};
use super::print::Print;
use super::shape::{Form, Key, Need, Rule, Shape};
use super::unknown;

pub(super) use below::Reader;

/// One table of the text.
pub(super) struct Table<'a> {
    notes: &'a Notes<'a>,
    entries: Option<&'a DeTable<'a>>,
    span: Span,
    purpose: Purpose,
    known: Vec<&'static str>,
    shape: Shape,
}

/// What a cursor is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// The shape is wanted; nothing is there to be read.
    Describing,
    /// A text is read.
    Reading,
}

/// The label of the table that is the whole text.
const ROOT: &str = "the top of the file";

impl<'a> Table<'a> {
    /// The table that is the whole text.
    pub(super) fn root(notes: &'a Notes<'a>, entries: &'a DeTable<'a>) -> Self {
        Self::new(notes, Some(entries), 0..0, ROOT.to_owned())
    }

    /// The table of no text, to learn what its reader asks for.
    pub(super) fn blank(notes: &'a Notes<'a>) -> Self {
        let mut table = Self::new(notes, None, 0..0, ROOT.to_owned());
        table.purpose = Purpose::Describing;
        table
    }

    /// A table that stands at a key as a value, such as `{ env = "…" }`.
    pub(super) fn inline(node: &Node<'a>, entries: &'a DeTable<'a>) -> Self {
        let label = format!("`{}`", node.key);
        Self::new(node.notes, Some(entries), node.span.clone(), label)
    }

    /// Reads the table with `read`, then notes every key that `read` did not ask for.
    pub(super) fn run<T>(
        mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Noted>,
    ) -> (Result<T, Noted>, Shape) {
        let value = read(&mut self);
        let strangers = self.refuse_strangers();
        (strangers.and(value), self.shape)
    }

    /// A key that must be there; `example` is a value as TOML.
    pub(super) fn required<T: Value>(
        &mut self,
        name: &'static str,
        example: &str,
        doc: &'static str,
    ) -> Result<T, Noted> {
        self.learn::<T>(name, doc, || Need::Required);
        match self.node(name) {
            Some(node) => T::read(&node),
            None => Err(self.missing(name, example)),
        }
    }

    /// A key that may be left out.
    pub(super) fn optional<T: Value>(
        &mut self,
        name: &'static str,
        doc: &'static str,
    ) -> Result<Option<T>, Noted> {
        self.learn::<T>(name, doc, || Need::Optional);
        self.node(name).map(|node| T::read(&node)).transpose()
    }

    /// A key that may be left out and then means `default`.
    pub(super) fn or<T: Written>(
        &mut self,
        name: &'static str,
        default: T,
        doc: &'static str,
    ) -> Result<T, Noted> {
        self.learn::<T>(name, doc, || Need::Default(default.written()));
        self.node(name).map_or(Ok(default), |node| T::read(&node))
    }

    /// Demands that exactly one of these keys is there, and refuses all but the first; it is for
    /// the reader to find that there is none (see `lacks`).
    pub(super) fn exactly_one(&mut self, names: &'static [&'static str]) -> Result<(), Noted> {
        self.shape.rules.push(Rule::ExactlyOne(names));
        self.refuse_all_but_one(names)
    }

    /// Demands that no more than one of these keys is there.
    pub(super) fn at_most_one(&mut self, names: &'static [&'static str]) -> Result<(), Noted> {
        self.shape.rules.push(Rule::AtMostOne(names));
        self.refuse_all_but_one(names)
    }

    fn refuse_all_but_one(&self, names: &[&str]) -> Result<(), Noted> {
        let mut there = names.iter().filter(|name| self.has(name));
        let first = there.next();
        let refused = there.next_back().zip(first).map(|(last, first)| {
            let what = format!("`{last}` cannot stand beside `{first}`");
            self.refuse(last, what, format!("keep {}", unknown::either(names)))
        });
        refused.map_or(Ok(()), Err)
    }

    /// Notes that none of these keys is there.
    pub(super) fn lacks(&self, names: &[&str]) -> Noted {
        let names = unknown::either(names);
        let what = format!("{} needs {names}", self.shape.label);
        self.absent(what, format!("write {names}"))
    }

    /// Demands that `name` is there only beside `other`.
    pub(super) fn only_with(&mut self, name: &'static str, other: &'static str) {
        self.shape.rules.push(Rule::Only(name, other));
        if self.has(name) && !self.has(other) {
            let what = format!("`{name}` says nothing without `{other}`");
            self.refuse(
                name,
                what,
                format!("leave `{name}` out, or write `{other}`"),
            );
        }
    }

    /// Demands that `name` is there beside `other`, and says why.
    pub(super) fn demanded_with(
        &mut self,
        name: &'static str,
        other: &'static str,
        example: &str,
        why: &str,
    ) -> Result<(), Noted> {
        self.shape.rules.push(Rule::Demanded(name, other));
        if self.has(name) || !self.has(other) {
            return Ok(());
        }
        let what = format!("`{name}` is missing beside `{other}`: {why}");
        Err(self.absent(what, format!("write `{name} = {example}`")))
    }

    /// Demands, where the key `name` says `word`, that all of `needs` are there and none of
    /// `never`.
    pub(super) fn with_word(
        &mut self,
        name: &'static str,
        word: &'static str,
        needs: &'static [&'static str],
        never: &'static [&'static str],
    ) -> Result<(), Noted> {
        self.shape.rules.push(Rule::Word {
            name,
            word,
            needs,
            never,
        });
        let says = self.node(name).and_then(|node| node.value.as_str());
        if says != Some(word) {
            return Ok(());
        }
        let mut outcome = Ok(());
        for need in needs.iter().filter(|need| !self.has(need)) {
            let what = format!("`{need}` is missing beside `{name} = {word:?}`");
            outcome = Err(self.absent(what, format!("write `{need}`")));
        }
        for stranger in never.iter().filter(|name| self.has(name)) {
            let what = format!("`{stranger}` says nothing beside `{name} = {word:?}`");
            outcome = Err(self.refuse(stranger, what, format!("leave `{stranger}` out")));
        }
        outcome
    }

    /// Reads, and takes the print of what the files and variables hold that the reading named.
    pub(super) fn seen<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (T, Print) {
        let mark = self.notes.witness().mark();
        let value = read(self);
        (value, self.notes.witness().since(mark))
    }

    /// Reads, and takes the print of what is written at a key and of what its reading named.
    pub(super) fn printed<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> (T, Print) {
        let (value, seen) = self.seen(read);
        (value, Print::of_all(&[self.written(name), seen]))
    }

    /// The print of what is written at a key, whatever the files hold that it names.
    pub(super) fn written(&self, name: &str) -> Print {
        let node = self.node(name);
        node.map_or(Print::of(&[]), |node| Print::of_value(node.value))
    }

    /// The same of a table, but for some of its keys.
    pub(super) fn written_but(&self, name: &str, but: &[&str]) -> Print {
        let node = self.node(name);
        let table = node.as_ref().and_then(|node| node.value.as_table());
        table.map_or(Print::of(&[]), |entries| Print::of_table(entries, but))
    }

    /// Where mistakes, secrets and files of this text go and come from.
    pub(super) fn notes(&self) -> &'a Notes<'a> {
        self.notes
    }

    /// Whether the key is written, rightly or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(name))
    }

    /// Whether one of the tables at a key is of this kind, rightly written or not.
    pub(super) fn lists_kind(&self, name: &str, kind: &str) -> bool {
        let written = |item: &Node<'_>| {
            let written = item.value.as_table().and_then(|table| table.get("kind"));
            written.is_some_and(|word| word.get_ref().as_str() == Some(kind))
        };
        let items = self.node(name).map(|node| node.items());
        items.into_iter().flatten().any(|item| written(&item))
    }

    /// What the table at a key says that its kind is.
    pub(super) fn kind_of(&self, name: &str) -> Option<&'a str> {
        let table = self.node(name)?.value.as_table()?;
        table.get("kind")?.get_ref().as_str()
    }

    /// Notes a mistake at a key, or at the table when the key is not written.
    pub(super) fn refuse(
        &self,
        name: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Noted {
        self.notes.refuse(self.place(name), what, instead)
    }

    /// Warns of what a key says, or of what it does not say.
    pub(super) fn warn(&self, name: &str, what: impl Into<String>, instead: impl Into<String>) {
        self.notes.warn(self.place(name), what, instead);
    }

    /// Notes that something is not there.
    pub(super) fn absent(&self, what: impl Into<String>, instead: impl Into<String>) -> Noted {
        self.notes.missing(self.span.clone(), what, instead)
    }

    fn new(
        notes: &'a Notes<'a>,
        entries: Option<&'a DeTable<'a>>,
        span: Span,
        label: String,
    ) -> Self {
        Self {
            notes,
            entries,
            span,
            purpose: Purpose::Reading,
            known: Vec::new(),
            shape: Shape {
                label,
                ..Shape::default()
            },
        }
    }

    fn missing(&self, name: &str, example: &str) -> Noted {
        let what = format!("`{name}` is missing in {}", self.shape.label);
        self.absent(what, format!("write `{name} = {example}`"))
    }

    fn place(&self, name: &str) -> Span {
        self.node(name).map_or(self.span.clone(), |node| node.span)
    }

    fn node(&self, name: &str) -> Option<Node<'a>> {
        let (key, value) = self.entries?.get_key_value(name)?;
        Some(Node::new(key, value, self.notes))
    }

    fn learn<T: Value>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        need: impl FnOnce() -> Need,
    ) {
        self.known.push(name);
        if self.purpose == Purpose::Describing {
            let form = Form::Value(T::schema());
            self.describe(name, doc, need(), form);
        }
    }

    fn describe(&mut self, name: &'static str, doc: &'static str, need: Need, form: Form) {
        self.shape.keys.push(Key {
            name,
            doc,
            need,
            form,
        });
    }

    fn refuse_strangers(&self) -> Result<(), Noted> {
        let mut outcome = Ok(());
        for (key, value) in self.entries.into_iter().flatten() {
            if self.known.contains(&&**key.get_ref()) {
                continue;
            }
            self.notes.hide_within(value);
            let node = Node::new(key, value, self.notes);
            let (what, instead) = unknown::key(&node, &self.known, &self.shape.label);
            outcome = Err(self.notes.refuse(key.span(), what, instead));
        }
        outcome
    }
}
