//! `[route.credential.provision]`: people become users of the tenant.

use url::Url;

use super::oauth::oauth;
use crate::config::defaults;
use crate::config::model::Provision;
use crate::config::notes::Noted;
use crate::config::read::engine::refuse_plain;
use crate::config::table::Table;
use crate::config::value::{WebUrl, is_plain};

/// Looking up and creating users, with a client of its own.
pub(super) fn provision(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Provision, Noted> {
    let admin = oauth(t, engine, defaults::USERS_SCOPE);
    let users_url = users_url(t, engine);
    let name = t.required("name", "\"{name}\"", "A new user's name, made of claims.");
    let email = t.optional(
        "email",
        "A new user's address, made of claims; `email` counts only with `email_verified`.",
    );
    let admins = t.or(
        "admins",
        defaults::ADMINS,
        "What becomes of users with an administrator's role: \"refuse\" or \"impersonate\".",
    );
    let (admin, users_url) = (admin?, users_url?);
    // Where the client's own secret may go over plain http, `allow_http` has said so.
    if is_plain(&users_url) && !is_plain(&admin.client.token_url) {
        refuse_plain(t, "users_url", &users_url, Ok(false))?;
    }
    Ok(Provision {
        admin,
        users_url,
        name: name?,
        email: email?,
        admins: admins?,
    })
}

fn users_url(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Url, Noted> {
    let written: Result<Option<WebUrl>, _> = t.optional(
        "users_url",
        "The users' API; by default /api/v1/users at the engine's origin.",
    );
    if let Some(WebUrl(url)) = written? {
        return Ok(url);
    }
    let mut url = engine?.clone();
    url.set_path(defaults::USERS_PATH);
    Ok(url)
}
