//! What this replica has to tell: what waits for Redis, and what may have to be told again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::entry::Entry;

/// How many are kept, said or not; only issuers that the config trusts and operators can add one.
const MOST: usize = 10_000;
/// How many are said at once.
const BATCH: usize = 100;

/// What this replica was told by an issuer or an operator.
#[derive(Debug, Default)]
pub(super) struct Own {
    book: Mutex<Book>,
    unsaid: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Book {
    logouts: VecDeque<Kept>,
    /// The number of the first that is not said.
    next: u64,
    /// The number of the next logout.
    free: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    entry: Entry,
    expires: Duration,
}

/// What is to be said at once.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// The number of the last of them.
    pub(super) last: u64,
}

impl Own {
    /// Takes a logout that is to be said, and counts until a moment since 1970.
    pub(super) fn push(&self, entry: Entry, expires: Duration, now: Duration) {
        let mut book = self.book();
        book.forget_old(now);
        let number = book.free;
        book.free += 1;
        book.logouts.push_back(Kept {
            number,
            entry,
            expires,
        });
        self.count(&book);
    }

    /// The next that are to be said, the oldest first; `None` when all are said.
    pub(super) fn batch(&self) -> Option<Batch> {
        let book = self.book();
        let unsaid = book.unsaid().take(BATCH);
        let (numbers, entries): (Vec<u64>, Vec<Entry>) =
            unsaid.map(|kept| (kept.number, kept.entry.clone())).unzip();
        let last = *numbers.last()?;
        Some(Batch { entries, last })
    }

    /// They are said, up to this one.
    pub(super) fn said(&self, last: u64) {
        let mut book = self.book();
        book.next = last + 1;
        self.count(&book);
    }

    /// All of them are to be said again.
    pub(super) fn say_again(&self, now: Duration) {
        let mut book = self.book();
        book.next = 0;
        book.forget_old(now);
        self.count(&book);
    }

    /// How many are not said.
    pub(super) fn unsaid(&self) -> usize {
        *self.unsaid.borrow()
    }

    /// Waits until all are said.
    pub(super) async fn all_said(&self) {
        let mut unsaid = self.unsaid.subscribe();
        // The sender lives as long as this.
        let _ = unsaid.wait_for(|unsaid| *unsaid == 0).await;
    }

    fn count(&self, book: &Book) {
        self.unsaid.send_replace(book.unsaid().count());
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn unsaid(&self) -> impl Iterator<Item = &Kept> {
        let said = self.logouts.partition_point(|kept| kept.number < self.next);
        self.logouts.range(said..)
    }

    fn forget_old(&mut self, now: Duration) {
        // What operators close is past sooner than a logout that was told before it.
        self.logouts.retain(|kept| kept.expires > now);
        while self.logouts.len() >= MOST {
            let oldest = self.logouts.pop_front();
            if oldest.is_some_and(|oldest| oldest.number >= self.next) {
                warn!(
                    most = MOST,
                    "too many logouts wait for the replicas' Redis; the oldest is not told"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LATER: Duration = Duration::from_hours(1);

    fn push(own: &Own, name: &str, expires: Duration) {
        own.push((name.to_owned(), String::new()), expires, Duration::ZERO);
    }

    fn batch(own: &Own) -> Vec<String> {
        let entries = own.batch().map(|batch| batch.entries);
        let entries = entries.into_iter().flatten();
        entries.map(|(text, _)| text).collect()
    }

    #[test]
    fn what_is_said_is_kept_to_be_said_again() {
        let own = Own::default();
        for name in ["a", "b"] {
            push(&own, name, LATER);
        }
        let first = own.batch().unwrap();
        push(&own, "c", LATER);
        own.said(first.last);
        assert_eq!((batch(&own), own.unsaid()), (vec!["c".to_owned()], 1));
        assert!(own.all_said().now_or_never().is_none());
        own.said(own.batch().unwrap().last);
        assert!(own.batch().is_none() && own.all_said().now_or_never().is_some());
        own.say_again(Duration::ZERO);
        assert_eq!(
            (batch(&own), own.unsaid()),
            (["a", "b", "c"].map(str::to_owned).to_vec(), 3)
        );
        own.say_again(LATER);
        assert!(own.batch().is_none(), "what is past is not said again");
    }

    #[test]
    fn what_is_past_takes_no_place_behind_what_is_not() {
        let own = Own::default();
        push(&own, "logout", LATER);
        for _ in 0..MOST - 1 {
            push(&own, "closing", LATER / 2);
        }
        let next = ("next".to_owned(), String::new());
        own.push(next, LATER, LATER / 2);
        assert_eq!(batch(&own), ["logout", "next"]);
    }

    #[test]
    fn it_is_bounded_and_lets_the_oldest_go() {
        let own = Own::default();
        for number in 0..MOST + 5 {
            push(&own, &number.to_string(), LATER);
        }
        assert_eq!(own.unsaid(), MOST);
        assert_eq!(batch(&own).len(), BATCH);
        assert_eq!(batch(&own)[0], "5");
    }
}
