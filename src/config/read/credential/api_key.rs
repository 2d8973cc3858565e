//! `kind = "api-key"`: one key for all.

use super::shared::demand_shared;
use crate::config::model::{ApiKey, Credential};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::LiveSecret;

/// The key.
pub(super) fn api_key(t: &mut Table<'_>) -> Result<Credential, Noted> {
    let key = t.required("key", "{ env = \"QLIK_API_KEY\" }", "The key.");
    let shared = demand_shared(t);
    let LiveSecret(key) = key?;
    shared?;
    Ok(Credential::ApiKey(ApiKey { key }))
}
