//! Files that are read besides the config, and what is named in them.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::config::node::{Node, Value};
use crate::config::notes::Noted;
use crate::id::CustomerName;

/// The files that a pattern finds, by name: one `*` in the last part of the path, or none at all.
pub(in crate::config) struct Include(pub(in crate::config) Vec<PathBuf>);

/// A name that can stand in any log.
pub(in crate::config) struct Handle(pub(in crate::config) CustomerName);

/// The longest name.
const LONGEST: usize = 64;

impl Value for Include {
    const WANTED: &'static str = "files in quotes, such as \"customers/*.toml\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = String::read(node)?;
        let (folder, pattern) = text.rsplit_once('/').unwrap_or(("", &text));
        let stars = pattern.matches('*').count();
        if folder.contains('*') || stars > 1 || pattern.is_empty() {
            return Err(node.refuse(
                "one `*` can stand here, in the name of the files",
                format!("write {}", Self::WANTED),
            ));
        }
        let root = folder.is_empty() && text.starts_with('/');
        let folder = if root { "/" } else { folder };
        let folder = node.notes.path(folder);
        let Some((before, behind)) = pattern.split_once('*') else {
            return Ok(Self(vec![folder.join(pattern)]));
        };
        let files = node.notes.sources().files(&folder).map_err(|error| {
            let what = format!("{}: cannot be looked into: {error}", folder.display());
            node.refuse(what, "make the folder, or name another")
        })?;
        let mut found = files;
        found.retain(|path| fits(path, before, behind));
        found.sort();
        Ok(Self(found))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^([^*]*/)?[^*/]*[*]?[^*/]*$", "minLength": 1})
    }
}

/// A hidden file is nobody's: an editor's, or a mount's.
fn fits(path: &Path, before: &str, behind: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let rest = name.strip_prefix(before);
    let fits = rest.is_some_and(|rest| rest.ends_with(behind));
    fits && !name.starts_with('.')
}

impl Value for Handle {
    const WANTED: &'static str = "a short name in quotes, such as \"acme\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(plain) {
            return Err(node.refuse(
                "a name has at most 64 letters, digits, `-`, `_` and `.`",
                format!("write {}", Self::WANTED),
            ));
        }
        Ok(Self(CustomerName::new(text)))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
    }
}
