//! A clock that moves only when a test says so, while sockets go on working.

use std::sync::mpsc;
use std::time::Duration;

use tokio::time;

/// Holds tokio's clock still.
///
/// A paused clock jumps to the next timer whenever nothing runs, which a request on its way over
/// loopback looks like. It does not while a blocking task is out, so one is, as long as this lives.
pub(in crate::session) struct HeldClock {
    _release: mpsc::Sender<()>,
}

impl HeldClock {
    /// Stops the clock of a current-thread runtime.
    pub(in crate::session) fn stop() -> Self {
        let (release, wait) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv().is_err());
        time::pause();
        Self { _release: release }
    }

    /// Moves on by so much, and the millisecond that timers are rounded up to.
    pub(in crate::session) async fn advance(&self, by: Duration) {
        time::advance(by + Duration::from_millis(1)).await;
    }
}

/// Waits, by running everybody else, until something is so.
pub(in crate::session) async fn until(mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never was so");
        tokio::task::yield_now().await;
    }
}
