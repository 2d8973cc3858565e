//! A client of a token endpoint, and how it proves who it is.

use url::Url;

use super::endpoint::Endpoint;
use super::pace::{pace, timeout};
use crate::config::defaults;
use crate::config::model::{Algorithm, ClientAuth, ClientProof, KeyFile, OAuthClient};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{LiveKey, LiveSecret};

const TOKEN: Endpoint = Endpoint {
    key: "token_url",
    doc: "The token endpoint; by default /oauth/token at the engine's origin.",
    path: defaults::TOKEN_PATH,
};

/// Whether a client may do without a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    /// It may not.
    Demanded,
    /// It may: it is a public client then.
    Optional,
}

/// A client, its endpoint, and how often that is asked.
pub(super) fn client(
    t: &mut Table<'_>,
    engine: Result<&Url, Noted>,
    demand: Proof,
) -> Result<OAuthClient, Noted> {
    let id = t.required("client_id", "\"…\"", "The OAuth client's id.");
    let proof = proof(t, demand);
    let token_url = TOKEN.read(t, engine);
    let timeout = timeout(t);
    let pace = pace(t);
    Ok(OAuthClient {
        id: id?,
        proof: proof?,
        token_url: token_url?,
        timeout: timeout?,
        pace: pace?,
    })
}

fn proof(t: &mut Table<'_>, demand: Proof) -> Result<ClientProof, Noted> {
    let secret: Result<Option<LiveSecret>, _> =
        t.optional("client_secret", "The OAuth client's secret.");
    let auth: Result<ClientAuth, _> = t.or(
        "client_auth",
        defaults::CLIENT_AUTH,
        "Where the secret goes: the \"body\", as Qlik documents, or a \"basic\" header.",
    );
    let key: Result<Option<LiveKey>, _> = t.optional(
        "signing_key",
        "Instead of a secret: the private key, PEM, that signs the client's assertions \
         (private_key_jwt).",
    );
    let algorithm = algorithm(t, &CLIENTS);
    let key_id = t.optional("key_id", "The `kid` of what `signing_key` signs.");
    t.only_with("key_id", "signing_key");
    t.only_with("client_auth", "client_secret");
    let names = &["client_secret", "signing_key"];
    if demand == Proof::Demanded {
        t.exactly_one(names)?;
    } else {
        t.at_most_one(names)?;
    }
    let (auth, algorithm, key_id) = (auth?, algorithm?, key_id?);
    match (secret?, key?) {
        (Some(LiveSecret(secret)), _) => Ok(ClientProof::Secret(secret, auth)),
        (None, Some(LiveKey(key))) => Ok(ClientProof::Assertion(KeyFile {
            key,
            algorithm,
            key_id,
        })),
        (None, None) if demand == Proof::Optional => Ok(ClientProof::Public),
        (None, None) => Err(t.lacks(names)),
    }
}

/// What the table's `signing_key` signs with, which is one of `taken`.
pub(super) fn algorithm(
    t: &mut Table<'_>,
    taken: &[(Algorithm, &str)],
) -> Result<Option<Algorithm>, Noted> {
    let algorithm: Result<Option<Algorithm>, _> = t.optional(
        "algorithm",
        "What `signing_key` signs with; the one that fits it when it is not said.",
    );
    t.only_with("algorithm", "signing_key");
    let algorithm = algorithm?;
    if algorithm.is_some_and(|said| taken.iter().all(|(taken, _)| *taken != said)) {
        let what = "Qlik takes no such signatures";
        let names: Vec<String> = taken
            .iter()
            .map(|(_, name)| format!("\"{name}\""))
            .collect();
        return Err(t.refuse("algorithm", what, format!("write {}", names.join(", "))));
    }
    Ok(algorithm)
}

/// What a key of an OAuth client can sign with.
const CLIENTS: [(Algorithm, &str); 3] = [
    (Algorithm::RS256, "RS256"),
    (Algorithm::RS512, "RS512"),
    (Algorithm::ES384, "ES384"),
];
