//! As whom the engine sees them: what each kind of credential is set up from.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::template::Template;

/// As whom the engine sees them.
#[derive(Debug)]
pub enum Credential {
    /// One API key.
    ApiKey(ApiKey),
    /// The engine asks for nothing.
    None,
    /// A machine client's own token (client credentials).
    OAuthClient(OAuth),
    /// A token per person (user impersonation).
    OAuthImpersonation(OAuthImpersonation),
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
