//! Networks of peers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv6Net};
use serde_json::{Value as Json, json};

use crate::config::defaults;
use crate::config::model::{ListenAddress, SocketFile};
use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;
use crate::peer::Believed;

/// Addresses are compared in their canonical form, so a network of IPv4 addresses within IPv6
/// would have nobody in it.
const MAPPED: &str = "::ffff:0:0/96";

impl Value for Believed {
    const WANTED: &'static str =
        "a network or an address in quotes, such as \"10.0.0.0/8\", or \"unix\" or \"certificate\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        match node.value.as_str() {
            Some("certificate") => Ok(Self::Certified),
            Some("unix") => Ok(Self::Unix),
            _ => network(node, node.text::<Self>()?, Self::WANTED).map(Self::Network),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [IpNet::schema(), {"enum": ["certificate", "unix"]}]})
    }
}

impl Value for ListenAddress {
    const WANTED: &'static str = "an IP address and a port in quotes, such as \"127.0.0.1:8080\", or \"unix:/run/qix-proxy.sock\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let Some(path) = text.strip_prefix("unix:") else {
            return SocketAddr::read(node).map(Self::Tcp);
        };
        let path = PathBuf::from(path);
        if !path.is_absolute() || path.file_name().is_none() {
            let what = "this is no place for a socket file";
            return Err(node.refuse(
                what,
                "write an absolute path, such as \"unix:/run/qix-proxy.sock\"",
            ));
        }
        let mode = defaults::SOCKET_MODE;
        Ok(Self::Unix(SocketFile { path, mode }))
    }

    fn schema() -> Json {
        json!({"anyOf": [SocketAddr::schema(), {"type": "string", "pattern": "^unix:/.*[^/]$"}]})
    }
}

impl Written for ListenAddress {
    fn written(&self) -> Json {
        json!(self.to_string())
    }
}

/// A file's mode.
pub(in crate::config) struct Mode(pub(in crate::config) u32);

impl Value for Mode {
    const WANTED: &'static str = "the mode in octal, in quotes, such as \"0660\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|c| (b'0'..=b'7').contains(&c));
        let mode = u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| octal && *mode <= 0o777);
        mode.map(Self)
            .ok_or_else(|| node.refuse("this is no file mode", format!("write {}", Self::WANTED)))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^0?[0-7]{3}$"})
    }
}

impl Written for Mode {
    fn written(&self) -> Json {
        json!(format!("{:04o}", self.0))
    }
}

impl Value for IpNet {
    const WANTED: &'static str =
        "a network or an address in quotes, such as \"10.0.0.0/8\" or \"192.0.2.7\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        network(node, node.text::<Self>()?, Self::WANTED)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9a-fA-F:.]+(/0*[1-9][0-9]*)?$"})
    }
}

fn network(node: &Node<'_>, text: &str, wanted: &str) -> Result<IpNet, Noted> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let Ok(network) = text.parse::<IpNet>().or_else(|_| address()) else {
        return Err(node.refuse("this is no network", format!("write {wanted}")));
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

fn is_mapped(network: &IpNet) -> bool {
    match (network, MAPPED.parse::<Ipv6Net>()) {
        (IpNet::V6(network), Ok(mapped)) => mapped.contains(network),
        _ => false,
    }
}
