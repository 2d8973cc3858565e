//! A token's answer, as the reference shows it and as one live tenant gave it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::{
    refusal::{Answer, reply},
    script::TokenFault,
    vault::Purpose,
};

const DAY: u64 = 86_400;

/// A token that was just made.
pub(super) struct Minted {
    pub(super) token: String,
    pub(super) life: Duration,
    pub(super) purpose: Purpose,
}

/// How a token's life is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    /// In `expires_in` and `expires_at`.
    Both,
    /// In both, and so many seconds.
    Short(u64),
    /// In `expires_at` alone, and so many seconds.
    AtOnly(u64),
    /// Not at all.
    Untold,
    /// In both, after so many bytes of padding.
    After(usize),
}

impl Life {
    /// As the script has it.
    pub(super) const fn by(fault: Option<&TokenFault>) -> Self {
        match fault {
            Some(TokenFault::ExpiresIn { seconds }) => Self::Short(*seconds),
            Some(TokenFault::ExpiresAtOnly { seconds }) => Self::AtOnly(*seconds),
            Some(TokenFault::NoExpiry) => Self::Untold,
            Some(TokenFault::Huge { bytes }) => Self::After(*bytes),
            _ => Self::Both,
        }
    }

    /// How long the token lives, where `usual` is the tenant's own setting.
    pub(super) const fn span(self, usual: Duration) -> Duration {
        match self {
            Self::Short(seconds) | Self::AtOnly(seconds) => Duration::from_secs(seconds),
            Self::Both | Self::Untold | Self::After(_) => usual,
        }
    }
}

impl Minted {
    pub(super) fn answer(&self, life: Life) -> Answer {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let seconds = self.life.as_secs();
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if let Life::After(bytes) = life {
            put("padding", json!("x".repeat(bytes)));
        }
        put("scope", json!("user_default"));
        put("auth_time", json!(stamp(now)));
        if !matches!(life, Life::Untold) {
            put("expires_at", json!(stamp(now + seconds)));
        }
        if !matches!(life, Life::Untold | Life::AtOnly(_)) {
            put("expires_in", json!(seconds));
        }
        put("token_type", json!("bearer"));
        put("access_token", json!(self.token));
        if self.purpose == Purpose::Websocket {
            put(
                "issued_token_type",
                json!("urn:ietf:params:oauth:token-type:access_token"),
            );
        }
        reply(StatusCode::OK, &Value::Object(body))
    }
}

/// Seconds since 1970 as `2026-11-05T10:20:30.000Z`.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

/// Days since 1970 as a date, counting years from March so that the leap day comes last
/// (Howard Hinnant's `civil_from_days`).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_utc_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(stamp(seconds), expected);
        }
    }
}
