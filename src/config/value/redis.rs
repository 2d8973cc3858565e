//! Where a Redis is, and how sessions stand in it.

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use url::Url;

use super::choice::Choice;
use super::secret::{SecretText, secret_schema};
use super::web::is_as_written;
use crate::config::model::{RedisServer, RedisTls};
use crate::config::node::{Node, Value};
use crate::config::notes::Noted;

/// A Redis by its URL, which is a secret where it carries a password.
pub(in crate::config) struct RedisUrl(pub(in crate::config) RedisServer);

/// How an app writes its sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::config) enum Layout {
    Express,
    Plain,
    Spring,
}

const PORT: u16 = 6379;

impl Choice for Layout {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("express", Self::Express),
        ("spring", Self::Spring),
        ("plain", Self::Plain),
    ];
}

impl Value for RedisUrl {
    const WANTED: &'static str =
        "a URL in quotes, such as \"rediss://redis.example.com:6379/0\", or { env = \"…\" }";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        if node.value.is_table() {
            let SecretText(url) = SecretText::read(node)?;
            return server(node, url.expose_secret()).map(Self);
        }
        let text = node.text::<Self>()?;
        if text.contains('@') {
            node.hide();
            let what = "a URL with a password is a secret: it never stands in the config";
            return Err(node.refuse(
                what,
                "write { env = \"REDIS_URL\" }, or `password` beside it",
            ));
        }
        server(node, text).map(Self)
    }

    fn schema() -> Json {
        let url = json!({"type": "string", "pattern": "^rediss?://[^/?#@]+(/[0-9]*)?$"});
        json!({"anyOf": [url, secret_schema()]})
    }
}

fn server(node: &Node<'_>, text: &str) -> Result<RedisServer, Noted> {
    let parsed = Url::parse(text).ok().filter(|url| is_as_written(url, text));
    let Some(url) = parsed else {
        node.hide();
        return Err(node.refuse("this is no URL", format!("write {}", RedisUrl::WANTED)));
    };
    let tls = match url.scheme() {
        "rediss" => RedisTls::On(None),
        "redis" => RedisTls::Plain,
        _ => {
            let what = "this is no `redis` or `rediss` URL";
            return Err(node.refuse(what, "begin it with rediss://"));
        }
    };
    let refused = || {
        node.refuse(
            "a Redis URL is host, port and database",
            format!("write {}", RedisUrl::WANTED),
        )
    };
    let host = url.host_str().unwrap_or_default();
    let database = url.path().strip_prefix('/').unwrap_or_default();
    let plain = url.query().is_none() && url.fragment().is_none() && !host.is_empty();
    let database = match database {
        "" => Some(0),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse::<u32>().ok(),
        _ => None,
    };
    Ok(RedisServer {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(PORT),
        database: database.filter(|_| plain).ok_or_else(refused)?.into(),
        username: decoded(Some(url.username()).filter(|name| !name.is_empty())),
        password: decoded(url.password()).map(SecretString::from),
        tls,
    })
}

fn decoded(text: Option<&str>) -> Option<String> {
    Some(percent_decode_str(text?).decode_utf8_lossy().into_owned())
}
