//! A client of a token endpoint, and how it proves who it is.

use url::Url;

use super::endpoint::Endpoint;
use super::key::{algorithm, refuse_useless};
use super::pace::{pace, timeout};
use crate::config::defaults;
use crate::config::model::{ClientAuth, ClientProof, KeyFile, OAuthClient};
use crate::config::notes::Noted;
use crate::config::signing::{OF_CLIENTS, Sort};
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
    let algorithm = algorithm(t, OF_CLIENTS);
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
        (None, Some(LiveKey(key))) => {
            refuse_useless(t, (Sort::Pem, &key.text), algorithm, OF_CLIENTS)?;
            Ok(ClientProof::Assertion(KeyFile {
                key,
                algorithm,
                taken: OF_CLIENTS,
                key_id,
            }))
        }
        (None, None) if demand == Proof::Optional => Ok(ClientProof::Public),
        (None, None) => Err(t.lacks(names)),
    }
}
