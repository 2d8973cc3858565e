//! `kind = "anonymous-embed"`: an anonymous user of the tenant a person.

use url::Url;

use super::endpoint::Endpoint;
use super::pace::{pace, timeout};
use crate::config::defaults;
use crate::config::model::{AnonymousEmbed, Credential};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::LiveSecret;

const TOKEN: Endpoint = Endpoint {
    key: "token_url",
    doc: "Where tokens are had; by default /oauth/token/anonymous-embed at the engine's origin.",
    path: defaults::ANONYMOUS_PATH,
};

/// The client and its access code.
pub(super) fn anonymous_embed(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let client_id = t.required("client_id", "\"…\"", "The OAuth client's id.");
    let access_code = t.required(
        "access_code",
        "{ env = \"QLIK_ACCESS_CODE\" }",
        "The access code of what may be embedded anonymously.",
    );
    let token_url = TOKEN.read(t, engine);
    let shown = t.or(
        "shown",
        defaults::SHOWN,
        "How the token is shown to the engine: a \"header\" or the \"query\" (?accessToken=).",
    );
    let (timeout, pace) = (timeout(t), pace(t));
    let LiveSecret(access_code) = access_code?;
    Ok(Credential::AnonymousEmbed(AnonymousEmbed {
        client_id: client_id?,
        access_code,
        token_url: token_url?,
        shown: shown?,
        timeout: timeout?,
        pace: pace?,
    }))
}
