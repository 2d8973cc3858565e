//! What is due when: pings, idleness, the session's end, a stalled reader, the closing handshake.

use std::time::Duration;

use tokio::time::Instant;

/// How often messages are looked for within `idle`.
const LOOKS: u32 = 32;

/// The times of one relay.
#[derive(Debug)]
pub(super) struct Clock {
    /// When a message was last known to have moved.
    active: Instant,
    /// Whether one has moved since; the time of each is not asked for.
    pub(super) stirred: bool,
    /// When the app session expires.
    pub(super) expiry: Option<Instant>,
    /// When the closing handshake is given up.
    pub(super) grace: Option<Instant>,
    /// How long the engine is heard out before the client's Close.
    pub(super) last_words: Option<Instant>,
    /// When the client is pinged next.
    client_ping: Instant,
    /// When the engine is, if it ever is.
    engine_ping: Option<Instant>,
}

impl Clock {
    pub(super) fn new(client_ping: Duration, engine_ping: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            active: now,
            stirred: false,
            expiry: None,
            grace: None,
            last_words: None,
            client_ping: now + client_ping,
            engine_ping: engine_ping.map(|every| now + every),
        }
    }

    /// Whether the client is to be pinged now; if so, it is again after `every`.
    pub(super) fn client_ping_due(&mut self, now: Instant, every: Duration) -> bool {
        is_due(&mut self.client_ping, now, every)
    }

    /// Whether the engine is.
    pub(super) fn engine_ping_due(&mut self, now: Instant, every: Option<Duration>) -> bool {
        let next = self.engine_ping.as_mut().zip(every);
        next.is_some_and(|(next, every)| is_due(next, now, every))
    }

    /// Whether no message has moved for so long, give or take a look.
    pub(super) fn is_idle(&mut self, now: Instant, idle: Duration) -> bool {
        if std::mem::take(&mut self.stirred) {
            self.active = now;
        }
        now >= self.active + idle
    }

    /// When something is due next. A reader that stalls is looked for every `stall`, and messages that
    /// keep a socket from being idle often enough for its end to be a few per cent late at the most.
    pub(super) fn next(&self, now: Instant, idle: Duration, stall: Duration) -> Instant {
        let due = [
            Some(self.active + idle),
            Some(now + idle / LOOKS),
            Some(self.client_ping),
            self.engine_ping,
            Some(now + stall),
            self.expiry,
        ];
        due.into_iter().flatten().min().unwrap_or(now + stall)
    }
}

fn is_due(next: &mut Instant, now: Instant, every: Duration) -> bool {
    let due = now >= *next;
    if due {
        *next = now + every;
    }
    due
}
