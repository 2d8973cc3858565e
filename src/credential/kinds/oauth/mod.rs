//! `kind = "oauth-client"` and `kind = "oauth-impersonation"`: a token of the client's own, or one
//! a person, from the tenant's token endpoint.

mod endpoint;
mod wire;

use self::endpoint::Endpoint;
use super::Source;
use crate::config::{LookupField, OAuth, OAuthImpersonation};
use crate::credential::Lent;
use crate::credential::identity::Who;
use crate::template::Target;

/// One token for all.
pub(super) fn client(config: OAuth, lent: Lent<'_>) -> Source {
    kept(config, Who::everybody(), lent)
}

/// A token per person: the field that is looked up, and its value.
pub(super) fn impersonation(config: OAuthImpersonation, lent: Lent<'_>) -> Source {
    let field = match config.field {
        LookupField::Subject => "subject",
        LookupField::UserId => "userId",
    };
    let who = Who::everybody()
        .fixed(field)
        .filled(config.value, Target::Json);
    kept(config.oauth, who, lent)
}

fn kept(oauth: OAuth, who: Who, lent: Lent<'_>) -> Source {
    let endpoint = Endpoint::new(oauth, lent.http.clone());
    let keeper = lent.keepers.keeper(endpoint.name(lent.trust), endpoint);
    Source::Kept { keeper, who }
}
