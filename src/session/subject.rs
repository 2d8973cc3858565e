//! What a subject may look like, whoever vouches for it.

use crate::id::Subject;

const LONGEST: usize = 256;

/// Takes a subject as it is: not empty, at most 256 bytes, no control characters. It is never
/// trimmed or folded, so that two spellings stay two people.
pub(super) fn parse(text: &str) -> Option<Subject> {
    let plain = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    plain.then(|| Subject::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_plain_text_of_limited_length() {
        assert!(parse("ada").is_some());
        assert!(parse("Zoë Ångström|auth0").is_some());
        assert!(parse(&"x".repeat(256)).is_some());
        for bad in ["", "a\nb", "a\0", "\u{85}", &"x".repeat(257)] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
