//! As whom the engine sees them: what each kind of credential is set up from.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::windows::{
    BearerJwt, ClientCertificate, EngineCertificate, QseowHeader, QseowJwt, QseowService,
};
use crate::template::Template;

/// As whom the engine sees them.
#[derive(Debug)]
pub enum Credential {
    /// One API key.
    ApiKey(ApiKey),
    /// A token per person that the proxy signs, for an engine that checks it.
    BearerJwt(BearerJwt),
    /// The engine's own port, opened by a client certificate.
    EngineCertificate(EngineCertificate),
    /// The engine asks for nothing.
    None,
    /// A machine client's own token (client credentials).
    OAuthClient(OAuth),
    /// A token per person (user impersonation).
    OAuthImpersonation(OAuthImpersonation),
    /// A session at a virtual proxy, opened by a header.
    QseowHeader(QseowHeader),
    /// A session at a virtual proxy, opened by a token.
    QseowJwt(QseowJwt),
    /// A session at a virtual proxy, added through the proxy service.
    QseowSession(QseowService),
    /// A session at a virtual proxy, opened by a ticket.
    QseowTicket(QseowService),
}

impl Credential {
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

/// `kind = "api-key"`.
#[derive(Debug)]
pub struct ApiKey {
    /// The key.
    pub key: SecretString,
}

/// What both OAuth kinds share.
#[derive(Debug)]
pub struct OAuth {
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Where the secret goes (default: the body, as Qlik documents).
    pub client_auth: ClientAuth,
    /// The token endpoint; by default `/oauth/token` at the engine's origin. https, or http to
    /// loopback or by setting.
    pub token_url: Url,
    /// The scope asked for (default `user_default`).
    pub scope: String,
    /// How long one fetch may take (default 10 s).
    pub timeout: Duration,
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
}

/// The field of a Qlik user that a lookup compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookupField {
    /// The identity provider's subject.
    Subject,
    /// Qlik's own user id.
    UserId,
}
