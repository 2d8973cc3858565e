//! `kind = "trusted-header"`: an authenticating ingress says who it is.

use std::collections::BTreeMap;

use http::HeaderName;
use ipnet::IpNet;

use crate::config::defaults;
use crate::config::model::TrustedHeader;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{HttpHeader, OneOrMore, Positive};
use crate::peer::Believed;

/// The ingress's word.
pub(super) fn trusted_header(t: &mut Table<'_>) -> Result<TrustedHeader, Noted> {
    let peers = peers(t);
    let subject: Result<HttpHeader, _> = t.required(
        "subject",
        "\"x-user\"",
        "The header that carries the subject.",
    );
    let session: Result<Option<HttpHeader>, _> =
        t.optional("session", "The header that carries a stable session id.");
    let claims: Result<Option<BTreeMap<String, HeaderName>>, _> = t.optional(
        "claims",
        "Claims that are one text, each with its name and its header.",
    );
    let lists: Result<Option<BTreeMap<String, HeaderName>>, _> = t.optional(
        "lists",
        "Claims that are lists with commas between, each with its name and its header.",
    );
    let max_age = t.or(
        "max_age",
        Positive(defaults::MAX_AGE),
        "How long a socket lives at the most: nobody tells when such a session ends.",
    );
    if !t.has("session") {
        t.warn(
            "kind",
            "without `session`, all of a person's sessions share their engine sessions: the \
             subject stands in for the session id",
            "write in `session` which header carries a stable session id",
        );
    }
    let HttpHeader(subject) = subject?;
    Ok(TrustedHeader {
        peers: peers?,
        subject,
        session: session?.map(|HttpHeader(name)| name),
        claims: claims?.unwrap_or_default(),
        lists: lists?.unwrap_or_default(),
        max_age: max_age?.0,
    })
}

fn peers(t: &mut Table<'_>) -> Result<Vec<Believed>, Noted> {
    let peers: Result<OneOrMore<Believed>, _> = t.required(
        "peers",
        "[\"10.0.0.0/8\"]",
        "The peers whose headers are believed, networks, \"unix\" or \"certificate\"; from all others they \
         are ignored.",
    );
    let OneOrMore(peers) = peers?;
    let networks = peers.iter().filter_map(|peer| match peer {
        Believed::Network(network) => Some(*network),
        Believed::Certified | Believed::Unix => None,
    });
    if IpNet::aggregate(&networks.collect())
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        let what = "together these networks are everybody";
        return Err(t.refuse("peers", what, "name the ingress's own network"));
    }
    Ok(peers)
}
