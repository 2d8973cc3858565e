//! Whose address a request comes from: its TCP peer's, or what a trusted proxy says of it.
//!
//! Only `X-Forwarded-For` is read, and only from a peer that is trusted. `Forwarded` (RFC 7239) is
//! not: an ingress that maintains one of the two passes the other on as the client wrote it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The header that trusted proxies append to.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind a TCP peer: from the right, the first that is not a trusted
/// proxy's, or the left-most where all are. A header that is not understood up to there counts
/// for nothing.
#[must_use]
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if is_trusted(peer, trusted) {
        behind(peer, headers, trusted)
    } else {
        peer
    }
}

/// The same for a peer that is believed whatever its address is.
#[must_use]
pub fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut furthest = peer;
    for hop in hops {
        let Some(address) = address(hop) else {
            return peer;
        };
        furthest = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    furthest
}

/// Whether an address, in its canonical form, is one of these networks'.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: some add the port, some put brackets around IPv6.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse().ok().map(IpAddr::V6)
    };
    let bare = text.parse().ok();
    let address = bare.or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// Seen from a peer, with these headers.
    fn seen(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"].map(|it| it.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(X_FORWARDED_FOR, line);
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_right_most_stranger_is_the_client() {
        for (name, peer, lines, client) in [
            ("no header", "10.0.0.1", &[][..], "10.0.0.1"),
            ("one", "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (
                "what a client wrote itself",
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.9"],
                "203.0.113.9",
            ),
            (
                "an own hop that pretends to be ours",
                "10.0.0.1",
                &["10.9.9.9, 203.0.113.9, 10.0.0.2"],
                "203.0.113.9",
            ),
            (
                "several trusted hops",
                "10.0.0.1",
                &["203.0.113.9 ,\t10.0.0.2,192.0.2.7"],
                "203.0.113.9",
            ),
            (
                "several headers",
                "10.0.0.1",
                &["1.1.1.1", "203.0.113.9", "10.0.0.2"],
                "203.0.113.9",
            ),
            (
                "trusted from end to end",
                "10.0.0.1",
                &["10.0.0.3, 10.0.0.2"],
                "10.0.0.3",
            ),
            ("a port", "10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("IPv6", "fd00::1", &["2001:db8::9"], "2001:db8::9"),
            (
                "IPv6 in brackets",
                "10.0.0.1",
                &["[2001:db8::9]"],
                "2001:db8::9",
            ),
            (
                "IPv6 with a port",
                "10.0.0.1",
                &["[2001:db8::9]:443"],
                "2001:db8::9",
            ),
            (
                "IPv4 in IPv6",
                "::ffff:10.0.0.1",
                &["::ffff:203.0.113.9, ::ffff:10.0.0.2"],
                "203.0.113.9",
            ),
        ] {
            assert_eq!(seen(peer, lines), client, "{name}");
        }
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        for peer in ["203.0.113.66", "192.0.2.8", "2001:db8::66", "127.0.0.1"] {
            for line in ["1.1.1.1", "10.0.0.1", "127.0.0.1", "::1", "garbage"] {
                assert_eq!(seen(peer, &[line]), peer, "{line}");
            }
        }
        assert_eq!(seen("::ffff:203.0.113.66", &["1.1.1.1"]), "203.0.113.66");
    }

    #[test]
    fn what_is_not_understood_is_not_believed() {
        for line in [
            "",
            "unknown",
            "203.0.113.9,",
            "203.0.113.9, ,10.0.0.2",
            "203.0.113.9;10.0.0.2",
            "203.0.113.9 10.0.0.2",
            "_hidden, 10.0.0.2",
            "for=203.0.113.9",
            "\"203.0.113.9\"",
            "203.0.113.999",
            "203.0.113.9:",
            "203.0.113.9:99999",
            "0xCB.0.113.9",
            "203.0.113.09",
            "[203.0.113.9]",
            "[2001:db8::9",
            "2001:db8::9]:1",
            "fe80::1%eth0",
            "app.example.com",
            "203.0.113.9/32",
            "b\u{fc}cher",
        ] {
            assert_eq!(seen("10.0.0.1", &[line]), "10.0.0.1", "{line:?}");
        }
        assert_eq!(seen("10.0.0.1", &["203.0.113.9", "garbage"]), "10.0.0.1");
        assert_eq!(
            seen("10.0.0.1", &["garbage, 203.0.113.9"]),
            "203.0.113.9",
            "what stands further left is the client's own affair"
        );
    }

    proptest! {
        /// Whatever a client writes, it cannot choose what is seen of it behind a proxy that
        /// appends its address.
        #[test]
        fn nothing_written_before_moves_what_was_appended(written in "[ -~]{0,40}", own in any::<u32>()) {
            let own = IpAddr::from(own.to_be_bytes());
            prop_assume!(!is_trusted(own, &["10.0.0.0/8".parse().unwrap(), "192.0.2.7/32".parse().unwrap()]));
            let own = own.to_string();
            let behind = format!("{written}, {own}");
            prop_assert_eq!(seen("10.0.0.1", &[behind.as_str()]), own.as_str());
            prop_assert_eq!(seen("10.0.0.1", &[written.as_str(), own.as_str()]), own.as_str());
        }
    }
}
