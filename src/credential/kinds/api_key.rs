//! `kind = "api-key"`: one key for all, put into `Authorization`.

use secrecy::ExposeSecret;

use super::Source;
use crate::config::ApiKey;
use crate::credential::bearer;
use crate::credential::error::CredentialError;

/// The key itself; there is nothing to fetch.
pub(super) fn source(config: &ApiKey) -> Result<Source, CredentialError> {
    let key = bearer(config.key.expose_secret()).ok_or(CredentialError::BadKey)?;
    Ok(Source::fixed(key))
}
