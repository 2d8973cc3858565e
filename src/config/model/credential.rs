//! As whom the engine sees them: what each kind of credential is set up from.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretSlice;
use url::Url;

use super::Algorithm;
use super::windows::{
    BearerJwt, ClientCertificate, EngineCertificate, QseowHeader, QseowJwt, QseowService,
};
use crate::config::signing::Taken;
use crate::person::ClaimPath;
use crate::template::Template;

/// As whom the engine sees them.
#[derive(Debug)]
pub enum Credential {
    /// An anonymous user of the tenant a person.
    AnonymousEmbed(AnonymousEmbed),
    /// One API key.
    ApiKey(ApiKey),
    /// A token per person that the proxy signs, for an engine that checks it.
    BearerJwt(BearerJwt),
    /// The engine's own port, opened by a client certificate.
    EngineCertificate(EngineCertificate),
    /// A session of Qlik Cloud per person, opened with a JWT that the proxy signs.
    CloudJwt(Box<CloudJwt>),
    /// The engine asks for nothing.
    None,
    /// A machine client's own token (client credentials).
    OAuthClient(OAuth),
    /// A token per person (user impersonation).
    OAuthImpersonation(Box<OAuthImpersonation>),
    /// The app's own token, passed on to an engine that checks it.
    PassedBearer,
    /// A session at a virtual proxy, opened by a header.
    QseowHeader(QseowHeader),
    /// A session at a virtual proxy, opened by a token.
    QseowJwt(QseowJwt),
    /// A session at a virtual proxy, added through the proxy service.
    QseowSession(QseowService),
    /// A session at a virtual proxy, opened by a ticket.
    QseowTicket(QseowService),
    /// A token per app session, for which the app's own token is exchanged.
    TokenExchange(TokenExchange),
}

impl Credential {
    /// Whether it needs the token that the app's session is.
    #[must_use]
    pub const fn wants_session_token(&self) -> bool {
        matches!(self, Self::PassedBearer | Self::TokenExchange(_))
    }

    /// The certificate that the engine itself wants to see.
    #[must_use]
    pub const fn engine_certificate(&self) -> Option<&ClientCertificate> {
        match self {
            Self::EngineCertificate(config) => Some(&config.certificate),
            _ => None,
        }
    }

    /// The certificate that the proxy service's API wants to see.
    #[must_use]
    pub const fn api_certificate(&self) -> Option<&ClientCertificate> {
        match self {
            Self::QseowSession(config) | Self::QseowTicket(config) => {
                Some(&config.service.certificate)
            }
            _ => None,
        }
    }
}

/// A secret that may change in its file.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What it was when the config was read.
    pub text: SecretSlice<u8>,
    /// Where to read it anew, when it is from a file.
    pub file: Option<PathBuf>,
}

/// A private key that signs tokens, and may change in its file.
#[derive(Debug)]
pub struct KeyFile {
    /// The key, PEM.
    pub key: Secret,
    /// What it signs with; the one that fits the key when it is not said.
    pub algorithm: Option<Algorithm>,
    /// What it may sign with, for whoever checks it takes nothing else.
    pub taken: Taken,
    /// The `kid` of what it signs.
    pub key_id: Option<String>,
}

/// `kind = "api-key"`.
#[derive(Debug)]
pub struct ApiKey {
    /// The key.
    pub key: Secret,
}

/// What both OAuth kinds share.
#[derive(Debug)]
pub struct OAuth {
    /// The client.
    pub client: OAuthClient,
    /// The scope asked for (default `user_default`).
    pub scope: String,
}

/// A client of a token endpoint.
#[derive(Debug)]
pub struct OAuthClient {
    /// The client's id.
    pub id: String,
    /// How it proves who it is.
    pub proof: ClientProof,
    /// The token endpoint; by default `/oauth/token` at the engine's origin. https, or http to
    /// loopback or by setting.
    pub token_url: Url,
    /// How long one fetch may take (default 10 s).
    pub timeout: Duration,
    /// How often it is asked.
    pub pace: Pace,
}

/// How an OAuth client proves who it is.
#[derive(Debug)]
pub enum ClientProof {
    /// By a JWT that it signs (`private_key_jwt`, RFC 7523).
    Assertion(KeyFile),
    /// Not at all: everybody knows a public client's id.
    Public,
    /// By a secret, and where it goes (default: the body, as Qlik documents).
    Secret(Secret, ClientAuth),
}

/// How often a mint is asked for credentials.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Pace {
    /// How many fetches may start in any minute (default 80; Qlik's limit is 100).
    pub per_minute: usize,
    /// The longest that one waits for its turn (default 15 s); who would wait longer is told when
    /// to come again.
    pub queue: Duration,
}

/// Where a client secret goes in a token request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// `Authorization: Basic`.
    Basic,
    /// The request body.
    Body,
}

/// `kind = "oauth-impersonation"`.
#[derive(Debug)]
pub struct OAuthImpersonation {
    /// The client.
    pub oauth: OAuth,
    /// How Qlik looks the person up.
    pub field: LookupField,
    /// The value that is looked up.
    pub value: Template,
    /// How people become users of the tenant, where the proxy sees to it.
    pub provision: Option<Provision>,
}

/// The field of a Qlik user that a lookup compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookupField {
    /// The identity provider's subject.
    Subject,
    /// Qlik's own user id.
    UserId,
}

/// How people become users of the tenant.
#[derive(Debug)]
pub struct Provision {
    /// The client that may administer users: another one than that which impersonates them.
    pub admin: OAuth,
    /// The users' API; by default `/api/v1/users` at the engine's origin.
    pub users_url: Url,
    /// A new user's name.
    pub name: Template,
    /// A new user's address.
    pub email: Option<Template>,
    /// What becomes of users who hold an administrator's role.
    pub admins: Admins,
}

/// What becomes of users who hold an administrator's role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admins {
    /// They are impersonated like everybody.
    Impersonate,
    /// They are refused (default).
    Refuse,
}

/// `kind = "cloud-jwt"`.
#[derive(Debug)]
pub struct CloudJwt {
    /// The issuer, as the tenant's identity provider of type JWT knows it.
    pub issuer: String,
    /// The key whose public half the tenant knows.
    pub key: KeyFile,
    /// Who the person is to the tenant.
    pub subject: Template,
    /// Their name.
    pub name: Template,
    /// Their address.
    pub email: Template,
    /// Where the groups stand that they are in.
    pub groups: Option<ClaimPath>,
    /// Where the session is opened; by default `/login/jwt-session` at the engine's origin.
    pub login_url: Url,
    /// The web integration that the proxy speaks for, where the tenant wants one.
    pub web_integration: Option<String>,
    /// How long a session is used (default 20 min; a tenant's default is 30 min without use).
    pub life: Duration,
    /// How long opening one may take (default 10 s).
    pub timeout: Duration,
    /// How often sessions are opened.
    pub pace: Pace,
}

/// `kind = "token-exchange"`.
#[derive(Debug)]
pub struct TokenExchange {
    /// The client.
    pub client: OAuthClient,
    /// The scope asked for, where one is.
    pub scope: Option<String>,
    /// For whom the token is asked, where that is said (RFC 8693 `audience`).
    pub audience: Option<String>,
    /// How the token is shown to the engine.
    pub shown: Shown,
}

/// How a token is shown to the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// As `Authorization: Bearer`.
    Header,
    /// As `?accessToken=`, after it was asked for with Qlik's `purpose: websocket`.
    Query,
}

/// `kind = "anonymous-embed"`.
#[derive(Debug)]
pub struct AnonymousEmbed {
    /// The client's id.
    pub client_id: String,
    /// The access code of what may be embedded anonymously.
    pub access_code: Secret,
    /// Where tokens are had; by default `/oauth/token/anonymous-embed` at the engine's origin.
    pub token_url: Url,
    /// How the token is shown to the engine.
    pub shown: Shown,
    /// How long one fetch may take (default 10 s).
    pub timeout: Duration,
    /// How often it is asked.
    pub pace: Pace,
}
