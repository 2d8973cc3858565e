//! When the next fetch may start: so many in any minute, the others wait, and when the wait would
//! grow too long they are told when to come again.
//!
//! Pure: the time is a parameter.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config;

const MINUTE: Duration = Duration::from_mins(1);

/// How many times are promised to those who did not get into the queue; whoever comes on top of
/// these is promised the last.
const PROMISES: usize = 10_000;

/// The turns of one mint.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many may start in any minute.
    rate: usize,
    /// The longest wait for a turn.
    patience: Duration,
    /// The turns given in the last minute and those to come, the latest last.
    turns: VecDeque<Instant>,
    /// The times told to those who were sent away, the latest last.
    promises: VecDeque<Instant>,
}

/// What somebody gets who wants a turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// It comes now or soon.
    At(Instant),
    /// The queue is full; there may be room then.
    NotBefore(Instant),
}

/// The pace of what costs nobody anything, and of what has no limit to keep to.
pub(super) const FREE: config::Pace = config::Pace {
    per_minute: usize::MAX,
    queue: Duration::ZERO,
};

impl Pace {
    pub(super) fn new(config: config::Pace) -> Self {
        Self {
            rate: config.per_minute.max(1),
            patience: config.queue,
            turns: VecDeque::new(),
            promises: VecDeque::new(),
        }
    }

    /// The next turn, unless it comes later than `patience`, the mint's own included.
    pub(super) fn turn(&mut self, now: Instant, patience: Duration) -> Turn {
        while self.turns.front().is_some_and(|&turn| turn + MINUTE <= now) {
            self.turns.pop_front();
        }
        let next = self.next(now);
        if next > now + patience.min(self.patience) {
            return Turn::NotBefore(next);
        }
        self.turns.push_back(next);
        if self.turns.len() > self.rate {
            self.turns.pop_front();
        }
        Turn::At(next)
    }

    /// When somebody who is sent away may come again: each a turn of their own.
    pub(super) fn promise(&mut self, now: Instant) -> Instant {
        while self
            .promises
            .front()
            .is_some_and(|&promised| promised <= now)
        {
            self.promises.pop_front();
        }
        if self.promises.len() >= PROMISES {
            return self.promises.back().copied().unwrap_or(now);
        }
        // The minute before a promise holds the promises in it, and else the turns.
        let before = self.promises.len().checked_sub(self.rate);
        let rival = match before {
            Some(place) => self.promises.get(place).copied(),
            None => self.turn_before(self.rate - self.promises.len()),
        };
        let latest = self.promises.back().copied().unwrap_or(now);
        let promised = rival.map_or(latest, |rival| latest.max(rival + MINUTE));
        self.promises.push_back(promised);
        promised
    }

    /// The earliest moment whose minute before holds less turns than the rate.
    fn next(&self, now: Instant) -> Instant {
        let latest = self.turns.back().map_or(now, |&latest| latest.max(now));
        let rival = self.turn_before(self.rate);
        rival.map_or(latest, |rival| latest.max(rival + MINUTE))
    }

    /// The turn so many places from the end.
    fn turn_before(&self, places: usize) -> Option<Instant> {
        let place = self.turns.len().checked_sub(places)?;
        self.turns.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(per_minute: usize, queue: u64) -> Pace {
        let queue = Duration::from_secs(queue);
        Pace::new(config::Pace { per_minute, queue })
    }

    #[test]
    fn a_minute_holds_as_many_as_the_rate() {
        let (mut pace, now) = (pace(2, 120), Instant::now());
        let mut turn = |at: u64| pace.turn(now + Duration::from_secs(at), MINUTE * 2);
        let at = |seconds| Turn::At(now + Duration::from_secs(seconds));
        assert_eq!([turn(0), turn(10)], [at(0), at(10)]);
        assert_eq!([turn(10), turn(10)], [at(60), at(70)]);
        assert_eq!(turn(11), at(120));
        assert_eq!(turn(12), at(130));
        assert_eq!(turn(12), Turn::NotBefore(now + MINUTE * 3));
        assert_eq!(turn(500), at(500));
    }

    #[test]
    fn those_sent_away_are_told_times_of_their_own() {
        let (mut pace, now) = (pace(2, 0), Instant::now());
        assert_eq!(pace.turn(now, MINUTE), Turn::At(now));
        assert_eq!(pace.turn(now, MINUTE), Turn::At(now));
        assert_eq!(pace.turn(now, MINUTE), Turn::NotBefore(now + MINUTE));
        let promised: Vec<_> = (0..5).map(|_| pace.promise(now) - now).collect();
        assert_eq!(promised, [1, 1, 2, 2, 3].map(|minutes| MINUTE * minutes));
    }

    proptest! {
        #[test]
        fn no_minute_holds_more(
            rate in 1_usize..6,
            arrivals in proptest::collection::vec(0_u64..20_000, 1..60),
        ) {
            let (mut pace, mut now) = (pace(rate, 600), Instant::now());
            let mut turns = Vec::new();
            for pause in arrivals {
                now += Duration::from_millis(pause);
                if let Turn::At(turn) = pace.turn(now, MINUTE * 10) {
                    prop_assert!(turn >= now);
                    turns.push(turn);
                }
            }
            for window in turns.windows(rate + 1) {
                prop_assert!(window[rate] - window[0] >= MINUTE);
            }
        }
    }
}
