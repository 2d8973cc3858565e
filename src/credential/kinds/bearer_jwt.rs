//! `kind = "bearer-jwt"` and `kind = "passed-bearer"`: a token that the proxy signs, or the app's own,
//! for an engine that checks it.

use std::borrow::Cow;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::Source;
use crate::config::BearerJwt;
use crate::credential::error::CredentialError;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::mint::{Mint, Minted, Minting};
use crate::credential::pace::FREE;
use crate::credential::signer::{self, Signer};
use crate::credential::{Lent, bearer};
use crate::template::Target;

/// A token a person.
pub(super) fn source(config: BearerJwt, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let mut who = Who::everybody().filled(config.subject, Target::Json);
    for (_, wording) in &config.token.claims {
        who = who.worded(wording.clone(), Target::Json);
    }
    let mut parts = vec![b"bearer-jwt".to_vec()];
    parts.extend(signer::parts(&config.token));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let signer = Signer::new(&config.token)?;
    let names = config.token.claims.into_iter().map(|(name, _)| name);
    let mint = Signing {
        signer,
        names: std::iter::once("sub".to_owned()).chain(names).collect(),
    };
    let keeper = lent.keepers.keeper(Name::of(&parts), mint, FREE);
    Ok(Source::Kept { keeper, who })
}

/// The token that a person's app session is.
pub(super) fn passed_on() -> Source {
    Source::Made {
        who: Who::everybody().session_token(),
        make: |identity| bearer(identity.value(0)),
    }
}

struct Signing {
    signer: Signer,
    /// What each value of an identity is called.
    names: Vec<String>,
}

impl Signing {
    fn token(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let names = self.names.iter().enumerate();
        let claims = names.map(|(place, name)| (name.clone(), Value::from(identity.value(place))));
        let claims: Map<String, Value> = claims.collect();
        let token = self.signer.sign(claims, SystemTime::now())?;
        Ok(Minted {
            injection: bearer(&token).ok_or(CredentialError::BadSigningKey)?,
            life: self.signer.life(),
        })
    }
}

impl Mint for Signing {
    fn name(&self) -> Cow<'_, str> {
        "the proxy's own signature".into()
    }

    fn is_alone(&self) -> bool {
        true
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(std::future::ready(self.token(identity)))
    }
}
