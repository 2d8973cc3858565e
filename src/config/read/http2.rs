//! HTTP/2 at the public door.

use crate::config::defaults;
use crate::config::model::Http2;
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Count, Positive};

/// No browser opens more, and each may hold a window's worth of bytes.
const MOST: u32 = 1000;

/// Reads the table of `[listen]`, and warns where it is written and says nothing.
pub(super) fn of_listen(t: &mut Table<'_>) -> Result<Option<Http2>, Noted> {
    let plain = !t.has("tls");
    let doc = "HTTP/2 on the public door, which only TLS leads to.";
    t.table("http2", doc, |t| {
        if plain {
            warn_without_tls(t);
        }
        http2(t)
    })
}

/// `None` where it is not to be offered.
fn http2(t: &mut Table<'_>) -> Result<Option<Http2>, Noted> {
    let offer = t.or(
        "offer",
        defaults::HTTP2_OFFER,
        "Whether clients may choose HTTP/2; a browser then opens its websockets over the connection \
         that it has (RFC 8441).",
    );
    let streams = t.or(
        "streams",
        Count(defaults::HTTP2_STREAMS),
        "How many requests and websockets one connection may carry at once.",
    );
    let idle = t.or(
        "idle",
        Positive(defaults::HTTP2_IDLE),
        "How long a connection without a request or a websocket stays open.",
    );
    let streams = streams.and_then(|streams| few_enough(t, streams));
    let (offer, streams, Positive(idle)) = (offer?, streams?, idle?);
    Ok(offer.then_some(Http2 { streams, idle }))
}

fn few_enough(t: &Table<'_>, Count(streams): Count) -> Result<u32, Noted> {
    let streams = u32::try_from(streams).ok();
    streams.filter(|streams| *streams <= MOST).ok_or_else(|| {
        let what = "a connection cannot carry more than 1000 at once";
        t.refuse("streams", what, "write 1000 or less")
    })
}

/// Warns of what is written and says nothing.
fn warn_without_tls(t: &Table<'_>) {
    let written = ["offer", "streams", "idle"]
        .into_iter()
        .find(|key| t.has(key));
    if let Some(key) = written {
        let what =
            format!("`{key}` says nothing without [listen.tls]: a plain door speaks HTTP/1.1");
        t.warn(key, what, "write [listen.tls], or leave it out");
    }
}
