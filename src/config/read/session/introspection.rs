//! `kind = "introspection"`: the authorisation server is asked about a token.

use super::jwt::demand_a_carrier;
use super::rhythm::rhythm;
use crate::config::defaults;
use crate::config::model::{ClientAuth, ClientsWithoutOrigin, Introspection};
use crate::config::notes::Noted;
use crate::config::read::engine::{allow_http, refuse_plain};
use crate::config::table::Table;
use crate::config::value::{OneOrMany, SecretText, WebUrl};
use crate::config::values::CookieName;
use crate::id::Issuer;
use crate::person::ClaimPath;

/// The authorisation server's word.
pub(super) fn introspection(
    t: &mut Table<'_>,
    clients: Result<ClientsWithoutOrigin, Noted>,
) -> Result<Introspection, Noted> {
    let url: Result<WebUrl, _> = t.required(
        "url",
        "\"https://idp.example.com/introspect\"",
        "The introspection endpoint of the authorisation server.",
    );
    let allow_http = allow_http(t);
    let cookie: Result<Option<CookieName>, _> =
        t.optional("cookie", "The cookie that carries the token.");
    let client = client(t);
    let told = told(t);
    let rhythm = rhythm(t);
    let WebUrl(url) = url?;
    refuse_plain(t, "url", &url, allow_http)?;
    let cookie = cookie?;
    demand_a_carrier(t, cookie.as_ref(), clients)?;
    let (client, told, rhythm) = (client?, told?, rhythm?);
    Ok(Introspection {
        url,
        cookie,
        client_id: client.id,
        client_secret: client.secret.0,
        client_auth: client.auth,
        issuer: told.issuer.map(Issuer::new),
        audience: told.audience,
        subject: told.subject,
        session: told.session,
        cache: rhythm.cache,
        recheck: rhythm.recheck,
        grace: rhythm.grace,
        timeout: rhythm.timeout,
    })
}

/// As whom the proxy asks.
struct Client {
    id: String,
    secret: SecretText,
    auth: ClientAuth,
}

fn client(t: &mut Table<'_>) -> Result<Client, Noted> {
    let id = t.required(
        "client_id",
        "\"qix-proxy\"",
        "The client id that the proxy has at the authorisation server.",
    );
    let secret = t.required(
        "client_secret",
        "{ env = \"INTROSPECTION_SECRET\" }",
        "Its secret.",
    );
    let auth = t.or(
        "client_auth",
        defaults::INTROSPECTION_AUTH,
        "Where the secret goes: a \"basic\" header, or the \"body\".",
    );
    Ok(Client {
        id: id?,
        secret: secret?,
        auth: auth?,
    })
}

/// What the answer must say, and what of it is taken.
struct Told {
    issuer: Option<String>,
    audience: Vec<String>,
    subject: ClaimPath,
    session: ClaimPath,
}

fn told(t: &mut Table<'_>) -> Result<Told, Noted> {
    let issuer = t.optional("issuer", "The `iss` that the answer must carry.");
    let audience: Result<Option<OneOrMany<String>>, _> = t.optional(
        "audience",
        "The `aud` that the answer must carry, one or a list of which one is enough.",
    );
    let subject = t.or(
        "subject_claim",
        ClaimPath::new(defaults::SUBJECT_CLAIM),
        "Where the subject stands, by name or JSON pointer.",
    );
    let session = t.or(
        "session_claim",
        ClaimPath::new(defaults::SESSION_CLAIM),
        "Where the session's stable id stands, by name or JSON pointer.",
    );
    if !t.has("audience") {
        t.warn(
            "kind",
            "without `audience`, a token that the authorisation server made for any other app \
             opens this route",
            "write in `audience` what its answer says in `aud` for this app",
        );
    }
    let audience = audience?.map_or(Vec::new(), |OneOrMany(audience)| audience);
    Ok(Told {
        issuer: issuer?,
        audience,
        subject: subject?,
        session: session?,
    })
}
