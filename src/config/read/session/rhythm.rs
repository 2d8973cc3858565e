//! How often somebody who vouches for sessions is asked: what such kinds share.

use std::time::Duration;

use crate::config::defaults;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::Positive;

/// How often somebody is asked, and how long that may take.
pub(super) struct Rhythm {
    pub(super) cache: Duration,
    pub(super) recheck: Duration,
    pub(super) grace: Duration,
    pub(super) timeout: Duration,
}

/// The keys of a rhythm.
pub(super) fn rhythm(t: &mut Table<'_>) -> Result<Rhythm, Noted> {
    let cache = t.or(
        "cache",
        defaults::CACHE,
        "How long a yes is kept for further sockets.",
    );
    let recheck = t.or(
        "recheck",
        Positive(defaults::RECHECK),
        "How often it is asked again while a socket is open: the longest a socket outlives a \
         logout.",
    );
    let grace = t.or(
        "grace",
        defaults::GRACE,
        "How long open sockets outlive one that fails.",
    );
    let timeout = t.or(
        "timeout",
        Positive(defaults::CHECK_TIMEOUT),
        "How long one asking may take.",
    );
    Ok(Rhythm {
        cache: cache?,
        recheck: recheck?.0,
        grace: grace?,
        timeout: timeout?.0,
    })
}
