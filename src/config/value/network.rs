//! Networks of peers.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A network in CIDR notation, or one address; never everybody.
pub(in crate::config) struct Network(pub(in crate::config) IpNet);

impl Value for Network {
    const WANTED: &'static str = "a network in quotes, such as \"10.1.0.0/16\", or an address";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let single = text.parse::<IpAddr>().map(IpNet::from);
        let Ok(network) = single.or_else(|_| text.parse::<IpNet>()) else {
            return Err(node.refuse("this is no network", format!("write {}", Self::WANTED)));
        };
        if network.prefix_len() == 0 {
            let what = "this network is everybody, who could then say to be anybody";
            return Err(node.refuse(what, "name the ingress's own network"));
        }
        if network.trunc() != network {
            let what = "this is an address within a network";
            return Err(node.refuse(what, format!("write \"{}\"", network.trunc())));
        }
        if matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some()) {
            let what = "an IPv4 peer is known by its IPv4 address";
            return Err(node.refuse(what, "write the IPv4 network"));
        }
        Ok(Self(network))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9a-fA-F:.]+(/[1-9][0-9]*)?$"})
    }
}
