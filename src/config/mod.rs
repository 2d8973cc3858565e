//! The config as the rest of the house reads it: finished, consistent, with every default filled in.
//!
//! A TOML text enters; a `Config` or the list of every mistake leaves. This room opens no file
//! but the secrets, certificates and keys that the config itself names, and no socket ever.

mod model;
mod values;

pub use model::{
    Access, Admin, Algorithm, ApiKey, Apps, ClientAuth, ClientsWithoutOrigin, Config, Credential,
    Engine, ForwardAuth, Jwks, Jwt, JwtKeys, Limits, Listen, ListenTls, Log, LogFormat,
    LookupField, Methods, OAuth, OAuthImpersonation, Outbound, Place, RefusalStyle, RelayLimits,
    Route, SessionCheck,
};
pub use values::{CookieName, Origin, RoutePath};
