//! Wall-clock times of tokens and apps, mapped to the clock that the house waits by.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Further ahead than any socket lives, and near enough that no clock overflows.
const HORIZON: Duration = Duration::from_hours(30 * 365 * 24);

/// One moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    unix: f64,
    instant: Instant,
}

impl Moment {
    /// This moment.
    pub(super) fn now() -> Self {
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            unix: unix.as_secs_f64(),
            instant: Instant::now(),
        }
    }

    /// Seconds since 1970.
    pub(super) fn unix(self) -> f64 {
        self.unix
    }

    /// When the wall clock will show `unix`: now if it did already, the horizon if it is beyond.
    pub(super) fn until(self, unix: f64) -> Instant {
        let ahead = (unix - self.unix).clamp(0.0, HORIZON.as_secs_f64());
        self.instant + Duration::try_from_secs_f64(ahead).unwrap_or(HORIZON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_mapped_and_never_overflows() {
        let now = Moment::now();
        let ahead = now.until(now.unix() + 60.0) - now.instant;
        assert!(ahead > Duration::from_secs(59) && ahead < Duration::from_secs(61));
        assert_eq!(now.until(f64::MAX), now.instant + HORIZON);
        assert_eq!(now.until(f64::MIN), now.instant);
        assert_eq!(now.until(0.0), now.instant);
    }
}
