//! What a part of a config comes down to: two readings with the same print mean the same.

use std::cell::RefCell;
use std::env::VarError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use toml::de::{DeTable, DeValue};

use super::sources::Sources;

/// A hash over what is written and over what the files and variables hold that it names. It gives
/// none of them away.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Print([u8; 32]);

impl Print {
    /// Of two prints, in order.
    #[must_use]
    pub fn both(one: Self, other: Self) -> Self {
        Self::of_all(&[one, other])
    }

    /// Of a text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self::of(&[text.as_bytes()])
    }

    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut print = [0; 32];
        print.copy_from_slice(context.finish().as_ref());
        Self(print)
    }

    /// Of several prints, in order.
    pub(super) fn of_all(prints: &[Self]) -> Self {
        let parts: Vec<&[u8]> = prints.iter().map(|print| &print.0[..]).collect();
        Self::of(&parts)
    }

    /// Of a value, wherever it stands in its file.
    pub(super) fn of_value(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Array(items) => {
                let items = items.iter().map(|item| Self::of_value(item.get_ref()));
                Self::of(&[b"array", &Self::of_all(&items.collect::<Vec<_>>()).0])
            }
            DeValue::Table(entries) => Self::of_table(entries, &[]),
            DeValue::String(text) => Self::of(&[b"text", text.as_bytes()]),
            scalar => Self::of(&[b"scalar", format!("{scalar:?}").as_bytes()]),
        }
    }

    /// Of a table, but for some of its keys.
    pub(super) fn of_table(entries: &DeTable<'_>, but: &[&str]) -> Self {
        let kept = entries
            .iter()
            .filter(|(key, _)| !but.contains(&&**key.get_ref()));
        let mut prints: Vec<Self> = kept
            .map(|(key, value)| {
                let value = Self::of_value(value.get_ref());
                Self::of(&[key.get_ref().as_bytes(), &value.0])
            })
            .collect();
        prints.sort_by_key(|print| print.0);
        Self::of(&[b"table", &Self::of_all(&prints).0])
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Print(…)")
    }
}

/// Sources that remember the prints of what was read from them.
pub(super) struct Witness<'a> {
    sources: &'a dyn Sources,
    seen: RefCell<Vec<Print>>,
}

impl<'a> Witness<'a> {
    pub(super) fn new(sources: &'a dyn Sources) -> Self {
        let seen = RefCell::default();
        Self { sources, seen }
    }

    /// How much has been read.
    pub(super) fn mark(&self) -> usize {
        self.seen.borrow().len()
    }

    /// What was read since then.
    pub(super) fn since(&self, mark: usize) -> Print {
        Print::of_all(&self.seen.borrow()[mark..])
    }

    fn see(&self, name: &[u8], content: &[u8]) {
        self.seen.borrow_mut().push(Print::of(&[name, content]));
    }
}

impl Sources for Witness<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        let value = self.sources.variable(name)?;
        self.see(name.as_bytes(), value.as_bytes());
        Ok(value)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = self.sources.file(path)?;
        self.see(path.as_os_str().as_encoded_bytes(), &content);
        Ok(content)
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.sources.files(folder)
    }
}
