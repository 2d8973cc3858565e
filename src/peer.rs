//! The other end of a connection, and which of them are believed when they say who somebody is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The other end of a connection, whatever its requests say.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// One at an address, who showed a certificate of the door's own CAs for clients.
    Certified(IpAddr),
    /// One at an address.
    Tcp(IpAddr),
    /// One on this machine whom the permissions of a socket file let in.
    Unix,
}

impl Peer {
    /// Its address; where it has none, this machine's.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        match self {
            Self::Certified(address) | Self::Tcp(address) => address,
            Self::Unix => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certified(address) | Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// Peers that are believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Believed {
    /// Those who showed a certificate of the door's own CAs for clients.
    Certified,
    /// Those of a network, of which none is everybody.
    Network(IpNet),
    /// Those who came by a socket file.
    Unix,
}

impl Believed {
    /// Whether a peer is one of these. An IPv4 peer of an IPv6 door is known by its IPv4 address.
    #[must_use]
    pub fn covers(self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Certified, Peer::Certified(_)) | (Self::Unix, Peer::Unix) => true,
            (Self::Network(network), Peer::Certified(address) | Peer::Tcp(address)) => {
                network.contains(&address.to_canonical())
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_address_is_of_no_network_and_a_network_makes_nobody_certified() {
        let here: IpAddr = [127, 0, 0, 1].into();
        let loopback = Believed::Network("127.0.0.0/8".parse().unwrap());
        let peers = [Peer::Certified(here), Peer::Tcp(here), Peer::Unix];
        let table = [
            (loopback, [true, true, false]),
            (Believed::Certified, [true, false, false]),
            (Believed::Unix, [false, false, true]),
        ];
        for (believed, expected) in table {
            assert_eq!(peers.map(|peer| believed.covers(peer)), expected);
        }
    }
}
