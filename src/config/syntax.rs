//! What the TOML parser itself could not read.
//!
//! A line that is no TOML may hold a secret anywhere, so only what is surely none is shown.

use std::slice;

use toml::de::Error;

use super::mistake::Remark;
use super::notes::Text;
use super::snippet::Page;

/// A repeated key loses nothing else; any other error may.
const REPEATED: &str = "duplicate key";

/// Whether the errors cost any part of the text.
pub(super) fn damage(errors: &[Error]) -> Text {
    if errors.iter().all(|error| error.message() == REPEATED) {
        Text::Whole
    } else {
        Text::Broken
    }
}

/// The syntax errors as remarks: the first of each line, for the others mostly follow from it.
pub(super) fn remarks(errors: &[Error], page: &Page<'_>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = errors.iter().map(|error| remark(error, page)).collect();
    remarks.sort_by_key(|remark| (remark.line(), remark.column()));
    remarks.dedup_by_key(|remark| remark.line());
    remarks
}

fn remark(error: &Error, page: &Page<'_>) -> Remark {
    let span = error.span().unwrap_or_default();
    let (what, instead) = said(error.message());
    let blot = page.doubtful(&span);
    page.remark(&span, what, instead, slice::from_ref(&blot))
}

fn said(message: &str) -> (String, String) {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let instead = match what {
        REPEATED => "keep one of the two".to_owned(),
        "string values must be quoted" => "put the text into quotes: \"…\"".to_owned(),
        "missing comma between array elements" => {
            "put `,` between the items, and `]` behind the last".to_owned()
        }
        _ if expected.is_empty() => "write `key = value`, with texts in quotes".to_owned(),
        _ => format!("write here: {expected}"),
    };
    if what == REPEATED {
        return ("this key or table is written twice".to_owned(), instead);
    }
    (format!("this is no TOML: {what}"), instead)
}
