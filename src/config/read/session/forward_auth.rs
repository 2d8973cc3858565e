//! `kind = "forward-auth"`: the app's own endpoint is asked.

use std::collections::BTreeMap;

use http::HeaderName;

use super::rhythm::rhythm;
use crate::config::model::{ForwardAuth, Place};
use crate::config::notes::Noted;
use crate::config::read::engine::{allow_http, refuse_plain};
use crate::config::table::Table;
use crate::config::value::{HttpHeader, WebUrl};
use crate::config::values::CookieName;

/// The app's own endpoint.
pub(super) fn forward_auth(t: &mut Table<'_>) -> Result<ForwardAuth, Noted> {
    let url: Result<WebUrl, _> = t.required(
        "url",
        "\"http://127.0.0.1:3000/me\"",
        "The app's fixed URL; a yes is 2xx and a subject at its place.",
    );
    let allow_http = allow_http(t);
    let sent = sent(t);
    let told = told(t);
    let claims: Result<Option<BTreeMap<String, Place>>, _> = t.optional(
        "claims",
        "Claims to take from the answer, each with its name and its place.",
    );
    let touch: Result<Option<WebUrl>, _> = t.optional(
        "touch",
        "A URL of the app that prolongs a session as any page of it would: asked as `url` is, but \
         only while somebody works over a socket. Without it only the app prolongs sessions.",
    );
    let rhythm = rhythm(t);
    let WebUrl(url) = url?;
    let touch = touch?.map(|WebUrl(touch)| touch);
    refuse_plain(t, "url", &url, allow_http)?;
    if let Some(touch) = &touch {
        refuse_plain(t, "touch", touch, allow_http)?;
    }
    let ((cookies, headers), told) = (sent?, told?);
    let rhythm = rhythm?;
    Ok(ForwardAuth {
        url,
        cookies,
        headers,
        subject: told.subject,
        session: told.session,
        expires: told.expires,
        claims: claims?.unwrap_or_default(),
        touch,
        cache: rhythm.cache,
        recheck: rhythm.recheck,
        grace: rhythm.grace,
        timeout: rhythm.timeout,
    })
}

/// What of the client's request the app is sent.
fn sent(t: &mut Table<'_>) -> Result<(Vec<CookieName>, Vec<HeaderName>), Noted> {
    let cookies: Result<Option<Vec<CookieName>>, _> =
        t.optional("cookies", "The only cookies passed on.");
    let headers: Result<Option<Vec<HttpHeader>>, _> =
        t.optional("headers", "The only headers passed on.");
    let (cookies, headers) = (cookies?.unwrap_or_default(), headers?.unwrap_or_default());
    if cookies.is_empty() && headers.is_empty() {
        return Err(t.absent(
            "nothing of the client is passed on, so the app cannot know who it is",
            "write `cookies = [\"session\"]`, the name of the app's session cookie",
        ));
    }
    let headers = headers.into_iter().map(|HttpHeader(name)| name).collect();
    Ok((cookies, headers))
}

/// What of the app's answer is taken.
struct Told {
    subject: Place,
    session: Option<Place>,
    expires: Option<Place>,
}

fn told(t: &mut Table<'_>) -> Result<Told, Noted> {
    let subject = t.required(
        "subject",
        "\"/user/id\"",
        "Where the answer says who it is: a name or JSON pointer in its JSON, or \
         { header = \"…\" }.",
    );
    let session = t.optional("session", "Where it carries a stable session id.");
    let expires = t.optional(
        "expires",
        "Where it carries the session's end, in seconds since 1970 or as RFC 3339.",
    );
    if !t.has("session") {
        t.warn(
            "kind",
            "without `session`, all of a person's sessions share their engine sessions: the \
             subject stands in for the session id",
            "write in `session` where the answer carries a stable session id",
        );
    }
    Ok(Told {
        subject: subject?,
        session: session?,
        expires: expires?,
    })
}
