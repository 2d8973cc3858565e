//! How a relayed socket ended.

use crate::fault::CloseCode;

/// Which leg something happened on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// The browser's.
    Client,
    /// Qlik's.
    Engine,
    /// Neither: the proxy itself.
    Proxy,
}

impl Side {
    /// A metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Engine => "engine",
            Self::Proxy => "proxy",
        }
    }
}

/// Why a relayed socket ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cause {
    /// A leg sent a Close.
    Closed(Side),
    /// The engine did not take the proxy's credential.
    CredentialRefused,
    /// The proxy is draining.
    Drained,
    /// Nothing was said for too long.
    Idle,
    /// The config, or what the app says of its person now, leads it to another place, or to none.
    Moved,
    /// An operator closed it.
    Operator,
    /// A leg broke the websocket protocol.
    Protocol(Side),
    /// Whoever vouches for the app session could not be asked for longer than the grace.
    SessionCheckDown,
    /// The app session was ended.
    SessionEnded,
    /// The app session expired.
    SessionExpired,
    /// A leg took nothing for too long.
    Stalled(Side),
    /// The relay was dropped before it ended.
    Stopped,
    /// The client sent too large a message.
    TooBig,
    /// A leg went away without a Close.
    Vanished(Side),
    /// The config does not permit it any more.
    Withdrawn,
}

impl Cause {
    /// Whose doing it was.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Closed(side)
            | Self::Protocol(side)
            | Self::Stalled(side)
            | Self::Vanished(side) => side,
            Self::TooBig => Side::Client,
            Self::CredentialRefused => Side::Engine,
            Self::Drained
            | Self::Idle
            | Self::Moved
            | Self::Operator
            | Self::SessionCheckDown
            | Self::SessionEnded
            | Self::SessionExpired
            | Self::Stopped
            | Self::Withdrawn => Side::Proxy,
        }
    }

    /// A metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::CredentialRefused => "credential_refused",
            Self::Drained => "drained",
            Self::Idle => "idle",
            Self::Moved => "moved",
            Self::Operator => "operator",
            Self::Protocol(_) => "protocol",
            Self::SessionCheckDown => "session_check_down",
            Self::SessionEnded => "session_ended",
            Self::SessionExpired => "session_expired",
            Self::Stalled(_) => "stalled",
            Self::Stopped => "stopped",
            Self::TooBig => "too_big",
            Self::Vanished(_) => "vanished",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The code the client gets, when the client did not close by itself.
    #[must_use]
    pub const fn client_code(self) -> CloseCode {
        match self {
            Self::Closed(_) => CloseCode::ENGINE_PROXY,
            // Not as an end of the session: the app would send everybody through its login, in vain.
            Self::CredentialRefused | Self::SessionCheckDown => CloseCode::DEPENDENCY,
            Self::Drained | Self::Moved | Self::Stopped => CloseCode::TERMINATING,
            Self::Idle => CloseCode::IDLE,
            Self::Protocol(Side::Client) => CloseCode::PROTOCOL,
            Self::Operator | Self::SessionEnded | Self::SessionExpired => CloseCode::SESSION,
            Self::TooBig => CloseCode::TOO_BIG,
            Self::Withdrawn => CloseCode::NOT_PERMITTED,
            Self::Protocol(_) | Self::Stalled(_) | Self::Vanished(_) => CloseCode::NETWORK,
        }
    }

    /// The code the engine gets, when the engine did not close by itself.
    #[must_use]
    pub const fn engine_code(self) -> CloseCode {
        match self {
            Self::Protocol(Side::Engine) => CloseCode::PROTOCOL,
            _ => CloseCode::GOING_AWAY,
        }
    }
}

/// How a relayed socket ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// The code the client was closed with, if it could be told one.
    pub client_code: Option<CloseCode>,
    /// The code the engine closed with, if it did.
    pub engine_code: Option<CloseCode>,
}

impl Ended {
    /// What is said of a relay that was dropped before it ended.
    pub const STOPPED: Self = Self {
        cause: Cause::Stopped,
        client_code: None,
        engine_code: None,
    };
}
