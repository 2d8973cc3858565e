//! A virtual proxy as the QMC shows it: how it knows people, and what it lets through.

use std::{io, time::Duration};

use super::jwt::JwtRules;
use crate::tenant::Speaks;

const IDLE: Duration = Duration::from_mins(30);

/// One virtual proxy, as it is set up.
#[derive(Clone, Debug)]
pub struct VirtualProxy {
    pub(super) kind: Kind,
    pub(super) release: Release,
    pub(super) linked: bool,
    pub(super) cookie: Option<String>,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) strangers: Strangers,
    pub(super) gives: Gives,
    pub(super) speaks: Speaks,
    pub(super) idle: Duration,
}

/// How a virtual proxy knows people.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Jwt(JwtRules),
    Header {
        name: String,
        directory: Option<String>,
    },
    Ticket,
    Session,
}

/// Which release's rules hold for websockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    /// The credential on the upgrade is enough; a foreign `Origin` is refused.
    Before2024,
    /// A session cookie, its csrf token in the query and an allowed `Origin`; no bearer.
    November2024,
}

/// What somebody who shows a credential is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gives {
    /// The session's cookie and its csrf token.
    Both,
    /// A cookie, and no token.
    CookieAlone,
    /// A token, and no cookie.
    TokenAlone,
}

/// What becomes of a websocket without a good credential where the release lets it get so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strangers {
    /// 101, and then `mustAuthenticate: true`.
    Asked,
    /// 401.
    Refused,
}

impl VirtualProxy {
    /// Knows people by JWT; `key` is a public key or a certificate, PEM. November 2024 rules.
    ///
    /// # Errors
    /// When `key` is neither.
    pub fn jwt(key: &str) -> io::Result<Self> {
        let proxy = Self::of(Kind::Jwt(JwtRules::new(key)?));
        Ok(proxy.release(Release::November2024))
    }

    /// Knows people by a header of this name: `DIRECTORY\id`, or an id in [`Self::directory`].
    #[must_use]
    pub fn header(name: &str) -> Self {
        Self::of(Kind::Header {
            name: name.to_ascii_lowercase(),
            directory: None,
        })
    }

    /// Knows people by tickets of the proxy service.
    #[must_use]
    pub const fn ticket() -> Self {
        Self::of(Kind::Ticket)
    }

    /// Knows people by sessions that were added through the proxy service.
    #[must_use]
    pub const fn session() -> Self {
        Self::of(Kind::Session)
    }

    /// The directory of everybody whom the header names.
    #[must_use]
    pub fn directory(mut self, everybodys: &str) -> Self {
        if let Kind::Header { directory, .. } = &mut self.kind {
            *directory = Some(everybodys.to_owned());
        }
        self
    }

    /// The JWT's attributes for id and directory; `userId` and `userDirectory` when not said. A
    /// directory in brackets, `[CORP]`, is everybody's.
    #[must_use]
    pub fn attributes(mut self, id: &str, directory: &str) -> Self {
        if let Kind::Jwt(rules) = &mut self.kind {
            rules.read(id, directory);
        }
        self
    }

    /// The rules for websockets.
    #[must_use]
    pub const fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Not linked to a proxy: everything is 400.
    #[must_use]
    pub const fn unlinked(mut self) -> Self {
        self.linked = false;
        self
    }

    /// The session cookie's name; `X-Qlik-Session-<prefix>` when not said, and with `-HTTP` at its
    /// end over plain HTTP.
    #[must_use]
    pub fn cookie(mut self, name: &str) -> Self {
        self.cookie = Some(name.to_owned());
        self
    }

    /// The Host allow list; the names in the server's certificate when not said.
    #[must_use]
    pub fn hosts(mut self, names: &[&str]) -> Self {
        self.hosts = Some(names.iter().map(ToString::to_string).collect());
        self
    }

    /// What becomes of strangers; they are asked when not said.
    #[must_use]
    pub const fn strangers(mut self, strangers: Strangers) -> Self {
        self.strangers = strangers;
        self
    }

    /// What a credential is exchanged for; cookie and token when not said.
    #[must_use]
    pub const fn gives(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    /// When `OnAuthenticationInformation` is said; after the first message when not said.
    #[must_use]
    pub const fn speaks(mut self, speaks: Speaks) -> Self {
        self.speaks = speaks;
        self
    }

    /// How long a session without a socket lives; 30 minutes when not said.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            release: Release::Before2024,
            linked: true,
            cookie: None,
            hosts: None,
            strangers: Strangers::Asked,
            gives: Gives::Both,
            speaks: Speaks::AfterFirstMessage,
            idle: IDLE,
        }
    }
}
