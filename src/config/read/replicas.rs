//! `[replicas]`: the Redis that several proxies share.

use super::redis_server::redis_server;
use crate::config::defaults;
use crate::config::model::Replicas;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{LongSecret, OneOrMany};

/// The Redis that several proxies share.
pub(super) fn replicas(t: &mut Table<'_>) -> Result<Replicas, Noted> {
    let server = redis_server(t);
    let prefix = t.or(
        "prefix",
        defaults::REPLICAS_PREFIX.to_owned(),
        "What every key of the proxies begins with; proxies of the same identity key, Redis and \
         prefix are replicas of each other.",
    );
    let keys: Result<Option<OneOrMany<LongSecret>>, _> = t.optional(
        "credential_keys",
        "With it replicas share what they fetch at Qlik, sealed under the first of these secrets of \
         32 bytes or more, the same on all; the others still open what lies there.",
    );
    let (keys, prefix) = (keys?, prefix?);
    let keys = keys.map_or(Vec::new(), |OneOrMany(keys)| keys);
    Ok(Replicas {
        server: server?,
        prefix,
        credential_keys: keys.into_iter().map(|LongSecret(key)| key).collect(),
    })
}
