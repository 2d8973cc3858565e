//! How long a mint may take and how often it is asked, for every kind that has one.

use std::time::Duration;

use crate::config::defaults;
use crate::config::model::Pace;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Count, Positive};

/// How long one fetch may take.
pub(super) fn timeout(t: &mut Table<'_>) -> Result<Duration, Noted> {
    let timeout = t.or(
        "timeout",
        Positive(defaults::TOKEN_TIMEOUT),
        "How long fetching a token may take.",
    );
    timeout.map(|Positive(timeout)| timeout)
}

/// The rate and the queue.
pub(super) fn pace(t: &mut Table<'_>) -> Result<Pace, Noted> {
    const TOKENS: Rate = (
        defaults::FETCHES_PER_MINUTE,
        "How many fetches may start in any minute: below Qlik's limit, which is 100.",
    );
    pace_of(t, TOKENS)
}

/// How many fetches may start in any minute by default, and what is said of it.
pub(super) type Rate = (usize, &'static str);

/// The rate and the queue, with another rate by default.
pub(super) fn pace_of(t: &mut Table<'_>, (rate, about): Rate) -> Result<Pace, Noted> {
    let per_minute = t.or("fetches_per_minute", Count(rate), about);
    let queue = t.or(
        "fetch_queue",
        Positive(defaults::FETCH_QUEUE),
        "The longest that a socket waits for its fetch's turn; beyond it, it is told when to come \
         again.",
    );
    let Count(per_minute) = per_minute?;
    let Positive(queue) = queue?;
    Ok(Pace { per_minute, queue })
}
