//! How the askings for a credential ended: a closed set, counted, for telemetry to read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::CredentialError;

/// How an asking, or the fetch it started, ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Answered with a kept token.
    Cached,
    /// A session at Qlik was ended after its last use.
    Ended,
    /// A fetch was refused for good.
    FailedFinal,
    /// A fetch failed in a way that may pass.
    FailedPassing,
    /// A token was fetched for somebody who waited.
    Fetched,
    /// Answered with an earlier failure, without a fetch.
    Held,
    /// Waited for a fetch that somebody else had started.
    Joined,
    /// A fetch had to wait for its turn.
    Queued,
    /// A token was fetched ahead, in the background.
    Refreshed,
    /// A token was fetched because the engine refused the one before.
    Renewed,
    /// Sent away until later: too many fetches were waiting for their turns.
    SentAway,
    /// Taken from another replica, who had fetched it.
    Shared,
    /// What lay in the replicas' Redis could not be opened.
    Strange,
    /// A fetch was answered with 429.
    Throttled,
    /// A session at Qlik could not be ended, and is left to its time-out there.
    Unended,
    /// The replicas' Redis was of no help.
    Unshared,
}

impl Outcome {
    /// Every outcome there is, in the order of declaration.
    pub const ALL: [Self; 16] = [
        Self::Cached,
        Self::Ended,
        Self::FailedFinal,
        Self::FailedPassing,
        Self::Fetched,
        Self::Held,
        Self::Joined,
        Self::Queued,
        Self::Refreshed,
        Self::Renewed,
        Self::SentAway,
        Self::Shared,
        Self::Strange,
        Self::Throttled,
        Self::Unended,
        Self::Unshared,
    ];

    /// How an asking ended that was refused without a fetch.
    pub(super) fn of_refusal(error: &CredentialError) -> Self {
        match error.itself() {
            CredentialError::Queued { .. } => Self::SentAway,
            _ => Self::Held,
        }
    }

    /// Its name as a metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Ended => "ended",
            Self::FailedFinal => "failed_final",
            Self::FailedPassing => "failed_passing",
            Self::Fetched => "fetched",
            Self::Held => "held",
            Self::Joined => "joined",
            Self::Queued => "queued",
            Self::Refreshed => "refreshed",
            Self::Renewed => "renewed",
            Self::SentAway => "sent_away",
            Self::Shared => "shared",
            Self::Strange => "strange",
            Self::Throttled => "throttled",
            Self::Unended => "unended",
            Self::Unshared => "unshared",
        }
    }
}

/// A counter for each outcome.
#[derive(Debug, Default)]
pub struct Outcomes([AtomicU64; Outcome::ALL.len()]);

impl Outcomes {
    /// How often this was the outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_says_what_each_outcome_is() {
        let readme = include_str!("../../README.md");
        for outcome in Outcome::ALL {
            let label = format!("`{}`", outcome.label());
            let rows = readme.lines().filter(|line| line.starts_with("| `"));
            assert!(rows.into_iter().any(|row| row.contains(&label)), "{label}");
        }
    }

    #[test]
    fn each_outcome_has_its_own_counter() {
        let outcomes = Outcomes::default();
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
            outcomes.add(outcome);
        }
        assert!(
            Outcome::ALL
                .iter()
                .all(|&outcome| outcomes.count(outcome) == 1)
        );
    }
}
