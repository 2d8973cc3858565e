//! Times as RFC 3339 writes them.

/// The seconds since 1970 of `2026-11-23T20:00:00.5+01:00`; fractions are dropped.
pub(super) fn seconds(text: &str) -> Option<i64> {
    const LONGEST: usize = 48;
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_once(['T', 't'])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let time = match time.split_once('.') {
        Some((whole, fraction)) => digits(fraction, 1..=9).and(Some(whole))?,
        None => time,
    };
    let [hour, minute, second] = triple(time, ':', 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days(triple(date, '-', 4)?)? * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?)
}

fn triple(text: &str, separator: char, first_width: usize) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let first = digits(parts.next()?, first_width..=first_width)?;
    let second = digits(parts.next()?, 2..=2)?;
    let third = digits(parts.next()?, 2..=2)?;
    parts.next().is_none().then_some([first, second, third])
}

fn digits(text: &str, width: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit());
    (numeric && width.contains(&text.len())).then(|| text.parse().ok())?
}

fn offset(zone: &str) -> Option<i64> {
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
fn days([year, month, day]: [i64; 3]) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn month_length(year: i64, month: i64) -> i64 {
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
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:30:45.123456Z", 951_827_445),
            ("2026-11-23T21:31:56+01:30", 1_795_464_116),
            ("2026-11-23t20:01:56z", 1_795_464_116),
            ("2026-11-23T18:31:56-01:30", 1_795_464_116),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_a_time() {
        for text in [
            "",
            "T",
            "2026-11-23",
            "2026-11-23T20:00:00",
            "2026-11-23 20:00:00Z",
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
