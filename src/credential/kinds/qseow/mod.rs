//! `kind = "qseow-jwt"`, `"qseow-header"`, `"qseow-ticket"` and `"qseow-session"`: one session a
//! person at a virtual proxy of Qlik Sense Enterprise on Windows, whose cookie all sockets share.
//!
//! Since November 2024 a websocket is let in by cookie, token against forgery and Origin alone, so
//! a session is opened before it, however people are known.

mod call;
mod front;
mod memory;
mod service;

use std::borrow::Cow;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use self::front::{Front, Key};
use self::service::{Holder, Service};
use super::Source;
use crate::config::{
    Pace, ProxySession, QseowHeader, QseowJwt, QseowService, WindowsUser, Wording,
};
use crate::credential::Lent;
use crate::credential::attributes::Attributes;
use crate::credential::error::CredentialError;
use crate::credential::identity::{Identity, Who};
use crate::credential::keepers::Name;
use crate::credential::key_file::LiveSigner;
use crate::credential::mint::{Ending, Mint, Minted, Minting};
use crate::credential::signer::random_word;
use crate::injection::Injection;
use crate::template::Target;

/// Where the values stand in an identity: the directory, the id, and what a token says besides.
const DIRECTORY: usize = 0;
const ID: usize = 1;
const BESIDES: usize = 2;

/// A token opens the session.
pub(super) fn jwt(config: QseowJwt, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let who = Attributes::add_to(somebody(&config.user), &config.token.claims);
    let mut parts = parts("qseow-jwt", &config.session, lent);
    let signer = LiveSigner::of_token(&config.token)?;
    parts.extend([
        signer.identity(),
        format!("{:?}", config.token.claims).into(),
    ]);
    parts.push(format!("{} {}", config.user_attribute, config.directory_attribute).into());
    parts.push(format!("{}", config.bearer_on_upgrade).into());
    let mint = ByToken {
        signer,
        besides: Attributes::new(&config.token.claims, BESIDES),
        front: Front::new(config.session.clone(), lent.http.clone())?,
        config,
    };
    let pace = mint.config.session.pace;
    Ok(kept(mint, who, (&parts, pace), lent))
}

/// A header opens the session.
pub(super) fn header(config: QseowHeader, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let nobody = || Wording::Fixed(String::new());
    let directory = config.directory.clone().unwrap_or_else(nobody);
    let who = Who::everybody()
        .worded(directory, Target::QlikUser)
        .filled(config.id, Target::QlikUser);
    let mut parts = parts("qseow-header", &config.session, lent);
    parts.push(config.header.as_str().into());
    let pace = config.session.pace;
    let mint = ByHeader {
        header: config.header,
        front: Front::new(config.session, lent.http.clone())?,
    };
    Ok(kept(mint, who, (&parts, pace), lent))
}

/// A ticket opens the session.
pub(super) fn ticket(config: QseowService, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let who = Attributes::add_to(somebody(&config.user), &config.attributes);
    let parts = service_parts("qseow-ticket", &config, lent);
    let pace = config.session.pace;
    let mint = ByTicket {
        service: service(&config, lent)?,
        front: Front::new(config.session, lent.http.clone())?,
    };
    Ok(kept(mint, who, (&parts, pace), lent))
}

/// The session is added.
pub(super) fn session(config: QseowService, lent: Lent<'_>) -> Result<Source, CredentialError> {
    let who = Attributes::add_to(somebody(&config.user), &config.attributes);
    let parts = service_parts("qseow-session", &config, lent);
    let pace = config.session.pace;
    let mint = Added {
        service: service(&config, lent)?,
        front: Front::new(config.session, lent.http.clone())?,
    };
    Ok(kept(mint, who, (&parts, pace), lent))
}

/// Whom Qlik shall see: directory and id, in this order.
pub(super) fn somebody(user: &WindowsUser) -> Who {
    Who::everybody()
        .worded(user.directory.clone(), Target::QlikUser)
        .filled(user.id.clone(), Target::QlikUser)
}

fn kept(mint: impl Mint, who: Who, (parts, pace): (&[Vec<u8>], Pace), lent: Lent<'_>) -> Source {
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let keeper = lent.keepers.keeper(Name::of(&parts), mint, pace);
    Source::Kept { keeper, who }
}

fn service(config: &QseowService, lent: Lent<'_>) -> Result<Service, CredentialError> {
    let http = lent.certified.ok_or(CredentialError::BadKey)?.clone();
    Ok(Service::new(config, http))
}

fn service_parts(kind: &str, config: &QseowService, lent: Lent<'_>) -> Vec<Vec<u8>> {
    let mut parts = parts(kind, &config.session, lent);
    let certificate = &config.service.certificate;
    parts.push(config.service.url.as_str().into());
    parts.push(format!("{:?}", config.attributes).into());
    parts.push(
        certificate
            .certificate
            .as_os_str()
            .as_encoded_bytes()
            .into(),
    );
    parts.push(certificate.key.as_os_str().as_encoded_bytes().into());
    parts
}

fn parts(kind: &str, session: &ProxySession, lent: Lent<'_>) -> Vec<Vec<u8>> {
    let trust = lent
        .trust
        .map(|path| path.as_os_str().as_encoded_bytes().to_vec());
    vec![
        kind.into(),
        format!("{session:?}").into(),
        trust.unwrap_or_default(),
    ]
}

struct ByToken {
    config: QseowJwt,
    signer: LiveSigner,
    besides: Attributes,
    front: Front,
}

impl ByToken {
    async fn token(&self, identity: &Identity) -> Result<String, CredentialError> {
        let said = |place: usize| Value::from(identity.value(place));
        let besides = self.besides.of(identity);
        let besides = besides.map(|(name, value)| (name.to_owned(), value));
        let mut claims: Map<String, Value> = besides.collect();
        claims.insert(self.config.directory_attribute.clone(), said(DIRECTORY));
        claims.insert(self.config.user_attribute.clone(), said(ID));
        self.signer.sign(claims).await
    }

    async fn open(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let key = Key::bearer(&self.token(identity).await?)?;
        let bearer = match &key {
            Key::Header(_, value) if self.config.bearer_on_upgrade => Some(value.clone()),
            _ => None,
        };
        let mut minted = self.front.minted(&self.front.enter(identity, key).await?)?;
        if let Some(bearer) = bearer {
            minted.injection = minted.injection.with_header(AUTHORIZATION, bearer);
            minted.life = minted.life.min(self.signer.life());
        }
        Ok(minted)
    }
}

impl Mint for ByToken {
    fn name(&self) -> Cow<'_, str> {
        self.front.name().into()
    }

    fn linger(&self) -> Option<Duration> {
        self.front.linger()
    }

    fn adopt(&self, identity: &Identity, made: &Injection) {
        self.front.adopt(identity, made);
    }

    fn ends_too(&self, identity: &Identity, other: &Identity) -> bool {
        identity != other && Front::is_same_person(identity, other)
    }

    fn end<'a>(&'a self, identity: &'a Identity) -> Ending<'a> {
        Box::pin(self.front.log_out(identity))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.open(identity))
    }
}

struct ByHeader {
    header: HeaderName,
    front: Front,
}

impl ByHeader {
    async fn open(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let id = identity.value(ID);
        let user = match identity.value(DIRECTORY) {
            "" => id.to_owned(),
            directory => format!("{directory}\\{id}"),
        };
        let carried = Target::Header.check(&user);
        carried.map_err(|flaw| CredentialError::Nobody {
            claim: "user".into(),
            flaw,
        })?;
        let value = HeaderValue::try_from(user).map_err(|_| CredentialError::BadKey)?;
        let key = Key::Header(self.header.clone(), value);
        self.front.minted(&self.front.enter(identity, key).await?)
    }
}

impl Mint for ByHeader {
    fn name(&self) -> Cow<'_, str> {
        self.front.name().into()
    }

    fn linger(&self) -> Option<Duration> {
        self.front.linger()
    }

    fn adopt(&self, identity: &Identity, made: &Injection) {
        self.front.adopt(identity, made);
    }

    fn ends_too(&self, identity: &Identity, other: &Identity) -> bool {
        identity != other && Front::is_same_person(identity, other)
    }

    fn end<'a>(&'a self, identity: &'a Identity) -> Ending<'a> {
        Box::pin(self.front.log_out(identity))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.open(identity))
    }
}

struct ByTicket {
    service: Service,
    front: Front,
}

impl ByTicket {
    async fn open(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        if let Some(entered) = self.front.resume(identity).await? {
            return self.front.minted(&entered);
        }
        let ticket = self.service.draw(identity).await?;
        let entered = self.front.enter(identity, Key::Ticket(&ticket)).await?;
        self.front.minted(&entered)
    }
}

impl Mint for ByTicket {
    fn name(&self) -> Cow<'_, str> {
        self.front.name().into()
    }

    fn linger(&self) -> Option<Duration> {
        self.front.linger()
    }

    fn adopt(&self, identity: &Identity, made: &Injection) {
        self.front.adopt(identity, made);
    }

    fn ends_alone(&self) -> bool {
        true
    }

    fn end<'a>(&'a self, identity: &'a Identity) -> Ending<'a> {
        Box::pin(end(&self.service, &self.front, identity))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.open(identity))
    }
}

struct Added {
    service: Service,
    front: Front,
}

impl Added {
    async fn open(&self, identity: &Identity) -> Result<Minted, CredentialError> {
        let known = match self.front.session(identity) {
            Some(cookie) => self.service.has(holder(identity), &cookie.value).await?,
            None => false,
        };
        if !known {
            let session = random_word();
            self.service.add(identity, &session).await?;
            self.front.remember(identity, session);
        }
        self.front
            .minted(&self.front.enter(identity, Key::None).await?)
    }
}

impl Mint for Added {
    fn name(&self) -> Cow<'_, str> {
        self.front.name().into()
    }

    fn linger(&self) -> Option<Duration> {
        self.front.linger()
    }

    fn adopt(&self, identity: &Identity, made: &Injection) {
        self.front.adopt(identity, made);
    }

    fn ends_alone(&self) -> bool {
        true
    }

    fn end<'a>(&'a self, identity: &'a Identity) -> Ending<'a> {
        Box::pin(end(&self.service, &self.front, identity))
    }

    fn mint<'a>(&'a self, identity: &'a Identity) -> Minting<'a> {
        Box::pin(self.open(identity))
    }
}

/// Ends the session that is remembered, and no other.
async fn end(
    service: &Service,
    front: &Front,
    identity: &Identity,
) -> Result<bool, CredentialError> {
    match front.forget(identity) {
        Some(cookie) => service.end(&cookie.value).await,
        None => Ok(false),
    }
}

fn holder(identity: &Identity) -> Holder<'_> {
    Holder {
        directory: identity.value(DIRECTORY),
        id: identity.value(ID),
    }
}
