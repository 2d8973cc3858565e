//! The credentials of Qlik Sense Enterprise on Windows.

use url::Url;

use super::signed::signed;
use crate::config::defaults;
use crate::config::model::{
    ClientCertificate, Credential, EngineCertificate, ProxyService, ProxySession, QseowHeader,
    QseowJwt, QseowService, WindowsUser, Wording,
};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Certificate, HttpHeader, Positive, PrivateKey, WebUrl, is_plain};
use crate::config::values::{CookieName, Origin};
use crate::person::ClaimPath;
use crate::template::{Target, Template};

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
    let session = session(t, engine);
    let (user_attribute, directory_attribute) = (user_attribute?, directory_attribute?);
    let token = token?;
    for (name, _) in &token.claims {
        if *name == user_attribute || *name == directory_attribute {
            return Err(t.refuse(
                "claims",
                format!("{name:?} says who it is, and that is not said twice"),
                "leave it out of `claims`, and write `user` and `user_directory`",
            ));
        }
    }
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
    let session = session(t, engine);
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
    let session = session(t, engine);
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
    let (Certificate(certificate), PrivateKey(key)) = (certificate?, key?);
    Ok(ClientCertificate { certificate, key })
}

fn session(t: &mut Table<'_>, engine: Result<&Url, Noted>) -> Result<ProxySession, Noted> {
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
    Ok(ProxySession {
        url: engine?.clone(),
        cookie: cookie?,
        origin: origin?,
        life: life?.0,
        timeout: timeout?.0,
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
