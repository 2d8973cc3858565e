//! How the session checks do, for telemetry to read: their outcomes, a closed set, counted; and
//! whether whoever they ask answers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Check, Session, SessionError, Sessions, Ticket};

/// How a check of a request that brought a credential of its sort ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckOutcome {
    /// Whoever had to be asked could not be.
    Down,
    /// It is no session.
    Refused,
    /// It is one.
    Valid,
}

impl CheckOutcome {
    /// Every outcome there is, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Down, Self::Refused, Self::Valid];

    /// Its name as a metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Refused => "refused",
            Self::Valid => "valid",
        }
    }
}

/// The outcomes of one check.
#[derive(Debug, Default)]
pub(super) struct Tally([AtomicU64; CheckOutcome::ALL.len()]);

impl Tally {
    /// Counts an outcome; a request without a credential of the sort is none.
    pub(super) fn count(&self, found: &Result<Option<Session>, SessionError>) {
        let outcome = match found {
            Ok(None) | Err(SessionError::Missing) => return,
            Ok(Some(_)) => CheckOutcome::Valid,
            Err(SessionError::Down { .. }) => CheckOutcome::Down,
            Err(_) => CheckOutcome::Refused,
        };
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// How all checks of one kind of a route do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckReport {
    /// The kind, as the config says it.
    pub kind: &'static str,
    /// The count of each outcome, in the order of [`CheckOutcome::ALL`].
    pub outcomes: [u64; CheckOutcome::ALL.len()],
    /// Whether whoever is asked has answered last; `None` where nobody is.
    pub is_up: Option<bool>,
}

impl Sessions {
    /// How the checks do, one report a kind.
    #[must_use]
    pub fn reports(&self) -> Vec<CheckReport> {
        let mut reports: Vec<CheckReport> = Vec::new();
        for (check, tally) in &self.checks {
            let report = CheckReport::of(check, tally);
            match reports.iter_mut().find(|it| it.kind == report.kind) {
                Some(same) => same.add(report),
                None => reports.push(report),
            }
        }
        reports
    }
}

impl CheckReport {
    fn of(check: &Check, tally: &Tally) -> Self {
        Self {
            kind: check.kind(),
            outcomes: std::array::from_fn(|n| tally.0[n].load(Ordering::Relaxed)),
            is_up: check.is_up(),
        }
    }

    fn add(&mut self, other: Self) {
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += count;
        }
        let ups = [self.is_up, other.is_up].into_iter().flatten();
        self.is_up = ups.reduce(|one, another| one && another);
    }
}

impl Check {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::ForwardAuth(_) => "forward-auth",
            Self::Introspection(_) => "introspection",
            Self::Jwt(_) => "jwt",
            Self::Redis(_) => "redis",
            Self::Ticket(_) => Ticket::KIND,
            Self::TrustedHeader(_) => "trusted-header",
        }
    }

    fn is_up(&self) -> Option<bool> {
        match self {
            Self::ForwardAuth(check) => Some(check.is_up()),
            Self::Introspection(check) => Some(check.is_up()),
            Self::Jwt(check) => check.is_up(),
            Self::Redis(check) => Some(check.is_up()),
            Self::Ticket(_) | Self::TrustedHeader(_) => None,
        }
    }
}
