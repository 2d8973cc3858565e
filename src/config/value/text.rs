//! Values that are texts.

use std::net::SocketAddr;

use http::HeaderName;
use http::header;
use rustls_pki_types::ServerName;
use serde_json::{Value as Json, json};

use crate::config::defaults;
use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;
use crate::config::values::{CookieName, Origin, RoutePath};

/// A host name as it stands in a `Host` header, lower case and without port.
pub(in crate::config) struct HostName(pub(in crate::config) String);

/// A header that may be passed on.
pub(in crate::config) struct HttpHeader(pub(in crate::config) HeaderName);

/// A filter of log lines.
pub(in crate::config) struct Level(pub(in crate::config) String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Value for String {
    const WANTED: &'static str = "a text in quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        if text.trim().is_empty() {
            return Err(node.refuse(
                format!("`{}` is empty", node.key),
                format!("write {}, or leave `{}` out", Self::WANTED, node.key),
            ));
        }
        if text.chars().any(char::is_control) {
            let what = format!("`{}` has a control character", node.key);
            return Err(node.refuse(what, "write one line of plain text"));
        }
        Ok(text.to_owned())
    }

    fn schema() -> Json {
        json!({"type": "string", "minLength": 1})
    }
}

impl Written for String {
    fn written(&self) -> Json {
        json!(self)
    }
}

impl Value for Origin {
    const WANTED: &'static str = "an origin in quotes, such as \"https://app.example.com\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        Self::parse(text).map_err(|mistake| {
            if text.contains('@') {
                node.hide();
            }
            node.refuse(&mistake, mistake.instead())
        })
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[a-z][a-z0-9+.-]*://[^/?#@*A-Z]+$"})
    }
}

impl Value for RoutePath {
    const WANTED: &'static str = "a path in quotes, such as \"/qlik\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        Self::parse(node.text::<Self>()?)
            .map_err(|mistake| node.refuse(&mistake, mistake.instead()))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^/([^/%\\\\?#]+(/[^/%\\\\?#]+)*)?$"})
    }
}

impl Value for CookieName {
    const WANTED: &'static str = "the name of a cookie in quotes, such as \"session\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        Self::parse(node.text::<Self>()?)
            .map_err(|mistake| node.refuse(&mistake, mistake.instead()))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"})
    }
}

impl Value for HostName {
    const WANTED: &'static str = "a host name in quotes, such as \"app.example.com\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let instead = |host: &str| format!("write \"{host}\"");
        let bare = text.split("://").last().unwrap_or(text);
        if text.contains('*') {
            let what = "a host name has no wildcard: each one is named";
            return Err(node.refuse(what, "leave `hosts` out if every host is meant"));
        }
        match url::Host::parse(text) {
            Ok(host) if host.to_string() == text => Ok(Self(text.to_owned())),
            Ok(host) => Err(node.refuse(
                "a host name stands here as clients send it",
                instead(&host.to_string()),
            )),
            Err(_) => Err(match bare.split([':', '/']).next().map(url::Host::parse) {
                Some(Ok(host)) => node.refuse(
                    "a host name has no scheme, port or path",
                    instead(&host.to_string()),
                ),
                _ => node.refuse("this is no host name", format!("write {}", Self::WANTED)),
            }),
        }
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^([^A-Z:/?#@* ]+|\\[[0-9a-f:.]+\\])$"})
    }
}

impl Value for HttpHeader {
    const WANTED: &'static str = "the name of a header in quotes, such as \"x-session\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
            return Err(node.refuse(
                "this is no name of a header",
                format!("write {}", Self::WANTED),
            ));
        };
        if name == header::COOKIE {
            return Err(node.refuse(
                "cookies are passed on one by one, by name",
                "name them in `cookies`",
            ));
        }
        if name == header::AUTHORIZATION {
            return Err(node.refuse(
                "a browser's websocket cannot carry this header, and a program's bearer token is \
                 for `kind = \"jwt\"`",
                "leave it out, or add a [[route.session]] with `kind = \"jwt\"`",
            ));
        }
        if is_the_connections_own(&name) {
            return Err(node.refuse(
                format!("`{name}` belongs to one connection and is never passed on"),
                "leave it out",
            ));
        }
        Ok(Self(name))
    }

    fn schema() -> Json {
        header_schema()
    }
}

pub(super) fn header_schema() -> Json {
    json!({"type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"})
}

/// Headers that mean one hop or one upgrade (RFC 9110 section 7.6.1, RFC 6455 section 4.1).
fn is_the_connections_own(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
        || name.as_str().starts_with("sec-websocket-")
}

impl Value for SocketAddr {
    const WANTED: &'static str = "an IP address and a port in quotes, such as \"127.0.0.1:8080\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let instead = match text.strip_prefix(':').or(text.strip_prefix("*:")) {
            Some(port) if port.parse::<u16>().is_ok() => format!("write \"0.0.0.0:{port}\""),
            _ => format!("write {}", Self::WANTED),
        };
        text.parse()
            .map_err(|_| node.refuse("this is no address to listen at", instead))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^([0-9.]+|\\[[0-9a-fA-F:.%]+\\]):[0-9]+$"})
    }
}

impl Written for SocketAddr {
    fn written(&self) -> Json {
        json!(self.to_string())
    }
}

impl Value for ServerName<'static> {
    const WANTED: &'static str = "the name in the certificate, such as \"qlik.example.com\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?.to_owned();
        Self::try_from(text).map_err(|_| {
            node.refuse(
                "no certificate can carry this name",
                format!("write {}", Self::WANTED),
            )
        })
    }

    fn schema() -> Json {
        json!({"type": "string", "minLength": 1})
    }
}

impl Value for Level {
    const WANTED: &'static str = "a level in quotes (off, error, warn, info, debug, trace), or \
                                  such as \"info,qix_proxy=debug\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let text = node.text::<Self>()?;
        let odd = |directive: &&str| {
            let level = directive.rsplit('=').next().unwrap_or(directive).trim();
            !LEVELS.contains(&level)
        };
        match text.split(',').find(odd) {
            Some(directive) => Err(node.refuse(
                format!("{directive:?} names no level"),
                format!("write {}", Self::WANTED),
            )),
            None => Ok(Self(text.to_owned())),
        }
    }

    fn schema() -> Json {
        let levels = LEVELS.join("|");
        let directive = format!("([^,]*=)?({levels})");
        json!({"type": "string", "pattern": format!("^{directive}(,{directive})*$")})
    }
}

impl Written for Level {
    fn written(&self) -> Json {
        json!(self.0)
    }
}

impl Default for Level {
    fn default() -> Self {
        Self(defaults::LEVEL.to_owned())
    }
}
