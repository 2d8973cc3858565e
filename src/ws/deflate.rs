//! permessage-deflate (RFC 7692) as far as a proxy that never inflates must know it: which offers
//! to carry, and whether an answer is one of them.

const NAME: &str = "permessage-deflate";
const PARAMETERS: [&str; 4] = [
    "client_max_window_bits",
    "client_no_context_takeover",
    "server_max_window_bits",
    "server_no_context_takeover",
];

/// The permessage-deflate offers within a client's `Sec-WebSocket-Extensions`, written anew;
/// `None` when it makes none that is well formed.
#[must_use]
pub(super) fn offers(header: &str) -> Option<String> {
    let kept: Vec<String> = header.split(',').filter_map(rewrite).collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// An engine's answer, written anew, if it is exactly one well-formed permessage-deflate.
#[must_use]
pub fn accepts(header: &str) -> Option<String> {
    if header.contains(',') {
        None
    } else {
        rewrite(header)
    }
}

fn rewrite(offer: &str) -> Option<String> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some(NAME) {
        return None;
    }
    let mut written = NAME.to_owned();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        if !PARAMETERS.contains(&name) {
            return None;
        }
        written.push_str("; ");
        written.push_str(name);
        if let Some(value) = value {
            let bits: u8 = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
            written.push('=');
            written.push_str(&bits.to_string());
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_offers_are_carried() {
        let table = [
            ("permessage-deflate", Some("permessage-deflate")),
            (
                "permessage-deflate; client_max_window_bits, x-other",
                Some("permessage-deflate; client_max_window_bits"),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"10\"",
                Some("permessage-deflate; server_max_window_bits=10"),
            ),
            ("permessage-deflate; server_max_window_bits=99", None),
            ("permessage-deflate; evil", None),
            ("x-webkit-deflate-frame", None),
        ];
        for (header, expected) in table {
            assert_eq!(offers(header).as_deref(), expected, "{header}");
        }
        assert_eq!(accepts("permessage-deflate, permessage-deflate"), None);
    }
}
