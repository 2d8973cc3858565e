//! Names as types: what a bare `String` would leave to luck.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Names it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text itself, to be shared.
            #[must_use]
            pub fn share(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A Qlik app, as the engine's `OpenDoc` and the websocket URL name it.
    AppId
}
name! {
    /// A route of the config, by its `name` (its path when none is given).
    RouteName
}
name! {
    /// A customer of a route, by its `name` in the config.
    CustomerName
}
name! {
    /// Who vouched for a subject: a token's `iss`, or what stands in for it in other session kinds.
    Issuer
}
name! {
    /// A person within one issuer; never compared without it.
    Subject
}
name! {
    /// The `/identity/<x>` under which the engine keeps one person's session of one app.
    EngineIdentity
}

/// The app session's own stable id (`sid`). Whoever holds it may often act as its person, so it
/// shows itself to nobody: not in `Debug`, not in a log.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Names it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id itself, for hashing and for comparison.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// One accepted connection of this process, counted from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
