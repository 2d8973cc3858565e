//! `[replicas]`: the Redis that several proxies share.

use super::redis_server::redis_server;
use crate::config::defaults;
use crate::config::model::Replicas;
use crate::config::notes::Noted;
use crate::config::table::Table;

/// The Redis that several proxies share.
pub(super) fn replicas(t: &mut Table<'_>) -> Result<Replicas, Noted> {
    let server = redis_server(t);
    let prefix = t.or(
        "prefix",
        defaults::REPLICAS_PREFIX.to_owned(),
        "What every key of the proxies begins with; proxies of the same identity key, Redis and \
         prefix are replicas of each other.",
    );
    Ok(Replicas {
        server: server?,
        prefix: prefix?,
    })
}
