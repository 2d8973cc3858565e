//! Sessions that are signed tokens (RFC 7519): a cookie's from browsers, a bearer's from programs.
//!
//! What verifies a token is the config's choice alone. Nothing in a token chooses a key's origin
//! or an algorithm, and no claim is looked at before the signature.

mod claims;
mod jwks;
mod key;
mod logout;
mod proven;
#[cfg(test)]
mod tests;
mod token;

use serde_json::{Map, Value};
use tokio::sync::watch;

use self::claims::Rules;
use self::jwks::KeySet;
use self::key::VerifyingKey;
use self::logout::Logouts;
use self::proven::{Print, Proven};
use self::token::{Purpose, Token};
use super::error::{Flaw, SessionError};
use super::moment::{HORIZON, Moment};
use super::{Activity, Knock, Logout, Session, Standing, bearer};
use crate::config::{Algorithm, CookieName, Jwt, JwtKeys};
use crate::id::RouteName;
use crate::person::Person;

/// The `jwt` check.
#[derive(Debug)]
pub(super) struct JwtCheck {
    cookie: Option<CookieName>,
    algorithms: Vec<Algorithm>,
    keys: Keys,
    rules: Rules,
    logouts: Option<Logouts>,
}

impl JwtCheck {
    /// Prepares the check; fails when the key cannot be used with the algorithms.
    pub(super) fn new(
        route: &RouteName,
        jwt: Jwt,
        http: &reqwest::Client,
    ) -> Result<Self, SessionError> {
        let remember = jwt.remembers().map(|memory| memory.min(HORIZON));
        let keys = Keys::new(route, jwt.keys, &jwt.algorithms, http)?;
        let longest = jwt.logout.as_ref().map(|logout| logout.memory);
        let logouts = jwt.logout.zip(remember);
        Ok(Self {
            cookie: jwt.cookie,
            algorithms: jwt.algorithms,
            keys,
            rules: Rules {
                issuer: jwt.issuer,
                audience: jwt.audience,
                subject: jwt.subject,
                session: jwt.session,
                leeway: jwt.leeway,
                longest,
            },
            logouts: logouts.map(|(config, remember)| Logouts::new(route, config, remember)),
        })
    }

    /// The cookie that carries a browser's token.
    pub(super) fn cookie(&self) -> Option<&CookieName> {
        self.cookie.as_ref()
    }

    /// Finds and judges a token; `None` when there is none.
    pub(super) async fn identify(&self, knock: Knock<'_>) -> Result<Option<Session>, SessionError> {
        let Some(text) = bearer::find(knock, self.cookie.as_ref())? else {
            return Ok(None);
        };
        let (person, standing) = self.read(text).await?;
        let (_, standing) = watch::channel(standing);
        Ok(Some(Session {
            person,
            standing,
            activity: Activity::default(),
            app: None,
        }))
    }

    /// Whether the key set could be fetched last; `None` where the keys are fixed.
    pub(super) fn is_up(&self) -> Option<bool> {
        match &self.keys {
            Keys::Fixed(..) => None,
            Keys::Set(set) => Some(set.is_up()),
        }
    }

    /// Judges a logout token; `None` when this check takes none.
    pub(super) async fn logout(&self, text: &[u8]) -> Result<Option<Logout>, SessionError> {
        let Some(logouts) = &self.logouts else {
            return Ok(None);
        };
        let print = Print::of(text)?;
        let token = self.verified(text, Purpose::Logout, print).await?;
        Ok(Some(logouts.judge(
            &self.rules,
            &token.claims()?,
            Moment::now(),
        )?))
    }

    /// Whom a token describes, and how it stands. One that is known need not be taken apart again.
    async fn read(&self, text: &[u8]) -> Result<(Person, Standing), SessionError> {
        let print = Print::of(text)?;
        if let Some(person) = self.keys.recall(print) {
            let standing = self.judge(person.claims())?;
            return Ok((person, standing));
        }
        let token = self.verified(text, Purpose::Session, print).await?;
        let claims = token.claims()?;
        let standing = self.judge(&claims)?;
        let person = self.rules.describe(claims)?;
        self.keys.remember(print, &person);
        Ok((person, standing))
    }

    fn judge(&self, claims: &Map<String, Value>) -> Result<Standing, Flaw> {
        let judged = self.rules.judge(claims, Moment::now());
        if let (Err(Flaw::Lasting), Some(logouts)) = (&judged, &self.logouts) {
            logouts.report_lasting();
        }
        judged
    }

    async fn verified<'a>(
        &self,
        text: &'a [u8],
        purpose: Purpose,
        print: Print,
    ) -> Result<Token<'a>, SessionError> {
        let token = Token::parse(text, purpose)?;
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(Flaw::Algorithm.into());
        }
        self.keys.verify(&token, print).await?;
        Ok(token)
    }
}

/// What verifies a signature.
#[derive(Debug)]
enum Keys {
    Fixed(VerifyingKey, Proven),
    Set(KeySet),
}

impl Keys {
    fn new(
        route: &RouteName,
        keys: JwtKeys,
        algorithms: &[Algorithm],
        http: &reqwest::Client,
    ) -> Result<Self, SessionError> {
        let key = match keys {
            JwtKeys::Hmac(secret) => VerifyingKey::from_secret(&secret),
            JwtKeys::Jwks(jwks) => return Ok(Self::Set(KeySet::new(route, jwks, http))),
            JwtKeys::Pem(pem) => VerifyingKey::from_pem(&pem)?,
        };
        if algorithms.iter().any(|algorithm| key.fits(*algorithm)) {
            return Ok(Self::Fixed(key, Proven::default()));
        }
        let words = format!("none of the algorithms fits the key, {}", key.describe());
        Err(SessionError::Setup(words))
    }

    /// Whom a token describes that is known to be good.
    fn recall(&self, print: Print) -> Option<Person> {
        match self {
            Self::Fixed(_, proven) => proven.recall(print),
            Self::Set(set) => set.recall(print),
        }
    }

    /// Notes whom a token describes that was verified.
    fn remember(&self, print: Print, person: &Person) {
        match self {
            Self::Fixed(_, proven) => proven.remember(print, person),
            Self::Set(set) => set.remember(print, person),
        }
    }

    async fn verify(&self, token: &Token<'_>, print: Print) -> Result<(), SessionError> {
        match self {
            Self::Fixed(key, _) if !key.fits(token.algorithm()) => Err(Flaw::Algorithm.into()),
            Self::Fixed(key, proven) => Ok(proven.vouch(print, || {
                key.verifies(token).then_some(()).ok_or(Flaw::Signature)
            })?),
            Self::Set(set) => set.verify(token, print).await,
        }
    }
}
