//! Why there is no credential: what the operator reads, and which fault the client sees of it.

use std::sync::Arc;
use std::time::Duration;

use super::explain::{Advice, At, Refusal};
use crate::fault::{Fault, Faulty};
use crate::template::{Flaw, Unfilled};

/// Why there is no credential. `Display` is for the operator; it holds no secret, no token and no
/// raw body. Cheap to clone: everybody who waited for one fetch gets the same.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    /// The configured API key cannot stand in a header.
    #[error("the API key is empty or holds characters that no header can carry")]
    BadKey,
    /// The configured key cannot sign with the configured algorithm.
    #[error("the signing key is of no use for `algorithm`, or for any algorithm: see signing_key")]
    BadSigningKey,
    /// More identities are being fetched at once than are kept.
    #[error("too many identities are being fetched at once")]
    Crowded,
    /// The fetch failed in a way that may pass.
    #[error("{at} is of no help just now: {1}{hint}", at = .0, hint = .1.hint(*.0))]
    Down(At, Trouble),
    /// Somebody else failed, whom the fetch had to ask first: the client's own endpoint was not asked.
    #[error(transparent)]
    Elsewhere(Box<Self>),
    /// The engine refused a credential that cannot be fetched afresh.
    #[error(
        "the engine refused the route's credential, and its kind has nothing to fetch afresh: \
         check the API key (expired or revoked?), or whether the engine demands a credential"
    )]
    FixedRefused,
    /// The session says nothing usable about whom to look up.
    #[error("nobody to look up at Qlik: claim `{claim}` {flaw}")]
    Nobody {
        /// The claim's path.
        claim: Arc<str>,
        /// What is wrong with its value.
        flaw: Flaw,
    },
    /// The app's session is no token that could be exchanged.
    #[error(
        "the app's session came without a token to exchange or to pass on: it takes a session of kind jwt or \
         introspection"
    )]
    NoToken,
    /// So many are being fetched that no turn comes soon.
    #[error(
        "too many credentials are wanted at once for fetches_per_minute; the next free turn is in \
         {} s", .wait.as_millis().div_ceil(1000)
    )]
    Queued {
        /// When to come again, counted from this error.
        wait: Duration,
    },
    /// The token endpoint refused for good.
    #[error("{who} refused: {0}", who = .0.who())]
    Refused(Arc<Refusal>),
    /// The engine refused a token that was fetched afresh a moment ago.
    #[error(
        "the engine refused a credential that was made a moment ago: check that token_url and \
         engine.url are the same tenant, and the scope; on Windows, the virtual proxy's Host allow \
         list and session_cookie; at a bare engine, its key"
    )]
    RefusedAgain,
    /// There is no one user to impersonate.
    #[error("no user to impersonate: {0}")]
    Unfit(Misfit),
    /// The token endpoint asked to be left alone (429).
    #[error(
        "{} asked to be left alone for {} s: {refusal}",
        refusal.who(),
        .wait.as_millis().div_ceil(1000)
    )]
    Throttled {
        /// What it said.
        refusal: Arc<Refusal>,
        /// For how long, counted from this error.
        wait: Duration,
    },
    /// Qlik on Windows did not open a session.
    #[error("Qlik's proxy service answered with status {status}: {advice}")]
    TurnedAway {
        /// The status.
        status: u16,
        /// What it means and what to do about it.
        advice: Advice,
    },
}

impl CredentialError {
    /// The same, of somebody else than the client's own endpoint.
    pub(super) fn elsewhere(self) -> Self {
        match self {
            Self::Elsewhere(_) => self,
            own => Self::Elsewhere(Box::new(own)),
        }
    }

    /// What failed, whoever it was.
    #[must_use]
    pub fn itself(&self) -> &Self {
        match self {
            Self::Elsewhere(error) => error,
            own => own,
        }
    }
}

impl From<Unfilled> for CredentialError {
    fn from(Unfilled { claim, flaw }: Unfilled) -> Self {
        Self::Nobody { claim, flaw }
    }
}

impl Faulty for CredentialError {
    fn fault(&self) -> Fault {
        match self {
            Self::Elsewhere(error) => error.fault(),
            Self::Crowded | Self::Down(..) | Self::Queued { .. } | Self::Throttled { .. } => {
                Fault::CredentialDown
            }
            Self::Nobody { .. } | Self::NoToken | Self::Unfit(_) => Fault::NotPermitted,
            Self::BadKey
            | Self::BadSigningKey
            | Self::FixedRefused
            | Self::Refused(_)
            | Self::RefusedAgain
            | Self::TurnedAway { .. } => Fault::CredentialRefused,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self.itself() {
            Self::Queued { wait } | Self::Throttled { wait, .. } => Some(*wait),
            _ => None,
        }
    }
}

/// Why a user of the tenant is not impersonated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misfit {
    /// An administrator's role.
    #[error(
        "the user holds an administrator's role; such users are impersonated only with \
         `admins = \"impersonate\"`"
    )]
    Admin,
    /// There are two or more, or one that differs in its spelling.
    #[error("the tenant has no user whose subject is exactly this, or more than one")]
    Ambiguous,
    /// The user is not active.
    #[error("the user is not active in the tenant")]
    Inactive,
    /// A new user would have no name.
    #[error(
        "the person is no user of the tenant yet, and the claims that `name` of \
         [route.credential.provision] is made of are missing or of no use"
    )]
    Nameless,
    /// The tenant does not say which roles the user has.
    #[error(
        "the tenant does not say which roles the user has: check the scope of the admin client"
    )]
    RolesUnknown,
    /// A new user would have no address.
    #[error(
        "the person is no user of the tenant yet, and the claims that `email` of \
         [route.credential.provision] is made of are missing or not verified (email_verified)"
    )]
    Unaddressed,
}

/// What went wrong in a way that may pass.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The fetch ended without a word.
    #[error("the fetch was broken off")]
    BrokenOff,
    /// The answer is JSON, but no token answer.
    #[error("its answer {0}")]
    Malformed(&'static str),
    /// The answer is not JSON.
    #[error("it answered with something other than application/json")]
    NotJson,
    /// The answer is a redirect.
    #[error("it answered with a redirect, which is never followed")]
    Redirected,
    /// The endpoint has trouble of its own.
    #[error("{0}")]
    Refused(Arc<Refusal>),
    /// It took too long.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The answer is larger than any token answer.
    #[error("its answer is too large")]
    TooLarge,
    /// The connection failed; the text is cut and escaped.
    #[error("it could not be reached: {0}")]
    Unreachable(Arc<str>),
}

impl Trouble {
    /// What to look at, where something else answered than was meant.
    fn hint(&self, at: At) -> String {
        match self {
            Self::NotJson | Self::Redirected => format!(": is {} exact?", at.key()),
            _ => String::new(),
        }
    }

    /// A short name of the sort of trouble.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::BrokenOff => "broken_off",
            Self::Malformed(_) => "malformed",
            Self::NotJson => "not_json",
            Self::Redirected => "redirected",
            Self::Refused(_) => "status",
            Self::Slow(_) => "slow",
            Self::TooLarge => "too_large",
            Self::Unreachable(_) => "unreachable",
        }
    }
}
