//! `[route.engine]`: which Qlik?

use std::time::Duration;

use rustls_pki_types::ServerName;
use url::Url;

use crate::config::defaults;
use crate::config::model::{Engine, Flavour};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Authorities, EngineUrl, OrNever, Positive, is_plain};

/// The engine; its URL is left in `found` even when another key is wrong.
pub(super) fn engine(
    t: &mut Table<'_>,
    kind: Flavour,
    found: &mut Option<Url>,
) -> Result<Engine, Noted> {
    let url: Result<EngineUrl, _> = t.required(
        "url",
        "\"https://tenant.eu.qlikcloud.com\"",
        "https://host[:port][/virtual-proxy], or http:// for an engine beside the proxy.",
    );
    let allow_http = allow_http(t);
    let ca: Result<Option<Authorities>, _> = t.optional(
        "ca",
        "A PEM file of the CAs to trust, alone, for this engine and its token endpoint.",
    );
    let server_name: Result<Option<ServerName<'static>>, _> = t.optional(
        "server_name",
        "The name that the engine's certificate carries, when it is not the URL's host.",
    );
    let flavour = flavour(t, kind);
    let (ping, dial_timeout) = habits(flavour);
    let ping = t.or(
        "ping",
        OrNever(ping),
        "How often the engine is pinged; \"never\" where the other side wedges on a ping, as it does \
         where the flavour is \"windows\".",
    );
    let session_ttl = t.or(
        "session_ttl",
        defaults::SESSION_TTL,
        "How long Qlik keeps an engine session for a reconnect.",
    );
    let dial_timeout = t.or(
        "dial_timeout",
        Positive(dial_timeout),
        "How long a dial may take; 30s where the flavour is \"windows\".",
    );
    if let (Ok(Flavour::Windows), Ok(OrNever(Some(_)))) = (&flavour, &ping) {
        t.warn(
            "ping",
            "Qlik's proxy service on Windows wedges on a ping: the next call is never answered",
            "write `ping = \"never\"`, or leave it out",
        );
    }
    let EngineUrl(url) = url?;
    *found = Some(url.clone());
    refuse_plain(t, "url", &url, allow_http)?;
    Ok(Engine {
        url,
        ca: ca?.map(|Authorities(path)| path),
        server_name: server_name?.map(|name| name.to_str().into_owned()),
        ping: ping?.0,
        session_ttl: session_ttl?,
        dial_timeout: dial_timeout?.0,
        flavour: flavour?,
    })
}

fn flavour(t: &mut Table<'_>, kind: Flavour) -> Result<Flavour, Noted> {
    t.or(
        "flavour",
        kind,
        "Who speaks on the engine's side: \"windows\" for the proxy service of Qlik Sense Enterprise \
         on Windows, as with the credentials `qseow-…` by default; \"engine-port\" for its engine's own \
         port, as with `engine-certificate`; \"engine\" for an engine alone. Nothing is compressed \
         towards the first two.",
    )
}

/// How often an engine of a flavour is pinged, and how long its dial may take.
fn habits(flavour: Result<Flavour, Noted>) -> (Option<Duration>, Duration) {
    match flavour {
        Ok(Flavour::Windows) => (defaults::WINDOWS_PING, defaults::WINDOWS_DIAL_TIMEOUT),
        _ => (defaults::PING, defaults::DIAL_TIMEOUT),
    }
}

/// The switch beside every URL that a secret goes to.
pub(super) fn allow_http(t: &mut Table<'_>) -> Result<bool, Noted> {
    t.or(
        "allow_http",
        false,
        "Whether plain http to another machine is meant: whoever is on the way can read it.",
    )
}

/// Notes plain http to another machine, unless it is meant.
pub(super) fn refuse_plain(
    t: &Table<'_>,
    name: &str,
    url: &Url,
    allow_http: Result<bool, Noted>,
) -> Result<(), Noted> {
    if allow_http? || !is_plain(url) {
        return Ok(());
    }
    Err(t.refuse(
        name,
        "plain http to another machine can be read and changed on the way",
        "write https://, or `allow_http = true` in this table if that way is trusted",
    ))
}
