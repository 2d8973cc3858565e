//! `kind = "cloud-jwt"`: a session of Qlik Cloud per person, opened with a signed JWT.

use url::Url;

use super::endpoint::Endpoint;
use super::key::{algorithm, refuse_useless};
use super::pace::{pace, timeout};
use crate::config::defaults;
use crate::config::model::{CloudJwt, Credential, KeyFile};
use crate::config::notes::Noted;
use crate::config::signing::{OF_PROVIDERS, Sort};
use crate::config::table::Table;
use crate::config::value::{LiveKey, Positive};
use crate::person::ClaimPath;
use crate::template::Template;

const LOGIN: Endpoint = Endpoint {
    key: "login_url",
    doc: "Where sessions are opened; by default /login/jwt-session at the engine's origin.",
    path: defaults::LOGIN_PATH,
};

/// The issuer, the key, and what is said of a person.
pub(super) fn cloud_jwt(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
) -> Result<Credential, Noted> {
    let issuer = t.required(
        "issuer",
        "\"https://app.example.com\"",
        "The issuer, as the tenant's JWT identity provider knows it.",
    );
    let key = t.required(
        "signing_key",
        "{ file = \"/run/secrets/qlik-jwt-key.pem\" }",
        "The private key, PEM, whose public half that identity provider knows.",
    );
    let algorithm = algorithm(t, OF_PROVIDERS);
    let key_id: Result<String, _> = t.required(
        "key_id",
        "\"key-1\"",
        "The `kid` by which that identity provider finds the public key.",
    );
    let said = said(t);
    let login_url = LOGIN.read(t, engine);
    let web_integration = t.optional(
        "web_integration_id",
        "The web integration to speak for, where the tenant wants one.",
    );
    let life = t.or(
        "session_life",
        Positive(defaults::CLOUD_SESSION_LIFE),
        "How long a session is used; below the tenant's time-out without use, which is 30 min.",
    );
    let (timeout, pace) = (timeout(t), pace(t));
    let (LiveKey(key), said) = (key?, said?);
    let algorithm = algorithm?;
    refuse_useless(t, (Sort::Pem, &key.text), algorithm, OF_PROVIDERS)?;
    let key = KeyFile {
        key,
        algorithm,
        taken: OF_PROVIDERS,
        key_id: Some(key_id?),
    };
    Ok(Credential::CloudJwt(Box::new(CloudJwt {
        issuer: issuer?,
        key,
        subject: said.subject,
        name: said.name,
        email: said.email,
        groups: said.groups,
        login_url: login_url?,
        web_integration: web_integration?,
        life: life?.0,
        timeout: timeout?,
        pace: pace?,
    })))
}

/// What is said of a person.
struct Said {
    subject: Template,
    name: Template,
    email: Template,
    groups: Option<ClaimPath>,
}

fn said(t: &mut Table<'_>) -> Result<Said, Noted> {
    let subject = t.required(
        "subject",
        "\"{sub}\"",
        "Who the person is to the tenant, made of claims.",
    );
    let name = t.required("name", "\"{name}\"", "The person's name, made of claims.");
    let email = t.required(
        "email",
        "\"{email}\"",
        "The person's address, made of claims; `email` counts only with `email_verified`.",
    );
    let groups = t.optional(
        "groups_claim",
        "The claim that lists the person's groups, by name or JSON pointer.",
    );
    Ok(Said {
        subject: subject?,
        name: name?,
        email: email?,
        groups: groups?,
    })
}
