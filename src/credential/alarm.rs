//! When a failure is news to an operator, so that a herd of failures is one line of the log.

use std::time::Duration;

use tokio::time::Instant;

use super::error::{CredentialError, Trouble};

/// How long a failure that comes and goes is not told again.
const QUIET: Duration = Duration::from_mins(1);

/// What was last told of a token endpoint.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    told: Option<(Sort, Instant)>,
    standing: bool,
}

/// What an operator has to hear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum News {
    /// It is well again.
    Better,
    /// Nothing that was not told.
    Nothing,
    /// It got worse.
    Worse,
}

impl Alarm {
    /// Notes a failure: news unless the same was the last told and stands, or was told just now.
    pub(super) fn raise(&mut self, error: &CredentialError, now: Instant) -> News {
        let sort = Sort::of(error);
        let stands = std::mem::replace(&mut self.standing, true);
        let known = self
            .told
            .as_ref()
            .is_some_and(|(told, at)| *told == sort && (stands || now.duration_since(*at) < QUIET));
        if known {
            return News::Nothing;
        }
        self.told = Some((sort, now));
        News::Worse
    }

    /// Notes a success: news if a failure stood.
    pub(super) fn calm(&mut self) -> News {
        if std::mem::take(&mut self.standing) {
            News::Better
        } else {
            News::Nothing
        }
    }
}

/// What makes two failures the same to an operator.
#[derive(Debug, Eq, PartialEq)]
struct Sort {
    kind: &'static str,
    status: u16,
    code: Option<String>,
}

impl Sort {
    fn of(error: &CredentialError) -> Self {
        let (kind, refusal) = match error.itself() {
            CredentialError::Down(_, Trouble::Refused(refusal)) => ("status", Some(refusal)),
            CredentialError::Down(_, trouble) => (trouble.label(), None),
            CredentialError::Refused(refusal) => ("refused", Some(refusal)),
            CredentialError::Throttled { .. } => ("throttled", None),
            _ => ("other", None),
        };
        Self {
            kind,
            status: refusal.map_or(0, |refusal| refusal.status().as_u16()),
            code: refusal.and_then(|refusal| refusal.code().map(str::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;

    use super::super::explain::{At, Refusal, Said};
    use super::*;

    #[test]
    fn a_failure_is_news_once() {
        let mut alarm = Alarm::default();
        let now = Instant::now();
        let later = now + QUIET;
        let down = CredentialError::Down(At::Token, Trouble::NotJson);
        let said = Said::default();
        let throttled = CredentialError::Throttled {
            refusal: Arc::new(Refusal::new(StatusCode::TOO_MANY_REQUESTS, &said, &[])),
            wait: Duration::from_secs(1),
        };
        assert_eq!(alarm.calm(), News::Nothing);
        assert_eq!(alarm.raise(&down, now), News::Worse);
        assert_eq!(alarm.raise(&down, now), News::Nothing);
        assert_eq!(alarm.raise(&down, later), News::Nothing);
        assert_eq!(alarm.raise(&throttled, now), News::Worse);
        assert_eq!(alarm.raise(&down, now), News::Worse);
        assert_eq!(alarm.calm(), News::Better);
        assert_eq!(alarm.calm(), News::Nothing);
        assert_eq!(alarm.raise(&down, now), News::Nothing, "it flutters");
        assert_eq!(alarm.calm(), News::Better);
        assert_eq!(alarm.raise(&down, later), News::Worse);
    }
}
