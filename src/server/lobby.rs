//! Who is connected and asks for nothing. It costs a client nothing to be here, so where no seat is
//! left, whoever has been here for longest makes room for the next.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long everybody has for a request to come, however many wait for a seat.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The connections that ask for nothing. There are no more of them than seats.
#[derive(Debug, Default)]
pub(super) struct Lobby(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    entered: u64,
    guests: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// A connection that asks for nothing yet.
#[derive(Debug)]
pub(super) struct Guest {
    lobby: Arc<Lobby>,
    number: u64,
    sent_away: CancellationToken,
    has_left: AtomicBool,
}

impl Lobby {
    /// A connection begins to wait.
    pub(super) fn enter(self: &Arc<Self>) -> Guest {
        let sent_away = CancellationToken::new();
        let mut waiting = self.waiting();
        waiting.entered += 1;
        let number = waiting.entered;
        let entry = (Instant::now(), sent_away.clone());
        waiting.guests.insert(number, entry);
        drop(waiting);
        Guest {
            lobby: Arc::clone(self),
            number,
            sent_away,
            has_left: AtomicBool::new(false),
        }
    }

    /// Sends the one away who has waited for longest, once that is long enough.
    pub(super) async fn make_room(&self) {
        loop {
            let Some(since) = self.longest() else {
                sleep(GRACE).await;
                continue;
            };
            sleep_until(since + GRACE).await;
            if self.send_away() {
                return;
            }
        }
    }

    fn longest(&self) -> Option<Instant> {
        let waiting = self.waiting();
        let longest = waiting.guests.values().next();
        longest.map(|(since, _)| *since)
    }

    fn send_away(&self) -> bool {
        let mut waiting = self.waiting();
        let longest = waiting.guests.first_entry();
        let late = longest.filter(|guest| guest.get().0.elapsed() >= GRACE);
        let late = late.map(|guest| guest.remove().1);
        late.inspect(CancellationToken::cancel).is_some()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// It asks for something, and cannot be sent away any more.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
        self.lobby.waiting().guests.remove(&self.number);
    }

    /// Waits until it has to make room; for ever, once it asks for something.
    pub(super) async fn sent_away(&self) {
        self.sent_away.cancelled().await;
        if self.has_left.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    /// What comes of something, unless it has to make room meanwhile.
    pub(super) async fn unless_sent_away<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            came = what => Some(came),
            () = self.sent_away() => None,
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn is_away(guest: &Guest) -> bool {
        guest.sent_away().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_longest_makes_room_and_nobody_before_their_time() {
        let lobby = Arc::<Lobby>::default();
        let first = lobby.enter();
        advance(GRACE / 2).await;
        let second = lobby.enter();
        let begun = Instant::now();
        lobby.make_room().await;
        assert!(begun.elapsed() >= GRACE / 2);
        assert!(is_away(&first) && !is_away(&second));
        drop(first);
        lobby.make_room().await;
        assert!(begun.elapsed() >= GRACE && is_away(&second));
        assert_eq!(lobby.longest(), None, "nobody is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_something_or_is_gone_makes_no_room() {
        let lobby = Arc::<Lobby>::default();
        let (asking, gone, silent) = (lobby.enter(), lobby.enter(), lobby.enter());
        asking.leave();
        drop(gone);
        advance(GRACE * 2).await;
        lobby.make_room().await;
        assert!(is_away(&silent) && !is_away(&asking));
        assert!(lobby.make_room().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_something_at_the_last_moment_is_heard() {
        let lobby = Arc::<Lobby>::default();
        let guest = lobby.enter();
        advance(GRACE).await;
        lobby.make_room().await;
        let request = async { guest.leave() };
        assert_eq!(guest.unless_sent_away(request).await, Some(()));
        assert!(!is_away(&guest));
    }
}
