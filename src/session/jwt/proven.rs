//! Which tokens were verified, and whom they describe: a page that opens many sockets shows the same one
//! at each, and to verify its signature and to read it takes longer than all else.
//!
//! Kept with the keys, so that it is forgotten with them. Only tokens that were signed get in. What one
//! says is judged every time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use serde_json::Value;

use super::super::error::Flaw;
use super::token::LARGEST;
use crate::person::Person;

/// How many are kept; then all are forgotten and some will be verified once more.
const MOST: usize = 4096;

/// How much what is kept of people may take, by reckoning; then all people are forgotten.
const ROOM: usize = 4 << 20;
/// What a claim takes beside its text, at the most: its own place, and a list's or an object's for it.
const CLAIM: usize = 384;

/// What a token is known by: a hash over all of it, and its length.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) struct Print {
    hash: [u8; SHA256_OUTPUT_LEN],
    length: usize,
}

impl Print {
    /// The print of a token that is not too large to be read.
    pub(super) fn of(text: &[u8]) -> Result<Self, Flaw> {
        if text.len() > LARGEST {
            return Err(Flaw::Oversized);
        }
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, text).as_ref());
        let length = text.len();
        Ok(Self { hash, length })
    }
}

/// Tokens whose signatures some keys have made.
#[derive(Default)]
pub(super) struct Proven(Mutex<Known>);

#[derive(Default)]
struct Known {
    tokens: HashMap<Print, Option<Person>>,
    /// What the people here take.
    taken: usize,
}

impl Proven {
    /// Verifies a token that is not known to be good yet.
    pub(super) fn vouch(
        &self,
        print: Print,
        verify: impl FnOnce() -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        if self.with(|known| known.tokens.contains_key(&print)) {
            return Ok(());
        }
        verify()?;
        self.with(|known| known.keep(print));
        Ok(())
    }

    /// Notes whom a token describes, if it is known to be good.
    pub(super) fn remember(&self, print: Print, person: &Person) {
        self.with(|known| known.describe(print, person));
    }

    /// Whom a token describes that is known to be good.
    pub(super) fn recall(&self, print: Print) -> Option<Person> {
        self.with(|known| known.tokens.get(&print)?.clone())
    }

    fn with<R>(&self, work: impl FnOnce(&mut Known) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn keep(&mut self, print: Print) {
        if self.tokens.len() >= MOST {
            *self = Self::default();
        }
        self.tokens.entry(print).or_default();
    }

    fn describe(&mut self, print: Print, person: &Person) {
        if !matches!(self.tokens.get(&print), Some(None)) {
            return;
        }
        let takes = print.length + CLAIM * person.claims().values().map(count).sum::<usize>();
        if self.taken + takes > ROOM {
            self.tokens.values_mut().for_each(|person| *person = None);
            self.taken = 0;
        }
        if takes <= ROOM {
            self.tokens.insert(print, Some(person.clone()));
            self.taken += takes;
        }
    }
}

/// How many values there are in one, itself counted.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(values) => values.values().map(count).sum(),
        _ => 0_usize,
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::id::{Issuer, Subject};

    const NEVER: fn() -> Result<(), Flaw> = || panic!("it is known");

    fn print(text: &str) -> Print {
        Print::of(text.as_bytes()).unwrap()
    }

    fn ada() -> Person {
        Person::new(Issuer::new("i"), Subject::new("ada"), None, Map::new())
    }

    #[test]
    fn a_good_token_is_verified_once_and_no_other_goes_for_it() {
        let (ada, forged, eve) = (print("a.b.c"), print("a.b.d"), print("e.b.c"));
        let bad = || Err(Flaw::Signature);
        let proven = Proven::default();
        assert_eq!(proven.vouch(ada, bad), Err(Flaw::Signature));
        assert_eq!(proven.vouch(ada, || Ok(())), Ok(()), "a no is not kept");
        assert_eq!(proven.vouch(ada, NEVER), Ok(()));
        for other in [forged, eve] {
            assert_eq!(proven.vouch(other, bad), Err(Flaw::Signature));
        }
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let proven = Proven::default();
        for number in 0..=MOST {
            let print = print(&number.to_string());
            assert_eq!(proven.vouch(print, || Ok(())), Ok(()));
        }
        assert_eq!(proven.with(|known| known.tokens.len()), 1);
    }

    #[test]
    fn whom_a_token_describes_is_known_once_it_is_verified() {
        let (proven, token, ada) = (Proven::default(), print("a.b.c"), ada());
        proven.remember(token, &ada);
        assert!(proven.recall(token).is_none(), "nobody verified it");
        proven.vouch(token, || Ok(())).unwrap();
        assert!(proven.recall(token).is_none(), "nobody has said yet");
        proven.remember(token, &ada);
        let same = proven.recall(token).unwrap();
        assert!(std::ptr::eq(same.claims(), ada.claims()));
        assert!(proven.recall(print("a.b.d")).is_none());
    }

    #[test]
    fn no_more_people_are_kept_than_there_is_room_for() {
        let (proven, ada) = (Proven::default(), ada());
        let long = |number: usize| print(&format!("{number:8000}"));
        let most = ROOM / (8000 + CLAIM);
        for number in 0..=most {
            proven.vouch(long(number), || Ok(())).unwrap();
            // What is known already takes no more room.
            proven.remember(long(number), &ada);
            proven.remember(long(number), &ada);
        }
        let known = (0..=most).filter(|number| proven.recall(long(*number)).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [most]);
        assert_eq!(
            proven.vouch(long(0), NEVER),
            Ok(()),
            "its signature is known"
        );
    }

    #[test]
    fn who_is_said_much_of_takes_more_room() {
        let (proven, token) = (Proven::default(), print("a.b.c"));
        let claims = |values: usize| {
            let list = json!({"list": vec![json!({"": 1}); values]});
            let claims = list.as_object().unwrap().clone();
            Person::new(Issuer::new("i"), Subject::new("ada"), None, claims)
        };
        proven.vouch(token, || Ok(())).unwrap();
        proven.remember(token, &claims(ROOM / CLAIM / 2));
        assert!(proven.recall(token).is_none(), "too much for all the room");
        proven.remember(token, &claims(ROOM / CLAIM / 2 - 8));
        assert!(proven.recall(token).is_some());
        let other = print("d.e.f");
        proven.vouch(other, || Ok(())).unwrap();
        proven.remember(other, &claims(8));
        assert!(proven.recall(token).is_none(), "all were forgotten");
        assert!(proven.recall(other).is_some());
    }

    #[test]
    fn what_is_too_large_to_be_read_is_not_even_hashed() {
        let large = vec![b'a'; LARGEST + 1];
        let print = Print::of(&large).err();
        assert_eq!(print, Some(Flaw::Oversized));
    }
}
