//! `[route.credential]`: as whom does the engine see them?

mod api_key;
mod oauth;

use url::Url;

use crate::config::model::{Credential, Flavour};
use crate::config::notes::Noted;
use crate::config::table::{Reader, Table};

const LATER: [&str; 8] = [
    "bearer-jwt",
    "cloud-jwt",
    "engine-certificate",
    "qseow-header",
    "qseow-jwt",
    "qseow-session",
    "qseow-ticket",
    "token-exchange",
];

/// The credential; the token endpoint is by default at the engine's own origin.
pub(super) fn credential(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let readers = [
        Reader {
            name: "oauth-impersonation",
            doc: "A token per person, by OAuth user impersonation.",
            read: &|t| oauth::impersonation(t, engine),
        },
        Reader {
            name: "oauth-client",
            doc: "The machine client's own token, by OAuth client credentials: one identity for all.",
            read: &|t| oauth::client(t, engine).map(Credential::OAuthClient),
        },
        Reader {
            name: "api-key",
            doc: "One API key: one identity for all.",
            read: &api_key::api_key,
        },
        Reader {
            name: "none",
            doc: "The engine asks for nothing.",
            read: &|_| Ok(Credential::None),
        },
    ];
    t.kind(&readers, &LATER)
}

/// Who speaks on the engine's side, going by the kind of the route's credential.
pub(super) fn flavour(route: &Table<'_>) -> Flavour {
    match route.kind_of("credential") {
        Some(kind) if kind.starts_with("qseow-") => Flavour::Windows,
        _ => Flavour::Engine,
    }
}
