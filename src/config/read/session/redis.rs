//! `kind = "redis"`: the app's own session store is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::rhythm::rhythm;
use crate::config::defaults;
use crate::config::model::{Express, Redis, RedisFormat, RedisServer, RedisTls};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Bundle, CookieSecret, Layout, OneOrMany, RedisUrl, SecretText};
use crate::config::values::CookieName;
use crate::person::ClaimPath;

/// The app's own session store.
pub(super) fn redis(t: &mut Table<'_>) -> Result<Redis, Noted> {
    let server = server(t);
    let sessions = sessions(t);
    let rhythm = rhythm(t);
    let (server, sessions, rhythm) = (server?, sessions?, rhythm?);
    Ok(Redis {
        server,
        cookie: sessions.cookie,
        prefix: sessions.prefix,
        format: sessions.format,
        cache: rhythm.cache,
        recheck: rhythm.recheck,
        grace: rhythm.grace,
        timeout: rhythm.timeout,
    })
}

fn server(t: &mut Table<'_>) -> Result<RedisServer, Noted> {
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
        "Whether redis:// to another machine is meant: whoever is on the way can read sessions.",
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

/// How the sessions stand there.
struct Sessions {
    cookie: CookieName,
    prefix: String,
    format: RedisFormat,
}

fn sessions(t: &mut Table<'_>) -> Result<Sessions, Noted> {
    let layout = t.required(
        "format",
        "\"express\"",
        "How the app writes its sessions: \"express\" (express-session with connect-redis).",
    );
    let cookie: Result<Option<CookieName>, _> = t.optional(
        "cookie",
        "The cookie that names the session; \"connect.sid\" for \"express\".",
    );
    let prefix: Result<Option<String>, _> = t.optional(
        "prefix",
        "What a session's key begins with; \"sess:\" for \"express\".",
    );
    let secrets: Result<Option<OneOrMany<CookieSecret>>, _> = t.optional(
        "secrets",
        "The secrets that may have signed the cookie, one or a list: the app's own, and older ones \
         while they are rotated.",
    );
    let subject: Result<Option<ClaimPath>, _> = t.optional(
        "subject",
        "Where a session says who it is, by name or JSON pointer; without it nobody is logged in.",
    );
    let claims: Result<Option<BTreeMap<String, ClaimPath>>, _> = t.optional(
        "claims",
        "Claims to take from the session, each with its name and its place.",
    );
    let express = t.with_word("format", "express", &["secrets", "subject"], &[]);
    let (cookie, prefix, secrets, subject) = (cookie?, prefix?, secrets?, subject?);
    let Layout::Express = layout?;
    express?;
    let (Some(OneOrMany(secrets)), Some(subject)) = (secrets, subject) else {
        return Err(t.lacks(&["secrets", "subject"]));
    };
    let cookie = match cookie {
        Some(cookie) => cookie,
        None => default_cookie(t, defaults::EXPRESS_COOKIE)?,
    };
    Ok(Sessions {
        cookie,
        prefix: prefix.unwrap_or_else(|| defaults::EXPRESS_PREFIX.to_owned()),
        format: RedisFormat::Express(Express {
            secrets: secrets.into_iter().map(|CookieSecret(it)| it).collect(),
            subject,
            claims: claims?.unwrap_or_default(),
        }),
    })
}

fn default_cookie(t: &Table<'_>, name: &str) -> Result<CookieName, Noted> {
    CookieName::parse(name).map_err(|mistake| t.refuse("cookie", mistake.to_string(), ""))
}
