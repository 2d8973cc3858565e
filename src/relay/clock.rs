//! What is due when: pings, idleness, the session's end, a stalled reader, the closing handshake.

use std::time::Duration;

use tokio::time::Instant;

/// The times of one relay.
#[derive(Debug)]
pub(super) struct Clock {
    /// When a message last moved.
    pub(super) active: Instant,
    /// When the app session expires.
    pub(super) expiry: Option<Instant>,
    /// When the closing handshake is given up.
    pub(super) grace: Option<Instant>,
    /// How long the engine is heard out before the client's Close.
    pub(super) last_words: Option<Instant>,
    client_ping: Beat,
    engine_ping: Option<Beat>,
}

/// A thing that is done at an interval.
#[derive(Debug)]
struct Beat {
    every: Duration,
    next: Instant,
}

impl Beat {
    fn new(every: Duration, now: Instant) -> Self {
        Self {
            every,
            next: now + every,
        }
    }

    fn due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + self.every;
        }
        due
    }
}

impl Clock {
    pub(super) fn new(client_ping: Duration, engine_ping: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            active: now,
            expiry: None,
            grace: None,
            last_words: None,
            client_ping: Beat::new(client_ping, now),
            engine_ping: engine_ping.map(|every| Beat::new(every, now)),
        }
    }

    pub(super) fn client_ping_due(&mut self, now: Instant) -> bool {
        self.client_ping.due(now)
    }

    pub(super) fn engine_ping_due(&mut self, now: Instant) -> bool {
        self.engine_ping.as_mut().is_some_and(|beat| beat.due(now))
    }

    /// When something is due next. A reader that stalls is looked for every `stall`.
    pub(super) fn next(&self, now: Instant, idle: Duration, stall: Duration) -> Instant {
        let due = [
            Some(self.active + idle),
            Some(self.client_ping.next),
            self.engine_ping.as_ref().map(|beat| beat.next),
            Some(now + stall),
            self.expiry,
        ];
        due.into_iter().flatten().min().unwrap_or(now + stall)
    }
}
