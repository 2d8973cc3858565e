//! The engine's first words, as far as an operator wants to know them.

/// How the engine says it received a socket (`OnConnected`, `qSessionState`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Greeting {
    /// An engine session that was alive was joined.
    Attached,
    /// A new engine session was made.
    Created,
    /// The engine will not serve this session: licence, limits, access.
    Refused(&'static str),
    /// Something else, or in other words.
    Unknown,
}

/// The states in which the engine is of no use, as Qlik's load tool gopherciser lists them.
const REFUSALS: [&str; 7] = [
    "SESSION_ERROR_NO_LICENSE",
    "SESSION_ERROR_LICENSE_RENEW",
    "SESSION_ERROR_LIMIT_EXCEEDED",
    "SESSION_ERROR_SECURITY_HEADER_CHANGED",
    "SESSION_ACCESS_CONTROL_SETUP_FAILURE",
    "SESSION_ERROR_APP_ACCESS_DENIED",
    "SESSION_ERROR_APP_FAILURE",
];

impl Greeting {
    /// Reads the first bytes of the engine's first message; it need not be there whole.
    #[must_use]
    pub fn read(prefix: &[u8]) -> Self {
        let says = |word: &str| {
            let quoted = format!("\"{word}\"");
            prefix
                .windows(quoted.len())
                .any(|window| window == quoted.as_bytes())
        };
        if !says("OnConnected") {
            return Self::Unknown;
        }
        if says("SESSION_CREATED") {
            return Self::Created;
        }
        if says("SESSION_ATTACHED") {
            return Self::Attached;
        }
        REFUSALS
            .into_iter()
            .find(|state| says(state))
            .map_or(Self::Unknown, Self::Refused)
    }

    /// What a record says of it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Created => "created",
            Self::Refused(state) => state,
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_are_told_apart() {
        let greet = |state: &str| {
            let params = format!("\"params\":{{\"qSessionState\":\"{state}\"}}");
            Greeting::read(format!("{{\"method\":\"OnConnected\",{params}}}").as_bytes())
        };
        assert_eq!(greet("SESSION_CREATED"), Greeting::Created);
        assert_eq!(greet("SESSION_ATTACHED"), Greeting::Attached);
        assert_eq!(
            greet("SESSION_ERROR_NO_LICENSE"),
            Greeting::Refused(REFUSALS[0])
        );
        assert_eq!(greet("SESSION_OF_TOMORROW"), Greeting::Unknown);
        assert_eq!(
            Greeting::read(b"{\"result\":\"SESSION_CREATED\"}"),
            Greeting::Unknown
        );
    }
}
