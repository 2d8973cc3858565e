//! The credentials of Qlik Sense Enterprise on Windows.

use std::time::Duration;

use url::Url;

use super::attributes::{Key, attributes};
use super::pace::{Rate, pace_of};
use super::signed::{refuse_names, signed};
use crate::config::defaults;
use crate::config::model::{
    ClientCertificate, Credential, EngineCertificate, ProxyService, ProxySession, QseowHeader,
    QseowJwt, QseowService, WindowsUser, Wording,
};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{
    Certificate, HttpHeader, OrNever, Positive, PrivateKey, WebUrl, is_plain, pair,
};
use crate::config::values::{CookieName, Origin};
use crate::person::ClaimPath;
use crate::template::{Target, Template};

const ATTRIBUTES: Key = (
    "attributes",
    "What Qlik is told of the person besides, for its own rules: each a text in which claims of the \
     app's session stand between braces.",
);
const LISTS: Key = (
    "list_attributes",
    "What it is told besides in lists, such as groups: each a claim of the app's session, by name or \
     JSON pointer, that is a list of texts.",
);
/// How often sessions are opened.
const SESSIONS: Rate = (
    defaults::SESSIONS_PER_MINUTE,
    "How many people's sessions may be asked for in any minute, so that many who come at once are no \
     storm for Qlik's proxy service.",
);

/// A token per person opens a session.
pub(super) fn jwt(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    let user = user(t);
    let user_attribute = t.or(
        "user_attribute",
        defaults::USER_ATTRIBUTE.to_owned(),
        "The virtual proxy's \"JWT attribute for user ID\".",
    );
    let directory_attribute = t.or(
        "directory_attribute",
        defaults::DIRECTORY_ATTRIBUTE.to_owned(),
        "The virtual proxy's \"JWT attribute for user directory\".",
    );
    let token = signed(t);
    let bearer_on_upgrade = t.or(
        "bearer_on_upgrade",
        false,
        "Whether the websocket carries the token besides the session's cookie: releases before \
         November 2024 want it, later ones refuse it.",
    );
    let session = session(t, engine, ALL_OF_THEM);
    let (user_attribute, directory_attribute) = (user_attribute?, directory_attribute?);
    let token = token?;
    let who = [user_attribute.as_str(), directory_attribute.as_str()];
    refuse_names(
        t,
        &token.claims,
        &who,
        "says who it is, as `user` and `user_directory` do",
    )?;
    Ok(Credential::QseowJwt(QseowJwt {
        session: session?,
        user: user?,
        user_attribute,
        directory_attribute,
        token,
        bearer_on_upgrade: bearer_on_upgrade?,
    }))
}

/// A header per person opens a session.
pub(super) fn header(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    let header: Result<HttpHeader, _> = t.required(
        "header",
        "\"x-qlik-user-header\"",
        "The header by which the virtual proxy knows people.",
    );
    let id = id(t);
    let one = t.at_most_one(DIRECTORY);
    let directory = directory(t);
    let session = session(t, engine, ALL_OF_THEM);
    one?;
    let HttpHeader(header) = header?;
    Ok(Credential::QseowHeader(QseowHeader {
        session: session?,
        header,
        directory: directory?,
        id: id?,
    }))
}

/// A ticket per person opens a session.
pub(super) fn ticket(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    service(t, engine).map(Credential::QseowTicket)
}

/// A session per person is added.
pub(super) fn added(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<Credential, Noted> {
    service(t, engine).map(Credential::QseowSession)
}

/// The engine's own port.
pub(super) fn certificate(t: &mut Table<'_>) -> Result<Credential, Noted> {
    let user = user(t);
    let certificate = client_certificate(t);
    Ok(Credential::EngineCertificate(EngineCertificate {
        user: user?,
        certificate: certificate?,
    }))
}

fn service(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<QseowService, Noted> {
    let user = user(t);
    let url: Result<Option<WebUrl>, _> = t.optional(
        "api_url",
        "The proxy service's API; by default port 4243 of the engine's host.",
    );
    let certificate = client_certificate(t);
    let session = session(t, engine, IT_ALONE);
    let attributes = attributes(t, ATTRIBUTES, LISTS);
    let (user, certificate) = (user?, certificate?);
    let url = match url? {
        Some(WebUrl(url)) => url,
        None => default_api(engine?),
    };
    if is_plain(&url) {
        let what = "plain http to another machine can be read and changed on the way";
        return Err(t.refuse("api_url", what, "write https://"));
    }
    Ok(QseowService {
        session: session?,
        user,
        attributes: attributes?,
        service: ProxyService { url, certificate },
    })
}

fn default_api(engine: &Url) -> Url {
    let mut url = engine.clone();
    url.set_path("/");
    // Both are http or https, which take any port and each other's place.
    let _ = url.set_scheme("https");
    let _ = url.set_port(Some(defaults::PROXY_SERVICE_PORT));
    url
}

fn client_certificate(t: &mut Table<'_>) -> Result<ClientCertificate, Noted> {
    let certificate: Result<Certificate, _> = t.required(
        "certificate",
        "\"certs/client.pem\"",
        "The client's certificate that the QMC exports.",
    );
    let key: Result<PrivateKey, _> = t.required(
        "key",
        "\"certs/client_key.pem\"",
        "Its key. It opens all of Qlik as anybody: the strongest secret there is.",
    );
    let (certificate, key) = pair(t, certificate?, key?)?;
    Ok(ClientCertificate { certificate, key })
}

/// How a kind's sessions are ended: the default, and what is said of it.
type Farewell = (Option<Duration>, &'static str);

const IT_ALONE: Farewell = (
    defaults::SESSION_LINGER,
    "How long the session is kept after the person's last socket and then ended at Qlik, at once when \
     the proxy stops; \"never\" leaves it to the virtual proxy's inactivity timeout. Where replicas \
     share credentials it is always left to that.",
);
const ALL_OF_THEM: Farewell = (
    None,
    "How long the session is kept after the person's last socket before they are logged out at Qlik, at \
     once when the proxy stops. That ends all their sessions at this virtual proxy, so it is meant for \
     one proxy process alone on a virtual proxy of its own; \"never\" leaves them to its inactivity \
     timeout.",
);

fn session(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
    (linger, about_linger): Farewell,
) -> Result<ProxySession, Noted> {
    let cookie: Result<Option<CookieName>, _> = t.optional(
        "session_cookie",
        "The virtual proxy's session cookie; one that begins with X-Qlik-Session when left out.",
    );
    let origin: Result<Option<Origin>, _> = t.optional(
        "origin",
        "The Origin that the engine is shown; the virtual proxy's Host allow list must have its \
         host. The engine's own when left out.",
    );
    let life = t.or(
        "session_life",
        Positive(defaults::PROXY_SESSION_LIFE),
        "How long a session is used before it is looked after; less than the virtual proxy's \
         inactivity timeout.",
    );
    let timeout = t.or(
        "timeout",
        Positive(defaults::PROXY_SESSION_TIMEOUT),
        "How long each request for a session may take; a cold start takes 20 seconds.",
    );
    let linger = t.or("session_linger", OrNever(linger), about_linger);
    let pace = pace_of(t, SESSIONS);
    Ok(ProxySession {
        url: engine?.clone(),
        cookie: cookie?,
        origin: origin?,
        life: life?.0,
        timeout: timeout?.0,
        linger: linger?.0,
        pace: pace?,
    })
}

fn user(t: &mut Table<'_>) -> Result<WindowsUser, Noted> {
    let id = id(t);
    let one = t.exactly_one(DIRECTORY);
    let directory = directory(t);
    one?;
    let directory = directory?.ok_or_else(|| t.lacks(DIRECTORY))?;
    Ok(WindowsUser { directory, id: id? })
}

fn id(t: &mut Table<'_>) -> Result<Template, Noted> {
    t.required(
        "user",
        "\"{sub}\"",
        "The user's id at Qlik, made of claims between braces.",
    )
}

const DIRECTORY: &[&str; 2] = &["user_directory", "user_directory_claim"];

fn directory(t: &mut Table<'_>) -> Result<Option<Wording>, Noted> {
    let fixed: Result<Option<String>, _> =
        t.optional("user_directory", "The user directory of everybody.");
    let claim: Result<Option<ClaimPath>, _> = t.optional(
        "user_directory_claim",
        "Instead: the claim that names a person's user directory. Whoever can choose it chooses \
         whose id theirs is.",
    );
    let fixed = fixed?;
    if let Some(text) = &fixed
        && let Err(flaw) = Target::QlikUser.check(text)
    {
        let what = format!("this user directory {flaw}");
        return Err(t.refuse("user_directory", what, "write the name of a user directory"));
    }
    let claimed = claim?.map(|claim| Wording::Filled(Template::claim(claim)));
    Ok(fixed.map(Wording::Fixed).or(claimed))
}
