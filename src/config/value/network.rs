//! Networks of peers.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use serde_json::{Value as Json, json};

use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// Addresses are compared in their canonical form, so a network of IPv4 addresses within IPv6
/// would have nobody in it.
const MAPPED: &str = "::ffff:0:0/96";

impl Value for IpNet {
    const WANTED: &'static str =
        "a network or an address in quotes, such as \"10.0.0.0/8\" or \"192.0.2.7\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let address = || text.parse::<IpAddr>().map(Self::from);
        let Ok(network) = text.parse::<Self>().or_else(|_| address()) else {
            return Err(node.refuse("this is no network", format!("write {}", Self::WANTED)));
        };
        if network.prefix_len() == 0 {
            let what = "this is everybody";
            return Err(node.refuse(what, "name the networks of your own proxies"));
        }
        if network != network.trunc() {
            let what = format!("this network begins at {}", network.network());
            return Err(node.refuse(what, format!("write \"{}\"", network.trunc())));
        }
        if is_mapped(&network) {
            let what = "IPv4 addresses are not written as IPv6 here";
            return Err(node.refuse(what, "write them as IPv4, such as \"10.0.0.0/8\""));
        }
        Ok(network)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9a-fA-F:.]+(/0*[1-9][0-9]*)?$"})
    }
}

fn is_mapped(network: &IpNet) -> bool {
    match (network, MAPPED.parse::<Ipv6Net>()) {
        (IpNet::V6(network), Ok(mapped)) => mapped.contains(network),
        _ => false,
    }
}
