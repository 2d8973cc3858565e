//! `POST /oauth/token`: the grants that a server uses, and the refusals that it meets.

mod answer;
mod form;

use std::{io, time::Duration};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use answer::{Life, Minted};
use form::Form;

use super::{
    builder::{ClientId, ClientKind},
    cloud,
    falter::falter,
    ledger::Entry,
    refusal::{Answer, Refusal},
    server,
    shared::Shared,
    vault::Purpose,
};

const BODY_LIMIT: usize = 64 * 1024;
const CREDENTIALS: &str = "client_credentials";
const IMPERSONATION: &str = "urn:qlik:oauth:user-impersonation";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Answers one token request, or drops it when the script says so.
pub(super) async fn fetch(
    shared: &Shared,
    entry: &Entry,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, io::Error> {
    shared.ledger.count(|state| state.token_fetches += 1);
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map_err(|_| server::dropped())?.to_bytes();
    entry.body(&body);
    let fault = shared.stage.token();
    let life = Life::by(fault.as_ref());
    Ok(match falter(shared, fault).await? {
        Some(answer) => answer,
        None => mint(shared, head, &body, life),
    })
}

fn mint(shared: &Shared, head: &Parts, body: &Bytes, life: Life) -> Answer {
    let form = Form::read(head, body);
    match form.and_then(|form| grant(shared, &form, life.span(shared.vault.life))) {
        Ok(minted) => minted.answer(life),
        Err(refusal) => refusal.answer(shared.vault.trace()),
    }
}

fn grant(shared: &Shared, form: &Form, life: Duration) -> Result<Minted, Refusal> {
    if form.text("grant_type") == EXCHANGE {
        return exchange(shared, form, life);
    }
    let kind = client(shared, form)?;
    let (user, purpose) = match form.text("grant_type") {
        CREDENTIALS if kind == ClientKind::Admin => (form.client.clone(), Purpose::Admin),
        CREDENTIALS => (form.client.clone(), Purpose::Machine),
        IMPERSONATION if kind == ClientKind::Trusted => (user(shared, form)?, Purpose::Person),
        IMPERSONATION => return Err(Refusal::unknown_client()),
        _ => {
            let refusal = Refusal::plain(StatusCode::BAD_REQUEST);
            return Err(refusal.detailed("The grant type is not supported."));
        }
    };
    Ok(Minted {
        token: shared.vault.mint(&user, purpose, life),
        life,
        purpose,
    })
}

fn client(shared: &Shared, form: &Form) -> Result<ClientKind, Refusal> {
    let client = shared.settings.clients.get(&ClientId(form.client.clone()));
    let (secret, kind) = client.ok_or_else(Refusal::unknown_client)?;
    let assertion = form.text("client_assertion");
    let proven = if form.text("client_assertion_type") == ASSERTION {
        cloud::holds(shared, &form.client, assertion)
    } else {
        !secret.is_empty() && *secret == form.secret
    };
    if proven {
        Ok(*kind)
    } else {
        Err(Refusal::plain(StatusCode::UNAUTHORIZED))
    }
}

fn user(shared: &Shared, form: &Form) -> Result<String, Refusal> {
    let (field, value) = form.lookup()?;
    let known = &shared.settings.cloud.directory;
    if let Some(found) = known.look_up(field == form::Field::UserId, value) {
        return found.map_err(|()| unknown_user());
    }
    let users = &shared.settings.users;
    if users.is_empty() {
        return Ok(value.to_owned());
    }
    let found = users.iter().find(|user| match field {
        form::Field::Subject => user.subject == value,
        form::Field::UserId => user.id == value,
    });
    match found {
        Some(user) if user.active => Ok(user.id.clone()),
        Some(_) => Err(Refusal::plain(StatusCode::FORBIDDEN).detailed("User is disabled.")),
        None => Err(unknown_user()),
    }
}

fn unknown_user() -> Refusal {
    Refusal::plain(StatusCode::FORBIDDEN).detailed("User was not found.")
}

fn exchange(shared: &Shared, form: &Form, life: Duration) -> Result<Minted, Refusal> {
    if !shared
        .settings
        .clients
        .contains_key(&ClientId(form.client.clone()))
    {
        return Err(Refusal::unknown_client());
    }
    if let Some(user) = shared.settings.cloud.person_of(form.text("subject_token")) {
        let purpose = match form.text("purpose") {
            "websocket" => Purpose::Websocket,
            _ => Purpose::Person,
        };
        let token = shared.vault.mint(&user, purpose, life);
        return Ok(Minted {
            token,
            life,
            purpose,
        });
    }
    let grant = shared.vault.grant(form.text("subject_token"));
    let grant = grant.ok_or_else(|| Refusal::plain(StatusCode::UNAUTHORIZED))?;
    if grant.purpose != Purpose::Person || form.text("purpose") != "websocket" {
        return Err(Refusal::no_exchange());
    }
    let token = shared.vault.mint(&grant.user, Purpose::Websocket, life);
    Ok(Minted {
        token,
        life,
        purpose: Purpose::Websocket,
    })
}
