//! Why there is no session, for the operator, and what of it a client may know.

use std::fmt;

use crate::fault::{Fault, Faulty};
use crate::line::LineError;

/// Why there is no session. `Display` is for the operator, and holds nothing of a credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// The credential stands twice in the request.
    #[error("the request carries {0} more than once")]
    Ambiguous(Twice),
    /// The session cookie is not one that the app can have set.
    #[error("the session cookie is refused: {0}")]
    Cookie(&'static str),
    /// More tickets are out than there may be.
    #[error("too many tickets are out, of this person or in all")]
    Crowded,
    /// Whoever vouches for the session said no.
    #[error("the session is not vouched for: {0}")]
    Denied(&'static str),
    /// What the check depends on is down.
    #[error("the session cannot be checked: {what}: {outage}")]
    Down {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        outage: Outage,
    },
    /// No credential of any configured kind.
    #[error("no session credential in the request")]
    Missing,
    /// The check cannot work as it is configured.
    #[error("the session check cannot be set up: {0}")]
    Setup(String),
    /// The ticket is not good.
    #[error("the ticket is refused: {0}")]
    Ticket(Spoilt),
    /// The token is not good.
    #[error("the session token is refused: {0}")]
    Token(Flaw),
}

impl Faulty for SessionError {
    fn fault(&self) -> Fault {
        match self {
            Self::Ambiguous(_) => Fault::BadRequest,
            Self::Crowded => Fault::TooMany,
            Self::Ticket(Spoilt::App) => Fault::NotPermitted,
            // Whoever logged in again would bring another such token.
            Self::Token(Flaw::Lasting) | Self::Down { .. } | Self::Setup(_) => {
                Fault::SessionCheckDown
            }
            Self::Cookie(_)
            | Self::Denied(_)
            | Self::Missing
            | Self::Ticket(_)
            | Self::Token(_) => Fault::NotSignedIn,
        }
    }
}

impl From<Spoilt> for SessionError {
    fn from(spoilt: Spoilt) -> Self {
        Self::Ticket(spoilt)
    }
}

impl From<Flaw> for SessionError {
    fn from(flaw: Flaw) -> Self {
        Self::Token(flaw)
    }
}

/// What a request may carry once only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Twice {
    /// The `Authorization` header.
    Authorization,
    /// The session cookie.
    Cookie,
    /// A header that the session endpoint is asked with.
    Header,
    /// The ticket.
    Ticket,
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorization => "the Authorization header",
            Self::Cookie => "the session cookie",
            Self::Header => "a session header",
            Self::Ticket => "a ticket",
        })
    }
}

/// What is wrong with a ticket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spoilt {
    /// It is for another app.
    App,
    /// No ticket of ours looks like it.
    Malformed,
    /// It is for another origin.
    Origin,
    /// It was used, it expired, or its session ended; or it never was.
    Unknown,
}

impl fmt::Display for Spoilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "it is for another app",
            Self::Malformed => "it is malformed",
            Self::Origin => "it is for another origin",
            Self::Unknown => "it is used, expired or unknown",
        })
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Its algorithm is not allowed, or not known.
    Algorithm,
    /// Its `aud` names none of ours.
    Audience,
    /// A claim is missing, or not of its type.
    Claim(&'static str),
    /// It expired.
    Expired,
    /// Its header brings a key of its own, or asks for what is not understood.
    Header(&'static str),
    /// It begins in the future, by `nbf` or `iat`.
    Immature,
    /// Its `iss` is not ours.
    Issuer,
    /// No key is known for it.
    Key,
    /// It could outlive what is remembered of its logout.
    Lasting,
    /// It is a logout token, not a session.
    Logout,
    /// It is no JWT in compact form with unambiguous JSON.
    Malformed,
    /// It is presented as a logout token and is none.
    NoLogout,
    /// It is larger than any token we read.
    Oversized,
    /// It has been used before.
    Replayed,
    /// Its signature does not verify.
    Signature,
    /// Its subject is missing, empty, too long, or no plain text.
    Subject,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm => f.write_str("its algorithm is not allowed here"),
            Self::Audience => f.write_str("it is for another audience"),
            Self::Claim(name) => write!(f, "its claim `{name}` is missing or malformed"),
            Self::Expired => f.write_str("it expired"),
            Self::Header(name) => write!(f, "its header carries `{name}`"),
            Self::Immature => f.write_str("it begins in the future"),
            Self::Issuer => f.write_str("it is of another issuer"),
            Self::Key => f.write_str("no key is known for it"),
            Self::Lasting => f.write_str("it lives longer than `logout_memory`, or has no `iat`"),
            Self::Logout => f.write_str("it is a logout token"),
            Self::Malformed => f.write_str("it is malformed"),
            Self::NoLogout => f.write_str("it is no logout token"),
            Self::Oversized => f.write_str("it is too large"),
            Self::Replayed => f.write_str("it has been used before"),
            Self::Signature => f.write_str("its signature does not verify"),
            Self::Subject => f.write_str("its subject is missing or malformed"),
        }
    }
}

/// What is wrong with a dependency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outage {
    /// Its answer cannot be read.
    Answer(&'static str),
    /// Too much is asked of it at once.
    Busy,
    /// What it holds for one session cannot be read.
    Content(&'static str),
    /// It answers with this status.
    Status(u16),
    /// It did not answer in time.
    Timeout,
    /// Its answer is larger than what is read.
    TooLarge,
    /// It cannot be reached; the transport's own words.
    Transport(String),
}

impl Outage {
    /// Whether it says nothing of how others fare.
    #[must_use]
    pub fn is_of_one_session(&self) -> bool {
        matches!(self, Self::Content(_) | Self::TooLarge)
    }
}

impl From<LineError> for Outage {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Timeout => Self::Timeout,
            LineError::Transport(words) | LineError::Refused { words, .. } => {
                Self::Transport(words)
            }
            LineError::Authorities | LineError::Host | LineError::Lost => {
                Self::Transport("the line to it was lost".to_owned())
            }
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(what) => write!(f, "its answer is not understood: {what}"),
            Self::Busy => f.write_str("too many askings at once"),
            Self::Content(what) => write!(f, "what it holds cannot be read: {what}"),
            Self::Status(status) => write!(f, "it answers with status {status}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("its answer is too large"),
            Self::Transport(words) => write!(f, "it cannot be reached: {words}"),
        }
    }
}
