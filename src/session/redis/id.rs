//! Ids that come unsigned, straight out of a cookie: what may be looked up at all.

use super::super::error::SessionError;
use crate::id::SessionId;

/// The shortest id: one that is shorter could be guessed, or be the name of something else.
const SHORTEST: usize = 16;

/// The longest.
const LONGEST: usize = 256;

/// Takes an id as its generators write them: letters, digits and `-_.,`. Nothing that divides a
/// Redis key is among them, so that no cookie leads to a key that is not a session's.
pub(super) fn parse(text: &[u8]) -> Result<SessionId, SessionError> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.,".contains(byte);
    let sane = (SHORTEST..=LONGEST).contains(&text.len()) && text.iter().all(plain);
    let text = std::str::from_utf8(text).ok().filter(|_| sane);
    let malformed = SessionError::Cookie("it is no session id");
    text.map(SessionId::new).ok_or(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_id_is_looked_up() {
        for good in [
            "0123456789abcdef",
            "gq2Lk-9_Zr.aB,cD0123456789",
            "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
            &"x".repeat(256),
        ] {
            assert_eq!(parse(good.as_bytes()).unwrap().expose(), good);
        }
        for bad in [
            "",
            "config",
            "0123456789abcde",
            "0123456789abcdef:x",
            "expires:0123456789abcdef",
            "0123456789abcdef*",
            "0123456789abcdef/..",
            "0123456789abcdef\r\nFLUSHALL",
            "0123456789abcdef%3A",
            "0123456789abcdef\0",
            "0123456789abcdefé",
            &"x".repeat(257),
        ] {
            assert!(
                matches!(parse(bad.as_bytes()), Err(SessionError::Cookie(_))),
                "{bad:?}"
            );
        }
    }
}
