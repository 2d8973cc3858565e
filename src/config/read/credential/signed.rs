//! Tokens that the proxy signs, and `kind = "bearer-jwt"`, which is nothing else.

use super::attributes::{Key, attributes};
use super::key::refuse_useless;
use crate::config::defaults;
use crate::config::model::{Algorithm, Attributes, BearerJwt, Credential, SignedToken, SigningKey};
use crate::config::notes::Noted;
use crate::config::signing::{ANY, Sort};
use crate::config::table::Table;
use crate::config::value::{LiveKey, LiveLong, Positive};
use crate::template::Template;

/// What the proxy itself says in a token.
const OURS: [&str; 4] = ["exp", "iat", "jti", "nbf"];

const CLAIMS: Key = (
    "claims",
    "What the token says besides, each a text in which claims of the app's session stand between \
     braces.",
);
const LISTS: Key = (
    "list_claims",
    "What it says besides in lists, such as groups: each a claim of the app's session, by name or \
     JSON pointer, that is a list of texts.",
);

/// A token per person, for an engine that checks it.
pub(super) fn bearer(t: &mut Table<'_>) -> Result<Credential, Noted> {
    let subject: Result<Template, _> = t.required(
        "subject",
        "\"{sub}\"",
        "The token's `sub`, made of claims between braces.",
    );
    let token = signed(t)?;
    Ok(Credential::BearerJwt(BearerJwt {
        subject: subject?,
        token,
    }))
}

/// A token.
pub(super) fn signed(t: &mut Table<'_>) -> Result<SignedToken, Noted> {
    let key = key(t);
    let algorithm: Result<Option<Algorithm>, _> = t.optional(
        "algorithm",
        "The token's `alg`; the one that fits the key when left out: RS256, ES256, ES384, EdDSA or \
         HS256.",
    );
    let key_id: Result<Option<String>, _> = t.optional("key_id", "The token's `kid`.");
    let claims = attributes(t, CLAIMS, LISTS);
    let life = t.or(
        "token_life",
        Positive(defaults::SIGNED_LIFE),
        "How long a token is good.",
    );
    let claims = claims.and_then(|claims| {
        refuse_names(t, &claims, &OURS, "is said by the proxy itself")?;
        Ok(claims)
    });
    let (key, algorithm) = (key?, algorithm?);
    let tried = match &key {
        SigningKey::Pem(pem) => (Sort::Pem, &pem.text),
        SigningKey::Shared(secret) => (Sort::Shared, &secret.text),
    };
    refuse_useless(t, tried, algorithm, ANY)?;
    Ok(SignedToken {
        key,
        algorithm,
        key_id: key_id?,
        claims: claims?,
        life: life?.0,
    })
}

/// Notes that a name among what is said is spoken for.
pub(super) fn refuse_names(
    t: &Table<'_>,
    claims: &Attributes,
    taken: &[&str],
    why: &str,
) -> Result<(), Noted> {
    let texts = claims.texts.iter().map(|(name, _)| (CLAIMS.0, name));
    let lists = claims.lists.iter().map(|(name, _)| (LISTS.0, name));
    match texts
        .chain(lists)
        .find(|(_, name)| taken.contains(&name.as_str()))
    {
        Some((key, name)) => {
            let what = format!("`{name}` {why}");
            Err(t.refuse(key, what, format!("leave `{name}` out")))
        }
        None => Ok(()),
    }
}

fn key(t: &mut Table<'_>) -> Result<SigningKey, Noted> {
    let pem: Result<Option<LiveKey>, _> = t.optional(
        "signing_key",
        "The private key that signs, in PEM, { file = \"…\" } or { env = \"…\" }.",
    );
    let secret: Result<Option<LiveLong>, _> = t.optional(
        "signing_secret",
        "Instead: the shared secret of the HS algorithms, 32 bytes or more.",
    );
    let names = &["signing_key", "signing_secret"];
    t.exactly_one(names)?;
    let pem = pem?.map(|LiveKey(pem)| SigningKey::Pem(pem));
    let secret = secret?.map(|LiveLong(secret)| SigningKey::Shared(secret));
    pem.or(secret).ok_or_else(|| t.lacks(names))
}
