//! Tokens, where clients may bring them: a cookie of a browser, `Authorization` of a program.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::{SessionError, Twice};
use super::{Client, Knock, cookies};
use crate::config::CookieName;

/// The token in a request; `None` when there is none.
pub(super) fn find<'a>(
    knock: Knock<'a>,
    cookie: Option<&CookieName>,
) -> Result<Option<&'a [u8]>, SessionError> {
    match (knock.client, cookie) {
        (Client::Browser, Some(name)) => cookies::find(knock.headers, name),
        (Client::Browser, None) => Ok(None),
        (Client::Program, _) => bearer(knock.headers),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, SessionError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(SessionError::Ambiguous(Twice::Authorization));
    }
    let Some((scheme, token)) = value.as_bytes().split_at_checked("Bearer ".len()) else {
        return Ok(None);
    };
    let token = token.trim_ascii();
    let found = scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty();
    Ok(found.then_some(token))
}
