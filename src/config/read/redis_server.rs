//! The keys of any table that names a Redis.

use std::net::IpAddr;

use crate::config::model::{RedisServer, RedisTls};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Bundle, RedisUrl, SecretText};

/// Where a Redis is, and who the proxy is there.
pub(super) fn redis_server(t: &mut Table<'_>) -> Result<RedisServer, Noted> {
    let url: Result<RedisUrl, _> = t.required(
        "url",
        "\"rediss://redis.example.com:6379/0\"",
        "rediss://host[:port][/database], or redis:// without TLS; as { env = \"…\" } or \
         { file = \"…\" } when it carries a password.",
    );
    let username: Result<Option<String>, _> = t.optional("username", "The user of Redis' ACL.");
    let password: Result<Option<SecretText>, _> = t.optional("password", "The password.");
    t.only_with("username", "password");
    let ca: Result<Option<Bundle>, _> = t.optional(
        "ca",
        "A PEM file of the CAs to trust, alone, for this Redis.",
    );
    let allow_plain = t.or(
        "allow_plain",
        false,
        "Whether redis:// to another machine is meant: whoever is on the way can read what is in it.",
    );
    let RedisUrl(mut server) = url?;
    let (username, password) = (username?, password?);
    refuse_plain(t, &server, allow_plain?)?;
    if let Some(SecretText(password)) = password {
        if server.password.is_some() {
            let what = "the password stands in `url` already";
            return Err(t.refuse("password", what, "leave it out of one of the two"));
        }
        server.password = Some(password);
        server.username = username;
    }
    if let Some(Bundle(pem)) = ca? {
        if server.tls == RedisTls::Plain {
            let what = "`ca` says nothing without TLS";
            return Err(t.refuse("ca", what, "begin `url` with rediss://, or leave `ca` out"));
        }
        server.tls = RedisTls::On(Some(pem));
    }
    Ok(server)
}

fn refuse_plain(t: &Table<'_>, server: &RedisServer, allow_plain: bool) -> Result<(), Noted> {
    let loopback = match server.host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => server.host == "localhost",
    };
    if allow_plain || loopback || server.tls != RedisTls::Plain {
        return Ok(());
    }
    Err(t.refuse(
        "url",
        "plain redis:// to another machine can be read and changed on the way",
        "write rediss://, or `allow_plain = true` in this table if that way is trusted",
    ))
}
