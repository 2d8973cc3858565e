//! Which signatures a key was seen to have made: a page that opens many sockets shows the same token
//! at each, and RSA takes longer to tell than all else that is looked at.
//!
//! Kept with the key, so that it is forgotten with it. Nothing but the signature is remembered: what
//! a token says is read and judged every time. Only tokens that were signed get in.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::token::Token;

/// How many are kept; then all are forgotten and some will be verified once more.
const MOST: usize = 4096;

type Print = [u8; SHA256_OUTPUT_LEN];

/// Signatures that a key has made.
#[derive(Default)]
pub(super) struct Proven(Mutex<HashSet<Print>>);

impl Proven {
    /// Whether a signature is known to be good, or is found to be by `verify`.
    pub(super) fn holds(&self, token: &Token<'_>, verify: impl FnOnce() -> bool) -> bool {
        let print = print(token);
        if self.with(|known| known.contains(&print)) {
            return true;
        }
        let good = verify();
        if good {
            self.with(|known| keep(known, print));
        }
        good
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashSet<Print>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven").finish_non_exhaustive()
    }
}

fn keep(known: &mut HashSet<Print>, print: Print) {
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(print);
}

/// A hash over all that is verified: what was signed, and, of fixed length by its key, the signature.
fn print(token: &Token<'_>) -> Print {
    let mut hash = Context::new(&SHA256);
    hash.update(&token.signed().len().to_be_bytes());
    hash.update(token.signed());
    hash.update(token.signature().as_bytes());
    let mut print = Print::default();
    print.copy_from_slice(hash.finish().as_ref());
    print
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::token::Purpose;
    use super::*;

    const NEVER: fn() -> bool = || panic!("it is known");

    fn text(subject: &str, signature: &str) -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let header = part(r#"{"alg":"RS256"}"#);
        format!("{header}.{}.{signature}", part(subject))
    }

    #[test]
    fn a_good_signature_is_verified_once_and_no_other_goes_for_it() {
        let (ada, forged, eve) = (
            text("ada", "c2ln"),
            text("ada", "c2lh"),
            text("eve", "c2ln"),
        );
        let token = |text| Token::parse(str::as_bytes(text), Purpose::Session).unwrap();
        let proven = Proven::default();
        assert!(!proven.holds(&token(&ada), || false));
        assert!(proven.holds(&token(&ada), || true), "a no is not kept");
        assert!(proven.holds(&token(&ada), NEVER));
        for other in [&forged, &eve] {
            assert!(!proven.holds(&token(other), || false));
        }
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let proven = Proven::default();
        for number in 0..=MOST {
            let text = text(&number.to_string(), "c2ln");
            let token = Token::parse(text.as_bytes(), Purpose::Session).unwrap();
            assert!(proven.holds(&token, || true));
        }
        assert_eq!(proven.with(|known| known.len()), 1);
    }
}
