//! Text from outside, as it may stand in a log line.

use std::sync::Arc;

/// The most characters of a text from outside that stand in a log line, before they are escaped.
const LONGEST_IN_LOG: usize = 128;

/// Text from outside, escaped and cut; itself where it stays as it is.
pub(super) fn shared_for_log(text: Arc<str>) -> Arc<str> {
    if is_plain(&text) {
        return text;
    }
    let safe = for_log(&text);
    if *safe == *text { text } else { safe.into() }
}

/// Whether text surely stays as it is: most does.
fn is_plain(text: &str) -> bool {
    let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\');
    text.len() <= LONGEST_IN_LOG && text.bytes().all(plain)
}

/// Text from outside, escaped and cut.
pub(crate) fn for_log(text: &str) -> String {
    text.chars()
        .take(LONGEST_IN_LOG)
        .flat_map(char::escape_debug)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_escaped_and_cut_as_anything_is() {
        let alone = ('\0'..='\u{2ff}').map(|it| format!("a{it}"));
        let long = [0, 127, 128, 129].map(|length| "a".repeat(length));
        for text in alone.chain(long) {
            let shared = shared_for_log(text.as_str().into());
            assert_eq!(*shared, *for_log(&text), "{text:?}");
        }
    }
}
