//! Sessions that somebody else vouches for, and can take back: an app's endpoint, its store, an
//! authorisation server.
//!
//! Every such kind is a `Source`: it can be asked about a piece of evidence. The desk asks it, once
//! for all who bring the same evidence, and again and again as long as one of them is in.

mod desk;
mod fingerprint;
mod health;
mod logins;
#[cfg(test)]
mod tests;
mod vouch;

use std::fmt;
use std::future::ready;
use std::time::Duration;

pub(super) use self::desk::Desk;
pub(super) use self::fingerprint::Fingerprint;
pub(super) use self::health::Health;
use super::error::{Outage, SessionError};
use super::moment::HORIZON;
use crate::person::Person;

/// The `last_look` where ends move on while people work.
pub(super) const LAST_LOOK: Duration = Duration::from_millis(500);

/// Whoever can be asked about a session.
pub(super) trait Source: fmt::Debug + Send + Sync + 'static {
    /// What it is asked about.
    type Evidence: Send + Sync + 'static;

    /// What it is, for the operator: "the app's session endpoint".
    const WHAT: &'static str;

    /// How often it is asked.
    fn pace(&self) -> &Pace;

    /// How it does.
    fn health(&self) -> &Health;

    /// Asks it: a yes, `Denied`, or `Down` where it is neither. It ends in time by itself.
    fn ask(
        &self,
        evidence: &Self::Evidence,
    ) -> impl Future<Output = Result<Answer, SessionError>> + Send;

    /// Whether its evidence is issued anew for the same app session, so that the end of one piece is
    /// no end of the session.
    fn can_be_renewed(&self) -> bool {
        false
    }

    /// Whether it can be told that somebody is at work, as the app itself would tell it.
    fn can_touch(&self) -> bool {
        false
    }

    /// Tells it so, right after a yes. What fails is no reason to end anybody.
    fn touch(&self, _: &Self::Evidence, _: &Answer) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Says that it is down.
    fn down(outage: Outage) -> SessionError {
        let what = Self::WHAT;
        SessionError::Down { what, outage }
    }
}

/// A yes.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// For whom.
    pub(super) person: Person,
    /// Until when, in seconds since 1970, if that is known.
    pub(super) expires: Option<f64>,
}

/// How often a source is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long a yes is kept for further sockets.
    pub(super) cache: Duration,
    /// How often it is asked again while a socket is open.
    pub(super) recheck: Duration,
    /// How long open sockets outlive a source that is down.
    pub(super) grace: Duration,
    /// How long a newcomer waits for a turn to be asked about.
    pub(super) patience: Duration,
    /// How long after its end a session is still given, in which the source is asked whether the
    /// end has moved on. Nothing where an end never moves.
    pub(super) last_look: Duration,
}

impl Pace {
    /// The same, within what clocks can do.
    pub(super) fn within_reach(self) -> Self {
        Self {
            cache: self.cache.min(HORIZON),
            recheck: self.recheck.min(HORIZON),
            grace: self.grace.min(HORIZON),
            ..self
        }
    }
}
