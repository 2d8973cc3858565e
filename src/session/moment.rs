//! Wall-clock times of tokens and apps, mapped to the clock that the house waits by.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::rfc3339;

/// Further ahead than any socket lives, and near enough that no clock overflows.
pub(super) const HORIZON: Duration = Duration::from_hours(30 * 365 * 24);

/// What the way to the other clock and back may take away: a whole second stays the one it was.
const SLACK: f64 = 0.01;

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

    /// What the wall clock will show at `instant`, in whole seconds since 1970.
    pub(super) fn unix_at(self, instant: Instant) -> u64 {
        let ahead = instant.saturating_duration_since(self.instant);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the wall clock is beyond 1970, and the horizon is near"
        )]
        let whole = (self.unix + ahead.as_secs_f64() + SLACK) as u64;
        whole
    }
}

/// Reads a time, in seconds since 1970: a number, or an RFC 3339 date and time.
pub(super) fn parse(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok().filter(|time| time.is_finite());
    number.or_else(|| rfc3339::seconds(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_or_a_date() {
        let table = [
            ("1795469096", 1_795_469_096.0),
            ("1795469096.5", 1_795_469_096.5),
            ("2026-11-23T21:24:56Z", 1_795_469_096.0),
            ("2026-11-23T23:24:56.25+02:00", 1_795_469_096.25),
        ];
        for (text, time) in table {
            let parsed = parse(text).unwrap();
            assert!((parsed - time).abs() < 1e-6, "{text}: {parsed}");
        }
        for text in ["", "soon", "nan", "inf", "2026-11-23"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_whole_second_comes_back_as_itself() {
        for seconds in 0..500_u32 {
            let told = 1_795_469_096 + u64::from(seconds);
            let heard = Moment {
                unix: 1_795_469_000.123_456 + f64::from(seconds) / 7.0,
                instant: Instant::now(),
            };
            let until = heard.until(1_795_469_096.0 + f64::from(seconds));
            // The clocks are read one after the other.
            let asked = Moment {
                unix: heard.unix + 2.999_99,
                instant: heard.instant + Duration::from_secs(3),
            };
            assert_eq!(asked.unix_at(until), told);
        }
    }

    #[test]
    fn a_time_is_mapped_and_never_overflows() {
        let now = Moment::now();
        let ahead = now.until(now.unix() + 60.0) - now.instant;
        assert!(ahead > Duration::from_secs(59) && ahead < Duration::from_secs(61));
        assert_eq!(now.until(f64::MAX), now.instant + HORIZON);
        assert_eq!(now.until(f64::MIN), now.instant);
        assert_eq!(now.until(0.0), now.instant);
        let then = now.instant + Duration::from_mins(1);
        assert!(
            (59.0..=61.0)
                .contains(&(f64::from(u32::try_from(now.unix_at(then)).unwrap()) - now.unix()))
        );
    }
}
