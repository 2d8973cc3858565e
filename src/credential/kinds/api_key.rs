//! `kind = "api-key"`: one key for all, put into `Authorization`.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::Source;
use crate::config::ApiKey;
use crate::credential::error::CredentialError;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minted, Minting};
use crate::credential::pace::FREE;
use crate::credential::secret::{LiveSecret, is_visible, text};
use crate::credential::{Lent, bearer};

/// How long a key is used before its file is looked at again.
const LOOK: Duration = Duration::from_secs(30);

/// The key itself: there is nothing to fetch, unless it is from a file, which may change.
pub(super) fn source(config: ApiKey, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let key = LiveSecret::new(config.key, is_visible);
    let now = text(&key.last());
    let injection = bearer(now.expose_secret()).ok_or(CredentialError::BadKey)?;
    if !key.can_change() {
        return Ok(Source::fixed(injection));
    }
    let name = Name::of(&[b"api-key", now.expose_secret().as_bytes()]);
    Ok(Source::Kept {
        keeper: lent.keepers.keeper(name, KeyFile(key), FREE),
        who: Who::everybody(),
    })
}

struct KeyFile(LiveSecret);

impl Mint for KeyFile {
    fn name(&self) -> Cow<'_, str> {
        "the API key's file".into()
    }

    fn mint<'a>(&'a self, _: &'a Identity) -> Minting<'a> {
        Box::pin(async {
            let key = self.0.text().await;
            let injection = bearer(key.expose_secret()).ok_or(CredentialError::BadKey)?;
            let life = LOOK;
            Ok(Minted { injection, life })
        })
    }
}
