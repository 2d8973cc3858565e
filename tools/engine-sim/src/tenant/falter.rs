//! What goes wrong where a credential is fetched, whatever the kind.

use std::{io, time::Duration};

use http::{HeaderValue, StatusCode, header::LOCATION};
use tokio::time::sleep;

use super::{
    refusal::{Answer, Refusal, typed},
    script::TokenFault,
    server,
    shared::Shared,
};

/// Lets `fault` happen; `None` when the right answer follows.
pub(crate) async fn falter(
    shared: &Shared,
    fault: Option<TokenFault>,
) -> Result<Option<Answer>, io::Error> {
    let Some(fault) = fault else { return Ok(None) };
    Ok(Some(match fault {
        TokenFault::Silence => match server::never(shared).await? {},
        TokenFault::Drop => return Err(server::dropped()),
        TokenFault::Delay { ms } => {
            sleep(Duration::from_millis(ms)).await;
            return Ok(None);
        }
        TokenFault::Hold => {
            shared.release.notified().await;
            return Ok(None);
        }
        TokenFault::ExpiresIn { .. }
        | TokenFault::ExpiresAtOnly { .. }
        | TokenFault::NoExpiry
        | TokenFault::Huge { .. } => return Ok(None),
        TokenFault::Refuse {
            status,
            code,
            detail,
        } => refuse(shared, status, code, detail),
        TokenFault::RateLimit { retry_after } => {
            Refusal::rate_limit(retry_after).answer(shared.vault.trace())
        }
        TokenFault::Html { status } => typed(known(status), "text/html", page(shared)),
        TokenFault::Garbage => garbage(shared),
        TokenFault::Redirect { location } => redirect(shared, &location),
    }))
}

fn refuse(shared: &Shared, status: u16, code: Option<String>, detail: Option<String>) -> Answer {
    let mut refusal = Refusal::plain(known(status));
    if let Some(code) = code {
        refusal = refusal.coded(&code);
    }
    if let Some(detail) = detail {
        refusal = refusal.detailed(&detail);
    }
    refusal.answer(shared.vault.trace())
}

fn page(shared: &Shared) -> String {
    format!(
        "<!doctype html><title>Sign in</title><p>{}</p>",
        shared.vault.plant("page")
    )
}

fn garbage(shared: &Shared) -> Answer {
    let half = format!(
        "{{\"token_type\":\"bearer\",\"access_token\":\"{}",
        shared.vault.plant("half")
    );
    typed(StatusCode::OK, "application/json", half)
}

fn redirect(shared: &Shared, location: &str) -> Answer {
    let mut answer = Refusal::plain(StatusCode::TEMPORARY_REDIRECT).answer(shared.vault.trace());
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// A status out of a script; one that is none becomes 500.
fn known(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
