//! The sessions that are open, by identity: whoever is forgotten and comes again opens a second one,
//! so those go first whom nobody asked for longest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use crate::credential::error::CredentialError;
use crate::credential::identity::Identity;

/// How many sessions are remembered.
const ROOM: usize = 10_000;

/// The cookie of a session.
#[derive(Clone)]
pub(super) struct Cookie {
    /// As the virtual proxy calls it.
    pub(super) name: String,
    pub(super) value: String,
}

impl Cookie {
    /// The header that shows it.
    pub(super) fn line(&self) -> Result<HeaderValue, CredentialError> {
        let line = HeaderValue::try_from(format!("{}={}", self.name, self.value));
        let mut line = line.map_err(|_| CredentialError::BadKey)?;
        line.set_sensitive(true);
        Ok(line)
    }
}

/// A session that is open.
#[derive(Clone)]
pub(super) struct Entered {
    pub(super) cookie: Cookie,
    /// The token against forgery that belongs to it.
    pub(super) csrf: Option<String>,
}

/// The sessions that are remembered.
#[derive(Default)]
pub(super) struct Memory(Mutex<Book>);

#[derive(Default)]
struct Book {
    kept: HashMap<Identity, Kept>,
    uses: u64,
}

struct Kept {
    entered: Entered,
    /// Which use was its last.
    used: u64,
}

impl Memory {
    /// An identity's session, which is used by asking.
    pub(super) fn of(&self, identity: &Identity) -> Option<Entered> {
        let mut book = self.book();
        let used = book.next_use();
        let kept = book.kept.get_mut(identity)?;
        kept.used = used;
        Some(kept.entered.clone())
    }

    pub(super) fn keep(&self, identity: &Identity, entered: Entered) {
        let mut book = self.book();
        if book.kept.len() >= ROOM && !book.kept.contains_key(identity) {
            book.clear_idlest();
        }
        let used = book.next_use();
        book.kept.insert(identity.clone(), Kept { entered, used });
    }

    /// Forgets a session, and says which it was.
    pub(super) fn forget(&self, identity: &Identity) -> Option<Entered> {
        Some(self.book().kept.remove(identity)?.entered)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    const fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Forgets a tenth at once, so that one search serves many who come.
    fn clear_idlest(&mut self) {
        let mut uses: Vec<u64> = self.kept.values().map(|kept| kept.used).collect();
        let (_, last, _) = uses.select_nth_unstable(ROOM / 10);
        let last = *last;
        self.kept.retain(|_, kept| kept.used >= last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(number: usize) -> Identity {
        Identity::of([&number.to_string()])
    }

    fn entered() -> Entered {
        let (name, value) = ("X-Qlik-Session".to_owned(), "1".to_owned());
        let cookie = Cookie { name, value };
        Entered { cookie, csrf: None }
    }

    #[test]
    fn those_are_forgotten_first_whom_nobody_asked_for_longest() {
        let memory = Memory::default();
        for number in 0..ROOM {
            memory.keep(&person(number), entered());
        }
        // The earliest are used once more, each in its own way.
        memory.keep(&person(0), entered());
        assert!(memory.of(&person(1)).is_some());
        for number in ROOM..ROOM + ROOM / 2 {
            memory.keep(&person(number), entered());
            assert!(memory.book().kept.len() <= ROOM);
        }
        let known = |number: usize| memory.of(&person(number)).is_some();
        assert!(known(0) && known(1));
        assert!((2..ROOM / 2).all(|number| !known(number)));
        assert!((ROOM / 2 + 2..ROOM + ROOM / 2).all(known));
    }
}
