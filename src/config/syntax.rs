//! What the TOML parser itself could not read.
//!
//! A line that is no TOML may hold a secret anywhere, so only what is surely none is shown.

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

/// A syntax error as a remark.
pub(super) fn remark(error: &Error, page: &Page<'_>) -> Remark {
    let span = error.span().unwrap_or_default();
    let (what, instead) = said(error.message());
    let blots = page.values_around(&span);
    page.remark(&span, what, instead, &blots)
}

fn said(message: &str) -> (String, String) {
    if message == REPEATED {
        let what = "this key or table is written twice".to_owned();
        return (what, "keep one of the two".to_owned());
    }
    let instead = match message.split_once(", expected ") {
        Some((_, expected)) => format!("expected here: {expected}"),
        None => "write a line of TOML: `key = value`, with texts in quotes".to_owned(),
    };
    (format!("this is no TOML: {message}"), instead)
}
