//! Keys that sign: each must be able to, in a way that whoever checks the signature takes.

use secrecy::{ExposeSecret, SecretSlice};

use crate::config::model::Algorithm;
use crate::config::notes::Noted;
use crate::config::signing::{Sort, Taken, ready};
use crate::config::table::Table;

/// What the table's `signing_key` signs with, which is one of `taken`.
pub(super) fn algorithm(t: &mut Table<'_>, taken: Taken) -> Result<Option<Algorithm>, Noted> {
    let algorithm: Result<Option<Algorithm>, _> = t.optional(
        "algorithm",
        "What `signing_key` signs with; the one that fits it when it is not said.",
    );
    t.only_with("algorithm", "signing_key");
    let algorithm = algorithm?;
    if algorithm.is_some_and(|said| !taken.contains(&said)) {
        let what = "Qlik takes no such signatures";
        let names: Vec<String> = taken.iter().map(|it| format!("\"{it:?}\"")).collect();
        return Err(t.refuse("algorithm", what, format!("write {}", names.join(", "))));
    }
    Ok(algorithm)
}

/// Notes a key that cannot sign: with what is said, or with anything that is taken.
pub(super) fn refuse_useless(
    t: &Table<'_>,
    (sort, key): (Sort, &SecretSlice<u8>),
    said: Option<Algorithm>,
    taken: Taken,
) -> Result<(), Noted> {
    if ready(sort, key.expose_secret(), said, taken).is_some() {
        return Ok(());
    }
    let what = match said {
        Some(said) => format!("this key cannot sign with {said:?}"),
        None => "no signature of such a key is taken".to_owned(),
    };
    let wanted = said.as_slice();
    let wanted = if wanted.is_empty() { taken } else { wanted };
    let name = match sort {
        Sort::Pem => "signing_key",
        Sort::Shared => "signing_secret",
    };
    Err(t.refuse(name, what, instead(wanted)))
}

/// Which keys would do.
fn instead(wanted: &[Algorithm]) -> String {
    let mut keys: Vec<&str> = wanted.iter().map(|algorithm| key_for(*algorithm)).collect();
    keys.dedup();
    format!("give {}", keys.join(" or "))
}

fn key_for(algorithm: Algorithm) -> &'static str {
    use Algorithm as A;
    match algorithm {
        A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512 => "an RSA key",
        A::ES256 => "an EC key on P-256 (PKCS#8)",
        A::ES384 => "an EC key on P-384 (PKCS#8)",
        A::EdDSA => "an Ed25519 key",
        A::HS256 | A::HS384 | A::HS512 => "a `signing_secret`",
    }
}
