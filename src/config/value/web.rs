//! URLs that the proxy itself goes to.

use serde_json::{Value as Json, json};
use url::Url;

use crate::config::model::is_loopback;
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// An engine: `https`, `http`, `wss` or `ws` in the file; `https` or `http` here.
pub(in crate::config) struct EngineUrl(pub(in crate::config) Url);

/// An endpoint: `https` or `http`.
pub(in crate::config) struct WebUrl(pub(in crate::config) Url);

/// Whether what goes to this URL can be read on the way: `http`, and not to this very machine.
pub(in crate::config) fn is_plain(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

impl Value for WebUrl {
    const WANTED: &'static str = "a URL in quotes, such as \"https://idp.example.com/jwks.json\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let url = url::<Self>(node)?;
        match url.scheme() {
            "https" | "http" => Ok(Self(url)),
            scheme => {
                let what = format!("`{}` cannot be a `{scheme}` URL", node.key);
                Err(node.refuse(what, "begin it with https://"))
            }
        }
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^https?://[^#]+$"})
    }
}

impl Value for EngineUrl {
    const WANTED: &'static str = "a URL in quotes, such as \"https://tenant.eu.qlikcloud.com\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let mut url = url::<Self>(node)?;
        let scheme = match url.scheme() {
            "https" | "wss" => "https",
            "http" | "ws" => "http",
            scheme => {
                let what = format!("an engine cannot be a `{scheme}` URL");
                return Err(node.refuse(what, "begin it with https:// or wss://"));
            }
        };
        if url.query().is_some() {
            let what = "an engine's URL has no query";
            return Err(node.refuse(what, "leave out the `?` and what follows it"));
        }
        if format!("{}/", url.path()).contains("/app/") {
            let what = "an engine's URL names no app: each socket names its own";
            return Err(node.refuse(what, "leave out \"/app/\" and what follows it"));
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&prefix);
        url.set_scheme(scheme)
            .map_err(|()| node.mismatch::<Self>())?;
        Ok(Self(url))
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^(https?|wss?)://[^#?]+$"})
    }
}

/// A URL with a host and without what does not belong to any address here.
fn url<T: Value>(node: &Node<'_>) -> Result<Url, Noted> {
    let text = node.text::<T>()?;
    if text.contains(['@', '?', '#']) {
        node.hide();
    }
    let parsed = Url::parse(text).ok().filter(|url| is_as_written(url, text));
    let Some(url) = parsed else {
        node.hide();
        return Err(node.refuse("this is no URL", format!("write {}", T::WANTED)));
    };
    if !url.username().is_empty() || url.password().is_some() {
        let what = "a URL here carries no user and no password";
        return Err(node.refuse(what, "leave out what stands before the `@`"));
    }
    if url.fragment().is_some() {
        let what = "a URL here has no fragment";
        return Err(node.refuse(what, "leave out the `#` and what follows it"));
    }
    Ok(url)
}

/// The parser puts right what browsers put right, such as `https:/host`; here it is a slip.
pub(super) fn is_as_written(url: &Url, text: &str) -> bool {
    let rest = text.strip_prefix(url.scheme());
    let rest = rest.and_then(|rest| rest.strip_prefix("://"));
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    url.has_host() && rest.is_some_and(|rest| !rest.starts_with('/')) && !text.contains(odd)
}
