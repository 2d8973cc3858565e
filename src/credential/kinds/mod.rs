//! The kinds of credentials, each in a file of its own: what it is set up from, what goes into it,
//! how it is made.

mod anonymous_embed;
mod api_key;
mod bearer_jwt;
mod certificate;
mod cloud_jwt;
mod cookie_jar;
mod oauth;
mod qseow;
mod token_exchange;
mod users;

use std::sync::Arc;

use super::error::CredentialError;
use super::identity::{Identity, Who};
use super::keeper::Keeper;
use super::{Credential, Lent};
use crate::config;
use crate::injection::Injection;

/// Where the credentials of a route come from.
#[derive(Debug)]
pub(super) enum Source {
    /// There is one, and nothing to fetch.
    Fixed(Credential),
    /// They are made for an identity and kept.
    Kept {
        /// Who keeps them.
        keeper: Arc<Keeper>,
        /// What of a person goes in.
        who: Who,
    },
    /// They are made of the person's values on the spot.
    Made {
        /// What of a person goes in.
        who: Who,
        /// How; `None` where no header could carry it.
        make: fn(&Identity) -> Option<Injection>,
    },
}

impl Source {
    /// Prepares the source that the config asks for.
    pub(super) fn new(
        credential: config::Credential,
        lent: Lent<'_>,
    ) -> Result<Self, CredentialError> {
        match credential {
            config::Credential::AnonymousEmbed(config) => Ok(anonymous_embed::source(config, lent)),
            config::Credential::ApiKey(config) => api_key::source(config, lent),
            config::Credential::BearerJwt(config) => bearer_jwt::source(config, lent),
            config::Credential::CloudJwt(config) => cloud_jwt::source(*config, lent),
            config::Credential::EngineCertificate(config) => Ok(certificate::source(&config)),
            config::Credential::None => Ok(Self::fixed(Injection::nothing())),
            config::Credential::OAuthClient(config) => oauth::client(config, lent),
            config::Credential::OAuthImpersonation(config) => oauth::impersonation(*config, lent),
            config::Credential::PassedBearer => Ok(bearer_jwt::passed_on()),
            config::Credential::QseowHeader(config) => qseow::header(config, lent),
            config::Credential::QseowJwt(config) => qseow::jwt(config, lent),
            config::Credential::QseowSession(config) => qseow::session(config, lent),
            config::Credential::QseowTicket(config) => qseow::ticket(config, lent),
            config::Credential::TokenExchange(config) => token_exchange::source(config, lent),
        }
    }

    fn fixed(injection: Injection) -> Self {
        Self::Fixed(Credential::fixed(injection))
    }
}
