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

use tokio::sync::watch;

use self::claims::Rules;
use self::jwks::KeySet;
use self::key::VerifyingKey;
use self::logout::Logouts;
use self::token::{Purpose, Token};
use super::error::{Flaw, SessionError};
use super::moment::{HORIZON, Moment};
use super::{Activity, Knock, Logout, Session, bearer};
use crate::config::{Algorithm, CookieName, Jwt, JwtKeys};
use crate::id::RouteName;

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
        let token = self.verified(text, Purpose::Session).await?;
        let judged = self.rules.judge(token.claims()?, Moment::now());
        if let (Err(Flaw::Lasting), Some(logouts)) = (&judged, &self.logouts) {
            logouts.report_lasting();
        }
        let (person, standing) = judged?;
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
            Keys::Fixed(_) => None,
            Keys::Set(set) => Some(set.is_up()),
        }
    }

    /// Judges a logout token; `None` when this check takes none.
    pub(super) async fn logout(&self, text: &[u8]) -> Result<Option<Logout>, SessionError> {
        let Some(logouts) = &self.logouts else {
            return Ok(None);
        };
        let token = self.verified(text, Purpose::Logout).await?;
        Ok(Some(logouts.judge(
            &self.rules,
            &token.claims()?,
            Moment::now(),
        )?))
    }

    async fn verified<'a>(
        &self,
        text: &'a [u8],
        purpose: Purpose,
    ) -> Result<Token<'a>, SessionError> {
        let token = Token::parse(text, purpose)?;
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(Flaw::Algorithm.into());
        }
        self.keys.verify(&token).await?;
        Ok(token)
    }
}

/// What verifies a signature.
#[derive(Debug)]
enum Keys {
    Fixed(VerifyingKey),
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
            return Ok(Self::Fixed(key));
        }
        let words = format!("none of the algorithms fits the key, {}", key.describe());
        Err(SessionError::Setup(words))
    }

    async fn verify(&self, token: &Token<'_>) -> Result<(), SessionError> {
        match self {
            Self::Fixed(key) if !key.fits(token.algorithm()) => Err(Flaw::Algorithm.into()),
            Self::Fixed(key) if key.verifies(token) => Ok(()),
            Self::Fixed(_) => Err(Flaw::Signature.into()),
            Self::Set(set) => set.verify(token).await,
        }
    }
}
