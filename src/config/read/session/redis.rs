//! `kind = "redis"`: the app's own session store is asked.

use std::collections::BTreeMap;

use secrecy::SecretSlice;

use super::super::redis_server::redis_server;
use super::rhythm::rhythm;
use crate::config::defaults;
use crate::config::model::{Express, Redis, RedisFormat, Spring};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{CookieSecret, Layout, OneOrMany, Positive};
use crate::config::values::CookieName;
use crate::person::ClaimPath;

/// The app's own session store.
pub(super) fn redis(t: &mut Table<'_>) -> Result<Redis, Noted> {
    let server = redis_server(t);
    let sessions = sessions(t);
    let rhythm = rhythm(t);
    let touch: Result<Option<Positive>, _> = t.optional(
        "touch",
        "How far the end of a session is moved ahead while somebody works over a socket: the app's \
         own session time. Without it only the app prolongs sessions.",
    );
    let (server, sessions, rhythm) = (server?, sessions?, rhythm?);
    let touch = touch?.map(|Positive(span)| span);
    if touch.is_some_and(|span| span < 2 * rhythm.recheck) {
        let what = "a session of this length can end between two looks at it (`recheck`)";
        let instead = "write the app's own session time, at least twice `recheck`";
        return Err(t.refuse("touch", what, instead));
    }
    Ok(Redis {
        server,
        cookie: sessions.cookie,
        prefix: sessions.prefix,
        format: sessions.format,
        touch,
        cache: rhythm.cache,
        recheck: rhythm.recheck,
        grace: rhythm.grace,
        timeout: rhythm.timeout,
    })
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
        "How the app writes its sessions: \"express\" (express-session with connect-redis), \
         \"spring\" (Spring Session), or \"plain\" (the cookie is the id; the value is never read).",
    );
    let cookie: Result<Option<CookieName>, _> = t.optional(
        "cookie",
        "The cookie that names the session; \"connect.sid\" for \"express\", \"SESSION\" for \
         \"spring\".",
    );
    let prefix: Result<Option<String>, _> = t.optional(
        "prefix",
        "What a session's key begins with; \"sess:\" for \"express\", \"spring:session:sessions:\" \
         for \"spring\".",
    );
    let content = content(t);
    let express = t.with_word("format", "express", &["secrets", "subject"], &["indexed"]);
    let spring = t.with_word("format", "spring", &["subject"], &["secrets"]);
    let unread = &["secrets", "subject", "claims", "indexed"];
    let plain = t.with_word("format", "plain", &["cookie", "prefix"], unread);
    let layout = layout?;
    express.and(spring).and(plain)?;
    let (default_cookie, default_prefix) = match layout {
        Layout::Express => (defaults::EXPRESS_COOKIE, defaults::EXPRESS_PREFIX),
        Layout::Spring => (defaults::SPRING_COOKIE, defaults::SPRING_PREFIX),
        Layout::Plain => ("", ""),
    };
    let (cookie, prefix, content) = (cookie?, prefix?, content?);
    let cookie = match cookie {
        Some(cookie) => cookie,
        None => CookieName::parse(default_cookie).map_err(|_| t.lacks(&["cookie"]))?,
    };
    Ok(Sessions {
        cookie,
        prefix: prefix.unwrap_or_else(|| default_prefix.to_owned()),
        format: content.format(t, layout)?,
    })
}

/// What a session says, and how it is verified.
struct Content {
    secrets: Vec<SecretSlice<u8>>,
    subject: Option<ClaimPath>,
    claims: BTreeMap<String, ClaimPath>,
    indexed: bool,
}

fn content(t: &mut Table<'_>) -> Result<Content, Noted> {
    let secrets: Result<Option<OneOrMany<CookieSecret>>, _> = t.optional(
        "secrets",
        "The secrets that may have signed the cookie of \"express\", one or a list: the app's own, \
         and older ones while they are rotated.",
    );
    let subject = t.optional(
        "subject",
        "Where a session says who it is, by name or JSON pointer; without it nobody is logged in.",
    );
    let claims: Result<Option<BTreeMap<String, ClaimPath>>, _> = t.optional(
        "claims",
        "Claims to take from the session, each with its name and its place.",
    );
    let indexed: Result<Option<bool>, _> = t.optional(
        "indexed",
        "Whether a \"spring\" app uses the indexed repository, whose hashes outlive their sessions.",
    );
    let secrets = secrets?.map_or(Vec::new(), |OneOrMany(secrets)| secrets);
    Ok(Content {
        secrets: secrets.into_iter().map(|CookieSecret(it)| it).collect(),
        subject: subject?,
        claims: claims?.unwrap_or_default(),
        indexed: indexed?.unwrap_or(false),
    })
}

impl Content {
    fn format(self, t: &Table<'_>, layout: Layout) -> Result<RedisFormat, Noted> {
        let subject = self.subject.ok_or(());
        let subject = || subject.map_err(|()| t.lacks(&["subject"]));
        Ok(match layout {
            Layout::Plain => RedisFormat::Plain,
            Layout::Express => RedisFormat::Express(Express {
                secrets: self.secrets,
                subject: subject()?,
                claims: self.claims,
            }),
            Layout::Spring => RedisFormat::Spring(Spring {
                subject: subject()?,
                claims: self.claims,
                indexed: self.indexed,
            }),
        })
    }
}
