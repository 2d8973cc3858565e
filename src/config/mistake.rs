//! What is wrong with a config, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// Every mistake of one config, in the order of the file, then of those
/// that it includes; never empty, and never with a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistakes(Vec<Remark>);

/// A remark on one place of a config.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    file: PathBuf,
    line: usize,
    column: usize,
    what: String,
    instead: String,
    snippet: Snippet,
}

/// What is allowed, but should be known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning(Remark);

/// One line of the file with a mark under it; what may be a secret is blotted out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Snippet {
    pub(super) line: String,
    /// Characters before the mark.
    pub(super) before: usize,
    /// Characters marked, one or more.
    pub(super) marked: usize,
}

impl Mistakes {
    /// Those of the config's own text, then those of the files that it includes.
    pub(super) fn new(mut remarks: Vec<Remark>, elsewhere: Vec<Remark>) -> Self {
        remarks.sort_by_key(|remark| (remark.line, remark.column));
        remarks.extend(elsewhere);
        remarks.dedup();
        Self(remarks)
    }

    pub(super) fn into_list(self) -> Vec<Remark> {
        self.0
    }

    /// The mistakes, from the top of the file to its end.
    #[must_use]
    pub fn list(&self) -> &[Remark] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, remark) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            remark.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Remark {
    pub(super) fn new(file: &Path, (line, column): (usize, usize), snippet: Snippet) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column,
            what: String::new(),
            instead: String::new(),
            snippet,
        }
    }

    pub(super) fn saying(mut self, what: String, instead: String) -> Self {
        self.what = what;
        self.instead = instead;
        self
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to write instead.
    #[must_use]
    pub fn instead(&self) -> &str {
        &self.instead
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        writeln!(f, "{file}:{}:{}: {}", self.line, self.column, self.what)?;
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let Snippet {
            line,
            before,
            marked,
        } = &self.snippet;
        writeln!(f, " {number} | {line}")?;
        let (indent, mark) = (" ".repeat(*before), "^".repeat(*marked));
        writeln!(f, " {gutter} | {indent}{mark}")?;
        write!(f, " {gutter} = {}", self.instead)
    }
}

impl Warning {
    pub(super) fn new(remark: Remark) -> Self {
        Self(remark)
    }

    /// Where, what, and what to write instead.
    #[must_use]
    pub fn remark(&self) -> &Remark {
        &self.0
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Remark {
            file, line, column, ..
        } = &self.0;
        let (what, instead) = (&self.0.what, &self.0.instead);
        write!(f, "{}:{line}:{column}: {what}; {instead}", file.display())
    }
}
