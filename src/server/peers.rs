//! Whose request it is, as far as the peers on the other end of a connection are believed.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use ipnet::IpNet;
use tracing::warn;

use crate::forwarded::{self, X_FORWARDED_FOR};

/// The peers that requests come through.
#[derive(Debug)]
pub struct Peers {
    trusted: Vec<IpNet>,
    wondered: AtomicBool,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// The client's address, as far as it is believed.
    pub(super) address: IpAddr,
    /// The other end of its TCP connection.
    pub(super) peer: IpAddr,
}

impl Peers {
    /// These peers, and no others, are believed.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self {
            trusted,
            wondered: AtomicBool::new(false),
        }
    }

    /// A peer, and the address of the client behind it.
    pub(super) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        if self.is_suspicious(peer, headers) && !self.wondered.swap(true, Ordering::Relaxed) {
            warn!(
                %peer,
                "requests come through a proxy that is not in `listen.trusted_proxies`: all \
                 clients behind it are one address to the limits and in the log"
            );
        }
        Source {
            address: forwarded::client(peer, headers, &self.trusted),
            peer,
        }
    }

    /// Whether an own proxy seems to be forgotten in the config. From outside anybody can send
    /// the header.
    fn is_suspicious(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let peer = peer.to_canonical();
        headers.contains_key(X_FORWARDED_FOR)
            && is_local(peer)
            && !forwarded::is_trusted(peer, &self.trusted)
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
