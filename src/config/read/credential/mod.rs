//! `[route.credential]`: as whom does the engine see them?

mod anonymous_embed;
mod api_key;
mod client;
mod cloud_jwt;
mod endpoint;
mod oauth;
mod pace;
mod provision;
mod shared;
mod token_exchange;

use url::Url;

use crate::config::model::Credential;
use crate::config::notes::Noted;
use crate::config::table::{Reader, Table};

const LATER: [&str; 6] = [
    "bearer-jwt",
    "engine-certificate",
    "qseow-header",
    "qseow-jwt",
    "qseow-session",
    "qseow-ticket",
];

/// The credential; its endpoints are by default at the engine's own origin.
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
            read: &|t| oauth::machine(t, engine),
        },
        Reader {
            name: "api-key",
            doc: "One API key: one identity for all.",
            read: &api_key::api_key,
        },
        Reader {
            name: "cloud-jwt",
            doc: "A session of Qlik Cloud per person, opened with a JWT that the proxy signs.",
            read: &|t| cloud_jwt::cloud_jwt(t, engine),
        },
        Reader {
            name: "token-exchange",
            doc: "A token per app session: the app's own token, exchanged (RFC 8693).",
            read: &|t| token_exchange::token_exchange(t, engine),
        },
        Reader {
            name: "anonymous-embed",
            doc: "An anonymous user of the tenant a person.",
            read: &|t| anonymous_embed::anonymous_embed(t, engine),
        },
        Reader {
            name: "none",
            doc: "The engine asks for nothing.",
            read: &|_| Ok(Credential::None),
        },
    ];
    t.kind(&readers, &LATER)
}
