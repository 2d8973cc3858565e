//! The forward proxy, and what is reached without it.

use serde_json::{Value as Json, json};
use url::{Host, Url};

use super::WebUrl;
use crate::config::model::DirectHost;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A forward proxy: `http://host[:port]`.
pub(in crate::config) struct ProxyUrl(pub(in crate::config) Url);

impl Value for ProxyUrl {
    const WANTED: &'static str = "a URL in quotes, such as \"http://egress.example.com:3128\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let WebUrl(url) = WebUrl::read(node)?;
        if url.scheme() == "https" {
            let what = "a forward proxy is spoken to without TLS: what goes through it has its own";
            return Err(node.refuse(what, "begin it with http://"));
        }
        if url.path() != "/" || url.query().is_some() {
            let what = "a forward proxy has no path";
            return Err(node.refuse(what, "leave out what follows the port"));
        }
        Ok(Self(url))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^http://[^#?/]+/?$"})
    }
}

impl Value for DirectHost {
    const WANTED: &'static str = "a host in quotes, such as \"core.internal\", or \".internal\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let name = text.strip_prefix('.').unwrap_or(text);
        match Host::parse(name) {
            Ok(host) if host.to_string() == name && !name.contains('*') => Ok(if name == text {
                Self::Is(text.to_owned())
            } else {
                Self::EndsWith(text.to_owned())
            }),
            _ => Err(node.refuse(
                "this is no host name, lower case and without port",
                format!("write {}", Self::WANTED),
            )),
        }
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[^A-Z/?#@* ]+$"})
    }
}
