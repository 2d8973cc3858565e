//! From a byte span to a line, a column and the line's text with a mark under it.

use std::path::Path;

use super::mistake::{Remark, Snippet};
use super::notes::Span;
use super::unknown;

/// The text of a config file, by lines.
pub(super) struct Page<'a> {
    file: &'a Path,
    text: &'a str,
}

/// What stands where something is hidden.
const BLOT: char = '…';
/// Lines are cut here: a snippet is for finding a place, not for reading a file.
const WIDTH: usize = 120;

impl<'a> Page<'a> {
    /// The text of `file`.
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text }
    }

    /// A remark on `span`, whose snippet shows nothing of the `blots`.
    pub(super) fn remark(
        &self,
        span: &Span,
        what: String,
        instead: String,
        blots: &[Span],
    ) -> Remark {
        let at = self.within(span.start);
        let line = self.line_around(at);
        let number = 1 + self.text[..line.start].matches('\n').count();
        let column = 1 + self.text[line.start..at].chars().count();
        let span = at..span.end.max(at);
        let comment = self.comment(&line, &span);
        let blots: Vec<&Span> = blots.iter().chain(&comment).collect();
        let snippet = self.snippet(&line, &span, &blots);
        Remark::new(self.file, (number, column), snippet).saying(what, instead)
    }

    /// Everything of the span's line behind the known keys and headers that it begins with: what
    /// the parser could not read may be a secret.
    pub(super) fn doubtful(&self, span: &Span) -> Span {
        let line = self.line_around(self.within(span.start));
        let text = &self.text[line.clone()];
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        let mut shown = 0;
        while let Some(rest) = text.get(shown..) {
            let start = rest.find(|c| !" .[]=".contains(c)).unwrap_or(rest.len());
            shown += start;
            let word = rest[start..].split(|c| !is_word(c)).next().unwrap_or("");
            if !unknown::is_key(word) {
                break;
            }
            shown += word.len();
        }
        line.start + shown..line.end
    }

    /// The line that holds a byte, without its end.
    pub(super) fn line_around(&self, at: usize) -> Span {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &self.text[start..];
        let end = start + rest.find('\n').unwrap_or(rest.len());
        let bare = self.text[start..end].trim_end_matches('\r');
        start..start + bare.len()
    }

    /// The nearest place at or before `at` that is a character of a line.
    pub(super) fn within(&self, at: usize) -> usize {
        let last = self.text.strip_suffix('\n').unwrap_or(self.text).len();
        let mut at = at.min(last);
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The comment behind a span of a line: it may be about a secret.
    fn comment(&self, line: &Span, span: &Span) -> Option<Span> {
        let mut quote = None;
        for (offset, character) in self.text.get(span.end..line.end)?.char_indices() {
            match (quote, character) {
                (None, '#') => return Some(span.end + offset..line.end),
                (None, '"' | '\'') => quote = Some(character),
                (Some(open), _) if open == character => quote = None,
                _ => {}
            }
        }
        None
    }

    fn snippet(&self, line: &Span, span: &Span, blots: &[&Span]) -> Snippet {
        let mut snippet = Snippet::default();
        let is_hidden = |at: usize| blots.iter().any(|blot| blot.contains(&at));
        let mut blotted = false;
        for (offset, character) in self.text[line.clone()].char_indices() {
            let at = line.start + offset;
            let hidden = is_hidden(at);
            if hidden && blotted {
                continue;
            }
            blotted = hidden;
            let shown = Some(printable(character)).filter(|_| !hidden);
            snippet.line.push(shown.unwrap_or(BLOT));
            snippet.before += usize::from(at < span.start);
            snippet.marked += usize::from(span.contains(&at));
        }
        snippet.cut()
    }
}

impl Snippet {
    /// At least one character is marked, and the line is not longer than a terminal's.
    fn cut(mut self) -> Self {
        self.line = self.line.chars().take(WIDTH).collect();
        self.before = self.before.min(WIDTH);
        self.marked = self.marked.min(WIDTH - self.before).max(1);
        self
    }
}

/// Tabs and control characters would move the mark, or the terminal.
fn printable(character: char) -> char {
    Some(character).filter(|c| !c.is_control()).unwrap_or(' ')
}
