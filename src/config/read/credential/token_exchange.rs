//! `kind = "token-exchange"`: the app's own token, exchanged for one of Qlik's.

use url::Url;

use super::client::{Proof, client};
use crate::config::defaults;
use crate::config::model::{Credential, TokenExchange};
use crate::config::notes::Noted;
use crate::config::table::Table;

/// The client, what is asked for, and how it is shown.
pub(super) fn token_exchange(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let client = client(t, engine, Proof::Optional);
    let scope = t.optional("scope", "The scope asked for, where one is.");
    let audience = t.optional(
        "audience",
        "For whom the token is asked, where that is said.",
    );
    let shown = t.or(
        "shown",
        defaults::SHOWN,
        "How the token is shown to the engine: a \"header\"; or the \"query\" (?accessToken=), for a \
         token asked for with Qlik's `purpose: websocket`.",
    );
    Ok(Credential::TokenExchange(TokenExchange {
        client: client?,
        scope: scope?,
        audience: audience?,
        shown: shown?,
    }))
}
