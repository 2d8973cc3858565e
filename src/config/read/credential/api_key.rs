//! `kind = "api-key"`: one key for all.

use crate::config::model::{ApiKey, Credential};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::SecretText;

/// The key.
pub(super) fn api_key(t: &mut Table<'_>) -> Result<Credential, Noted> {
    let key = t.required("key", "{ env = \"QLIK_API_KEY\" }", "The key.");
    let SecretText(key) = key?;
    Ok(Credential::ApiKey(ApiKey { key }))
}
