//! `[route.credential]`: as whom does the engine see them?

use url::Url;

use super::engine::{allow_http, refuse_plain};
use crate::config::defaults;
use crate::config::model::{ApiKey, Credential, Flavour, LookupField, OAuth, OAuthImpersonation};
use crate::config::notes::Noted;
use crate::config::table::{Reader, Table};
use crate::config::value::{Positive, SecretText, WebUrl, is_plain};
use crate::person::ClaimPath;

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
            read: &|t| impersonation(t, engine),
        },
        Reader {
            name: "oauth-client",
            doc: "The machine client's own token, by OAuth client credentials: one identity for all.",
            read: &|t| oauth(t, engine).map(Credential::OAuthClient),
        },
        Reader {
            name: "api-key",
            doc: "One API key: one identity for all.",
            read: &api_key,
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

fn api_key(t: &mut Table<'_>) -> Result<Credential, Noted> {
    let key = t.required("key", "{ env = \"QLIK_API_KEY\" }", "The key.");
    let SecretText(key) = key?;
    Ok(Credential::ApiKey(ApiKey { key }))
}

fn impersonation(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    let oauth = oauth(t, engine);
    let user = t.required_table(
        "user",
        "field = \"subject\"",
        "How Qlik finds the person.",
        user,
    );
    let (field, claim) = user?;
    let oauth = oauth?;
    let impersonation = OAuthImpersonation {
        oauth,
        field,
        claim,
    };
    Ok(Credential::OAuthImpersonation(impersonation))
}

fn user(t: &mut Table<'_>) -> Result<(LookupField, ClaimPath), Noted> {
    let field = t.required(
        "field",
        "\"subject\"",
        "The field of the Qlik user that must match: \"subject\" (the identity provider's) or \
         \"userId\" (Qlik's own).",
    );
    let claim = t.required(
        "claim",
        "\"sub\"",
        "The claim of the app's session whose value is looked up, by name or JSON pointer.",
    );
    Ok((field?, claim?))
}

fn oauth(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<OAuth, Noted> {
    let client_id = t.required("client_id", "\"…\"", "The OAuth client's id.");
    let client_secret = t.required(
        "client_secret",
        "{ env = \"QLIK_CLIENT_SECRET\" }",
        "The OAuth client's secret.",
    );
    let client_auth = t.or(
        "client_auth",
        defaults::CLIENT_AUTH,
        "Where the secret goes: the \"body\", as Qlik documents, or a \"basic\" header.",
    );
    let token_url = token_url(t, engine);
    let scope = t.or("scope", defaults::SCOPE.to_owned(), "The scope asked for.");
    let timeout = t.or(
        "timeout",
        Positive(defaults::TOKEN_TIMEOUT),
        "How long fetching a token may take.",
    );
    let SecretText(client_secret) = client_secret?;
    Ok(OAuth {
        client_id: client_id?,
        client_secret,
        client_auth: client_auth?,
        token_url: token_url?,
        scope: scope?,
        timeout: timeout?.0,
    })
}

fn token_url(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Url, Noted> {
    let written: Result<Option<WebUrl>, _> = t.optional(
        "token_url",
        "The token endpoint; by default /oauth/token at the engine's origin.",
    );
    let allow_http = allow_http(t);
    if let Some(WebUrl(url)) = written? {
        refuse_plain(t, "token_url", &url, allow_http)?;
        return Ok(url);
    }
    let mut url = engine?.clone();
    url.set_path(defaults::TOKEN_PATH);
    if is_plain(&url) && !allow_http? {
        return Err(t.absent(
            "the client's secret would go to the engine's origin over plain http",
            "write `token_url`, or `allow_http = true` in this table if that way is trusted",
        ));
    }
    Ok(url)
}
