//! `kind = "bearer-jwt"` and `kind = "passed-bearer"`: a token that the proxy signs, or the app's own,
//! for an engine that checks it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Source;
use crate::config::BearerJwt;
use crate::credential::attributes::Attributes;
use crate::credential::error::CredentialError;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::key_file::LiveSigner;
use crate::credential::mint::{Mint, Minted, Minting};
use crate::credential::pace::FREE;
use crate::credential::{Lent, bearer};
use crate::template::Target;

/// Where the values stand in an identity.
const SUBJECT: usize = 0;
const BESIDES: usize = 1;

/// A token a person.
pub(super) fn source(config: BearerJwt, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let who = Who::everybody().filled(config.subject, Target::Json);
    let who = Attributes::add_to(who, &config.token.claims);
    let signer = LiveSigner::of_token(&config.token)?;
    let claims = format!("{:?}", config.token.claims);
    let name = Name::of(&[b"bearer-jwt", &signer.identity(), claims.as_bytes()]);
    let mint = Signing {
        signer,
        besides: Attributes::new(&config.token.claims, BESIDES),
    };
    // Whoever asks nobody has no pace to keep.
    let keeper = lent.keepers.keeper(name, mint, FREE);
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
    signer: LiveSigner,
    /// What the token says besides the subject.
    besides: Attributes,
}

impl Signing {
    async fn token(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let besides = self.besides.of(identity);
        let besides = besides.map(|(name, value)| (name.to_owned(), value));
        let mut claims: Map<String, Value> = besides.collect();
        claims.insert("sub".to_owned(), identity.value(SUBJECT).into());
        let token = self.signer.sign(claims).await?;
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
        Box::pin(self.token(identity))
    }
}
