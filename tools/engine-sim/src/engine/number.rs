//! Numbers as the engine writes them: in JSON, and as text by a number format.

use serde_json::{Value, json};

/// A number for JSON; what is none is the text `NaN`, as the engine writes it.
pub(super) fn json_number(number: Option<f64>) -> Value {
    match number {
        Some(number) if number.is_finite() => as_json(number),
        _ => json!("NaN"),
    }
}

/// A number as text by `qNumFormat`; without a pattern, as short as it is exact.
pub(super) fn text(number: Option<f64>, format: &Value) -> String {
    let Some(number) = number.filter(|number| number.is_finite()) else {
        return "-".to_owned();
    };
    let kind = format["qType"].as_str().unwrap_or("U");
    match format["qFmt"]
        .as_str()
        .filter(|pattern| !pattern.is_empty())
    {
        Some(pattern) if kind != "U" => by_pattern(number, pattern),
        _ => general(number),
    }
}

/// Whole numbers without a fraction, so that a sum of whole numbers reads as one.
fn as_json(number: f64) -> Value {
    let whole = format!("{number:.0}");
    match whole.parse::<i64>() {
        Ok(integer) if number.fract() == 0.0 && number.abs() < 1e15 => json!(integer),
        _ => json!(number),
    }
}

fn general(number: f64) -> String {
    let long = format!("{number:.10}");
    let short = long.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

/// Patterns of the sort `#,##0.00`, `0%` or `$#,##0`.
fn by_pattern(number: f64, pattern: &str) -> String {
    let is_digit = |part: char| matches!(part, '#' | '0' | ',' | '.');
    let Some(start) = pattern.find(is_digit) else {
        return general(number);
    };
    let end = start
        + pattern[start..]
            .find(|part| !is_digit(part))
            .unwrap_or(pattern.len() - start);
    let (digits, suffix) = (&pattern[start..end], &pattern[end..]);
    let number = if suffix.contains('%') {
        number * 100.0
    } else {
        number
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let shown = format!("{:.*}", fraction.len(), number.abs());
    let (integer, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
    let integer = if whole.contains(',') {
        grouped(integer)
    } else {
        integer.to_owned()
    };
    let optional = fraction.len() - fraction.trim_end_matches('#').len();
    let kept = decimals.len() - trailing_zeros(decimals).min(optional);
    let minus = if number < 0.0 { "-" } else { "" };
    let point = if kept == 0 { "" } else { "." };
    format!(
        "{minus}{}{integer}{point}{}{suffix}",
        &pattern[..start],
        &decimals[..kept]
    )
}

fn trailing_zeros(decimals: &str) -> usize {
    decimals.len() - decimals.trim_end_matches('0').len()
}

fn grouped(integer: &str) -> String {
    let mut shown = String::new();
    for (at, digit) in integer.chars().enumerate() {
        if at > 0 && (integer.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_their_pattern() {
        let by = |number, pattern| text(Some(number), &json!({"qType": "F", "qFmt": pattern}));
        assert_eq!(by(1_234_567.891, "#,##0.00"), "1,234,567.89");
        assert_eq!(by(-0.256, "0.0%"), "-25.6%");
        assert_eq!(by(12.5, "$#,##0.0##"), "$12.5");
        assert_eq!(by(12.0, "0.##"), "12");
        assert_eq!(by(999.0, "#,##0"), "999");
    }

    #[test]
    fn without_a_pattern_they_are_short() {
        assert_eq!(text(Some(1200.0), &Value::Null), "1200");
        assert_eq!(text(Some(0.1 + 0.2), &Value::Null), "0.3");
        assert_eq!(text(None, &Value::Null), "-");
        assert_eq!(json_number(Some(3.0)), json!(3));
        assert_eq!(json_number(Some(3.5)), json!(3.5));
        assert_eq!(json_number(None), json!("NaN"));
    }
}
