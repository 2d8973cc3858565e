//! Whose request it is, as far as the peers on the other end of a connection are believed.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use ipnet::IpNet;
use tracing::warn;

use crate::config::Print;
use crate::forwarded::{self, X_FORWARDED_FOR};
use crate::peer::{Believed, Peer};

/// The peers that requests come through.
#[derive(Debug)]
pub struct Peers {
    trusted: Vec<Believed>,
    networks: Vec<IpNet>,
    authorities: Print,
    wondered: AtomicBool,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// The client's address, as far as it is believed.
    pub(super) address: IpAddr,
    /// The other end of its connection.
    pub(super) peer: Peer,
}

impl Peers {
    /// These peers, and no others, are believed; `authorities` are those that certify peers.
    #[must_use]
    pub fn new(trusted: Vec<Believed>, authorities: Print) -> Self {
        let networks = trusted.iter().filter_map(|believed| match believed {
            Believed::Network(network) => Some(*network),
            Believed::Certified | Believed::Unix => None,
        });
        Self {
            networks: networks.collect(),
            trusted,
            authorities,
            wondered: AtomicBool::new(false),
        }
    }

    /// Who certifies peers.
    pub(super) const fn authorities(&self) -> Print {
        self.authorities
    }

    /// A peer, and the address of the client behind it.
    pub(super) fn source(&self, peer: Peer, headers: &HeaderMap) -> Source {
        if self.is_suspicious(peer, headers) && !self.wondered.swap(true, Ordering::Relaxed) {
            warn!(
                %peer,
                "requests come through a proxy that is not in `listen.trusted_proxies`: all \
                 clients behind it are one address to the limits and in the log"
            );
        }
        let address = peer.address();
        Source {
            address: match peer {
                Peer::Tcp(address) => forwarded::client(address, headers, &self.networks),
                _ if self.believes(peer) => forwarded::behind(address, headers, &self.networks),
                _ => address.to_canonical(),
            },
            peer,
        }
    }

    /// Whether an own proxy seems to be forgotten in the config. From outside anybody can send
    /// the header.
    fn is_suspicious(&self, peer: Peer, headers: &HeaderMap) -> bool {
        headers.contains_key(X_FORWARDED_FOR)
            && is_local(peer.address().to_canonical())
            && !self.believes(peer)
    }

    fn believes(&self, peer: Peer) -> bool {
        self.trusted.iter().any(|believed| believed.covers(peer))
    }
}

/// Whether an address belongs to this machine or to a network of one's own.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}
