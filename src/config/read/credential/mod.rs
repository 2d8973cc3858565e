//! `[route.credential]`: as whom does the engine see them?

mod anonymous_embed;
mod api_key;
mod attributes;
mod client;
mod cloud_jwt;
mod endpoint;
mod key;
mod oauth;
mod pace;
mod provision;
mod shared;
mod signed;
mod token_exchange;
mod windows;

use url::Url;

use crate::config::model::{Credential, Flavour};
use crate::config::notes::Noted;
use crate::config::table::{Reader, Table};

/// The credential; its endpoints are by default at the engine's own origin.
#[rustfmt::skip] // a row a kind
pub(super) fn credential(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let readers = [
        Reader { name: "oauth-impersonation", doc: "A token per person, by OAuth user impersonation.", read: &|t| oauth::impersonation(t, engine) },
        Reader { name: "oauth-client", doc: "The machine client's own token, by OAuth client credentials: one identity for all.", read: &|t| oauth::machine(t, engine) },
        Reader { name: "api-key", doc: "One API key: one identity for all.", read: &api_key::api_key },
        Reader { name: "cloud-jwt", doc: "A session of Qlik Cloud per person, opened with a JWT that the proxy signs.", read: &|t| cloud_jwt::cloud_jwt(t, engine) },
        Reader { name: "token-exchange", doc: "A token per app session: the app's own token, exchanged (RFC 8693).", read: &|t| token_exchange::token_exchange(t, engine) },
        Reader { name: "anonymous-embed", doc: "An anonymous user of the tenant a person.", read: &|t| anonymous_embed::anonymous_embed(t, engine) },
        Reader { name: "qseow-jwt", doc: "A session per person at a virtual proxy, opened by a token that the proxy signs.", read: &|t| windows::jwt(t, engine) },
        Reader { name: "qseow-header", doc: "A session per person at a virtual proxy, opened by a header that it trusts.", read: &|t| windows::header(t, engine) },
        Reader { name: "qseow-ticket", doc: "A session per person at a virtual proxy, opened by a ticket of the proxy service.", read: &|t| windows::ticket(t, engine) },
        Reader { name: "qseow-session", doc: "A session per person at a virtual proxy, added through the proxy service.", read: &|t| windows::added(t, engine) },
        Reader { name: "engine-certificate", doc: "The engine's own port, opened by the QMC's client certificate, as a user a person.", read: &windows::certificate },
        Reader { name: "bearer-jwt", doc: "A token per person that the proxy signs, for an engine that checks it.", read: &signed::bearer },
        Reader { name: "passed-bearer", doc: "The app's own token, passed on to an engine that checks it.", read: &|_| Ok(Credential::PassedBearer) },
        Reader { name: "none", doc: "The engine asks for nothing.", read: &|_| Ok(Credential::None) },
    ];
    t.kind(&readers, &[])
}

/// Who speaks on the engine's side, going by the kind of the route's credential.
pub(super) fn flavour(route: &Table<'_>) -> Flavour {
    match route.kind_of("credential") {
        Some("engine-certificate") => Flavour::EnginePort,
        Some(kind) if kind.starts_with("qseow-") => Flavour::Windows,
        _ => Flavour::Engine,
    }
}
