//! The pad on which a reading writes down what is wrong, and what must not be shown.
//!
//! Mistakes come in with a byte span; they leave sorted, with line, column and snippet. A value
//! that may be a secret is put under a blot, and no snippet ever shows what is under one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::mistake::{Mistakes, Remark, Warning};
use super::print::Witness;
use super::snippet::Page;
use super::sources::Sources;

/// Bytes of the text.
pub(super) type Span = Range<usize>;

/// Proof that a mistake was written down; nothing else makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted(());

/// Whether the text could be read as TOML from end to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Text {
    /// Parts of it were lost, so what seems to be missing may be there.
    Broken,
    /// It is whole.
    Whole,
}

/// What a reading found.
pub(super) struct Notes<'a> {
    witness: Witness<'a>,
    folder: &'a Path,
    text: Text,
    mistakes: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    blots: RefCell<Vec<Span>>,
    elsewhere: RefCell<Elsewhere>,
}

/// What readings of other files found.
#[derive(Default)]
struct Elsewhere {
    mistakes: Vec<Remark>,
    warnings: Vec<Warning>,
}

/// One thing found, before it gets its line.
struct Finding {
    span: Span,
    what: String,
    instead: String,
}

impl<'a> Notes<'a> {
    /// An empty pad; relative paths of the config are taken from `folder`.
    pub(super) fn new(sources: &'a dyn Sources, folder: &'a Path, text: Text) -> Self {
        Self {
            witness: Witness::new(sources),
            folder,
            text,
            mistakes: RefCell::default(),
            warnings: RefCell::default(),
            blots: RefCell::default(),
            elsewhere: RefCell::default(),
        }
    }

    /// Takes over what was found in another file.
    pub(super) fn include<T>(&self, read: Result<(T, Vec<Warning>), Mistakes>) -> Result<T, Noted> {
        let mut elsewhere = self.elsewhere.borrow_mut();
        match read {
            Ok((value, warnings)) => {
                elsewhere.warnings.extend(warnings);
                Ok(value)
            }
            Err(mistakes) => {
                elsewhere.mistakes.extend(mistakes.into_list());
                Err(Noted(()))
            }
        }
    }

    /// Where secrets and files come from.
    pub(super) fn sources(&self) -> &dyn Sources {
        &self.witness
    }

    /// The same, to learn what was read.
    pub(super) fn witness(&self) -> &Witness<'a> {
        &self.witness
    }

    /// A path as the config means it: relative to the config's own folder.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Writes a mistake down.
    pub(super) fn refuse(
        &self,
        span: Span,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Noted {
        self.mistakes
            .borrow_mut()
            .push(Finding::new(span, what, instead));
        Noted(())
    }

    /// Writes down that something is missing, unless the text is broken and it may be there.
    pub(super) fn missing(
        &self,
        span: Span,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Noted {
        match self.text {
            Text::Broken => Noted(()),
            Text::Whole => self.refuse(span, what, instead),
        }
    }

    /// Writes down what is allowed but should be known.
    pub(super) fn warn(&self, span: Span, what: impl Into<String>, instead: impl Into<String>) {
        self.warnings
            .borrow_mut()
            .push(Finding::new(span, what, instead));
    }

    /// Keeps a span out of every snippet.
    pub(super) fn hide(&self, span: Span) {
        self.blots.borrow_mut().push(span);
    }

    /// Keeps every value out that stands here or in a table here; keys and headers stay.
    pub(super) fn hide_within(&self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().for_each(|item| self.hide_within(item)),
            DeValue::Table(entries) => entries.values().for_each(|value| self.hide_within(value)),
            _ => self.hide(value.span()),
        }
    }

    /// What was read, with the warnings; or every mistake, those of the `syntax` among them.
    pub(super) fn close<T>(
        self,
        read: Result<T, Noted>,
        syntax: Vec<Remark>,
        page: &Page<'_>,
    ) -> Result<(T, Vec<Warning>), Mistakes> {
        let blots = self.blots.into_inner();
        let elsewhere = self.elsewhere.into_inner();
        let remark = |finding: Finding| {
            let mut blots = Cow::Borrowed(&blots);
            if self.text == Text::Broken {
                blots.to_mut().push(page.doubtful(&finding.span));
            }
            page.remark(&finding.span, finding.what, finding.instead, &blots)
        };
        let mut mistakes = syntax;
        let lines: Vec<usize> = mistakes.iter().map(Remark::line).collect();
        let found = self.mistakes.into_inner().into_iter().map(remark);
        mistakes.extend(found.filter(|mistake| !lines.contains(&mistake.line())));
        match read {
            Ok(value) if mistakes.is_empty() && elsewhere.mistakes.is_empty() => {
                let warnings = self.warnings.into_inner().into_iter().map(remark);
                let warnings = warnings.map(Warning::new);
                Ok((value, warnings.chain(elsewhere.warnings).collect()))
            }
            _ => Err(Mistakes::new(mistakes, elsewhere.mistakes)),
        }
    }
}

impl Finding {
    fn new(span: Span, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            span,
            what: what.into(),
            instead: instead.into(),
        }
    }
}
