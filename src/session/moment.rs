//! Wall-clock times of tokens and apps, mapped to the clock that the house waits by.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Further ahead than any socket lives, and near enough that no clock overflows.
pub(super) const HORIZON: Duration = Duration::from_hours(30 * 365 * 24);

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
        let whole = (self.unix + ahead.as_secs_f64()) as u64;
        whole
    }
}

/// Reads a time, in seconds since 1970: a number, or an RFC 3339 date and time.
pub(super) fn parse(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok().filter(|time| time.is_finite());
    number.or_else(|| rfc3339(text))
}

/// `2026-11-23T21:00:00[.5](Z|+02:00)`; a leap second counts as the next second.
fn rfc3339(text: &str) -> Option<f64> {
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let (clock, offset) = match clock.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0.0),
        None => zone(clock)?,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let sound = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let minutes = f64::from(days(year, month, day)) * 1440.0 + f64::from(hour * 60 + minute);
    sound.then_some((minutes - offset) * 60.0 + f64::from(second) + fraction)
}

/// Splits a clock off its zone, which is in minutes.
fn zone(text: &str) -> Option<(&str, f64)> {
    let (clock, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let [hours, minutes] = numbers(zone, ':', [2, 2])?;
    let minutes = f64::from(hours * 60 + minutes);
    match sign {
        "+" => Some((clock, minutes)),
        "-" => Some((clock, -minutes)),
        _ => None,
    }
}

/// Reads numbers of so many digits.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i32; N]> {
    let mut parts = text.split(between);
    let mut values = [0; N];
    for (value, digits) in values.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *value = part.parse().ok().filter(|_| plain)?;
    }
    parts.next().is_none().then_some(values)
}

/// Days since 1970-01-01 in the Gregorian calendar, with years that begin in March.
fn days(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_or_a_date() {
        let table = [
            ("1795469096", 1_795_469_096.0),
            ("1795469096.5", 1_795_469_096.5),
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T23:59:60Z", 951_868_800.0),
            ("2026-11-23T21:24:56Z", 1_795_469_096.0),
            ("2026-11-23t23:24:56.25+02:00", 1_795_469_096.25),
            ("2026-11-23 15:54:56-05:30", 1_795_469_096.0),
            ("2100-03-01T00:00:00z", 4_107_542_400.0),
        ];
        for (text, time) in table {
            let parsed = parse(text).unwrap();
            assert!((parsed - time).abs() < 1e-6, "{text}: {parsed}");
        }
        let bad = [
            "",
            "soon",
            "nan",
            "inf",
            "2026-11-23",
            "2026-11-23T21:24",
            "2026-13-01T00:00:00Z",
            "2026-11-23T21:24:56",
            "2026-11-23T21:24:56é",
            "2026-11-23T21:24:56.xZ",
            "2026-11-23T24:00:00Z",
            "+026-11-23T21:24:56Z",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text}");
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
