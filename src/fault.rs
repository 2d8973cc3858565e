//! The one table that turns a fault into an answer: HTTP status, close code, public text, label.
//!
//! Every room keeps its own error enum for the operator; whatever goes wrong in front of a client
//! is one of these. The texts are static, so nothing of Qlik or of a token can be in them.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// A websocket close code (RFC 6455 section 7.4; 4000–4999 as the Qlik engine uses them).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose is fulfilled; enigma.js swallows it.
    pub const NORMAL: Self = Self(1000);
    /// The peer is going away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// What should be text is not UTF-8.
    pub const NOT_UTF8: Self = Self(1007);
    /// The message is larger than the route allows.
    pub const TOO_BIG: Self = Self(1009);
    /// enigma.js suspends itself; it swallows the code from a server too.
    pub const SUSPENDED: Self = Self(4000);
    /// Nothing happened for too long.
    pub const IDLE: Self = Self(4001);
    /// The engine side is terminating; @qlik/api reconnects by itself.
    pub const TERMINATING: Self = Self(4003);
    /// The app session is missing, invalid, or has ended.
    pub const SESSION: Self = Self(4006);
    /// The engine ended the session without saying why.
    pub const ENGINE_PROXY: Self = Self(4200);
    /// No permission to open the app.
    pub const NOT_PERMITTED: Self = Self(4203);
    /// There is no such app.
    pub const NO_SUCH_APP: Self = Self(4204);
    /// Too many sockets or requests.
    pub const TOO_MANY: Self = Self(4205);
    /// One leg broke.
    pub const NETWORK: Self = Self(4206);
    /// A dependency is down, or Qlik refused our credential.
    pub const DEPENDENCY: Self = Self(4211);
    /// Qlik has no licence for the person.
    pub const NOT_ENTITLED: Self = Self(4230);
    /// No engine could be reached.
    pub const NO_ENGINE: Self = Self(4240);
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that can be wrong with a request, as its client may know it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// The request is malformed, or tries a trick.
    BadRequest,
    /// Fetching a credential failed in a way that may pass.
    CredentialDown,
    /// Qlik refused the credential, or refused to issue one.
    CredentialRefused,
    /// The engine says it is overloaded.
    EngineBusy,
    /// The engine could not be reached, or did not speak websocket.
    EngineDown,
    /// The engine refused the upgrade.
    EngineRefused,
    /// The engine did not answer in time.
    EngineTimeout,
    /// The `Origin` is missing, repeated, `null` or not the route's.
    ForeignOrigin,
    /// The method is not for this path.
    MethodNotAllowed,
    /// The person belongs to no customer of this route.
    NoCustomer,
    /// There is no such app for this person.
    NoSuchApp,
    /// There is nothing at this path.
    NotFound,
    /// The person may not open this.
    NotPermitted,
    /// There is no app session, or it is not valid.
    NotSignedIn,
    /// The session check's own dependency is down.
    SessionCheckDown,
    /// The proxy is draining.
    ShuttingDown,
    /// A cap was reached.
    TooMany,
    /// The config was read anew while the socket was being opened.
    Reloaded,
    /// The path speaks websocket only.
    UpgradeRequired,
}

/// What a client gets to see of a fault.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The HTTP status, when the answer is an HTTP one.
    pub status: StatusCode,
    /// The close code, when the answer is accept-then-close.
    pub close: CloseCode,
    /// A closed-set label, for metrics and for the `error` of the JSON body.
    pub label: &'static str,
    /// What happened and what to do, for a human.
    pub text: &'static str,
}

impl Fault {
    /// Looks this fault up in the table.
    #[must_use]
    #[rustfmt::skip] // a row a fault
    pub const fn answer(self) -> Answer {
        use CloseCode as Close;
        use StatusCode as Status;
        let (status, close, label, text) = match self {
            Self::BadRequest => (Status::BAD_REQUEST, Close::PROTOCOL, "bad_request", "The request is malformed."),
            Self::CredentialDown => (Status::SERVICE_UNAVAILABLE, Close::DEPENDENCY, "credential_down", "The analytics credential is not available just now; try again."),
            Self::CredentialRefused => (Status::BAD_GATEWAY, Close::DEPENDENCY, "credential_refused", "The analytics service did not accept this proxy's credential."),
            Self::EngineBusy => (Status::SERVICE_UNAVAILABLE, Close::TOO_MANY, "engine_busy", "The analytics engine is busy; try again later."),
            Self::EngineDown => (Status::BAD_GATEWAY, Close::NO_ENGINE, "engine_down", "The analytics engine cannot be reached."),
            Self::EngineRefused => (Status::BAD_GATEWAY, Close::DEPENDENCY, "engine_refused", "The analytics engine refused the connection."),
            Self::EngineTimeout => (Status::GATEWAY_TIMEOUT, Close::NO_ENGINE, "engine_timeout", "The analytics engine did not answer in time."),
            Self::ForeignOrigin => (Status::FORBIDDEN, Close::NOT_PERMITTED, "foreign_origin", "This origin may not open a websocket here."),
            Self::MethodNotAllowed => (Status::METHOD_NOT_ALLOWED, Close::PROTOCOL, "method_not_allowed", "This path does not take that method."),
            Self::NoCustomer => (Status::FORBIDDEN, Close::NOT_PERMITTED, "no_customer", "No analytics is set up for this account."),
            Self::NoSuchApp => (Status::NOT_FOUND, Close::NO_SUCH_APP, "no_such_app", "There is no such app."),
            Self::NotFound => (Status::NOT_FOUND, Close::PROTOCOL, "not_found", "There is nothing at this path."),
            Self::NotPermitted => (Status::FORBIDDEN, Close::NOT_PERMITTED, "not_permitted", "No permission to open this app."),
            Self::NotSignedIn => (Status::UNAUTHORIZED, Close::SESSION, "not_signed_in", "There is no valid app session; sign in to the app."),
            Self::Reloaded => (Status::SERVICE_UNAVAILABLE, Close::TERMINATING, "reloaded", "The proxy has new settings; reconnect."),
            Self::SessionCheckDown => (Status::SERVICE_UNAVAILABLE, Close::DEPENDENCY, "session_check_down", "The app session cannot be checked just now; try again."),
            Self::ShuttingDown => (Status::SERVICE_UNAVAILABLE, Close::TERMINATING, "shutting_down", "The proxy is restarting; reconnect."),
            Self::TooMany => (Status::TOO_MANY_REQUESTS, Close::TOO_MANY, "too_many", "Too many connections or attempts; close some, or try again later."),
            Self::UpgradeRequired => (Status::UPGRADE_REQUIRED, Close::PROTOCOL, "upgrade_required", "This path speaks websocket (version 13) only."),
        };
        Answer { status, close, label, text }
    }
}

/// An error that knows what its client may see of it; its `Display` is for the operator alone.
pub trait Faulty: std::error::Error {
    /// The public face of this error.
    fn fault(&self) -> Fault;

    /// When trying again is worth it, where that is known.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
