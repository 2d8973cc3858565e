//! Times as RFC 3339 writes them.

use std::ops::RangeInclusive;

/// The seconds since 1970 of `2026-11-23T20:00:00[.5](Z|+01:00)`. A leap second counts as the next
/// second; a space may stand for the `T` (section 5.6).
#[must_use]
pub fn seconds(text: &str) -> Option<f64> {
    const LONGEST: usize = 48;
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    digits(fraction, 1..=9)?;
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let [hour, minute, second] = triple(time, ':', 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(f64::from(days(triple(date, '-', 4)?)?) * 86_400.0 + f64::from(of_day) + fraction)
}

fn triple(text: &str, separator: char, first_width: usize) -> Option<[i32; 3]> {
    let mut parts = text.split(separator);
    let first = digits(parts.next()?, first_width..=first_width)?;
    let second = digits(parts.next()?, 2..=2)?;
    let third = digits(parts.next()?, 2..=2)?;
    parts.next().is_none().then_some([first, second, third])
}

fn digits(text: &str, width: RangeInclusive<usize>) -> Option<i32> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit());
    (numeric && width.contains(&text.len())).then(|| text.parse().ok())?
}

fn offset(zone: &str) -> Option<i32> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2..=2)?, digits(minutes, 2..=2)?);
    let seconds = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, whose years are counted from March
/// so that the leap day comes last.
fn days([year, month, day]: [i32; 3]) -> Option<i32> {
    if !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn month_length(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("1969-12-31T23:59:59Z", -1.0),
            ("2000-02-29T12:30:45.125Z", 951_827_445.125),
            ("2026-11-23T21:31:56+01:30", 1_795_464_116.0),
            ("2026-11-23t20:01:56.25z", 1_795_464_116.25),
            ("2026-11-23 18:31:56-01:30", 1_795_464_116.0),
            ("2016-12-31T23:59:60Z", 1_483_228_800.0),
            ("2100-03-01T00:00:00z", 4_107_542_400.0),
            ("0000-01-01T00:00:00Z", -62_167_219_200.0),
            ("9999-12-31T23:59:59Z", 253_402_300_799.0),
        ] {
            let read = seconds(text).unwrap();
            assert!((read - expected).abs() < 1e-6, "{text}: {read}");
        }
    }

    #[test]
    fn anything_else_is_not_a_time() {
        for text in [
            "",
            "T",
            "2026-11-23",
            "2026-11-23T20:00:00",
            "2026-11-23T20:00Z",
            "2026-11-23T20:00:00.xZ",
            "+026-11-23T20:00:00Z",
            "2026-13-23T20:00:00Z",
            "2025-02-29T20:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T20:00:00.Z",
            "2026-11-23T20:00:00+0100",
            "2026-11-23T20:00:00ZZ",
            "2026-11-+3T20:00:00Z",
            "2026-11-23T20:00:00Zé",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = seconds(&text);
        }
    }
}
