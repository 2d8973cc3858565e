//! The store: what is asked of it, and what its answer says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::Pipeline;
use serde_json::{Map, Value};

use super::super::error::{Outage, SessionError};
use super::super::moment::Moment;
use super::super::vouching::{Answer, Health, LAST_LOOK, Pace, Source};
use super::super::{Pseudonyms, json, subject};
use super::express::{self, Signatures};
use super::{Redis, RedisFormat};
use super::{id, spring, touch};
use crate::id::{Issuer, RouteName, SessionId};
use crate::line::Line;
use crate::person::{ClaimPath, Person};

/// The largest session that is read, in bytes.
const LARGEST: usize = 256 * 1024;

/// `PTTL` of a key that is not there.
const GONE: i64 = -2;

/// `PTTL` of a key that stays.
const ENDLESS: i64 = -1;

/// The app's session store.
#[derive(Debug)]
pub(super) struct Store {
    prefix: String,
    format: Format,
    pace: Pace,
    touch: Option<Duration>,
    issuer: Issuer,
    line: Arc<Line>,
    health: Health,
    touching: Health,
}

/// How sessions are written.
#[derive(Debug)]
pub(super) enum Format {
    Express {
        signatures: Signatures,
        places: Places,
    },
    Plain(Pseudonyms),
    Spring {
        places: Places,
        indexed: bool,
    },
}

/// What of a session's content is taken.
#[derive(Debug)]
pub(super) struct Places {
    subject: ClaimPath,
    claims: BTreeMap<String, ClaimPath>,
}

impl Format {
    fn new(format: RedisFormat, pseudonyms: &Pseudonyms) -> Self {
        match format {
            RedisFormat::Express(config) => Self::Express {
                signatures: Signatures::new(&config),
                places: Places {
                    subject: config.subject,
                    claims: config.claims,
                },
            },
            RedisFormat::Plain => Self::Plain(pseudonyms.clone()),
            RedisFormat::Spring(config) => Self::Spring {
                places: Places {
                    subject: config.subject,
                    claims: config.claims,
                },
                indexed: config.indexed,
            },
        }
    }

    /// The session that a cookie names.
    pub(super) fn session(&self, cookie: &[u8]) -> Result<SessionId, SessionError> {
        match self {
            Self::Express { signatures, .. } => signatures.session(cookie),
            Self::Plain(_) => id::parse(cookie),
            Self::Spring { .. } => spring::session(cookie),
        }
    }
}

impl Store {
    /// Prepares the asking.
    pub(super) fn new(
        route: &RouteName,
        config: Redis,
        line: Line,
        pseudonyms: &Pseudonyms,
    ) -> Self {
        let pace = Pace {
            cache: config.cache,
            recheck: config.recheck,
            grace: config.grace,
            patience: config.timeout,
            last_look: LAST_LOOK,
        };
        let server = &config.server;
        let (host, port, database) = (&server.host, server.port, server.database);
        Self {
            issuer: Issuer::new(format!("redis:{host}:{port}/{database}/{}", config.prefix)),
            prefix: config.prefix,
            format: Format::new(config.format, pseudonyms),
            pace: pace.within_reach(),
            touch: config.touch,
            line: Arc::new(line),
            health: Health::new(route, Self::WHAT),
            touching: Health::new(route, "prolonging sessions in the app's session store"),
        }
    }

    /// How sessions are written here.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    async fn look_up(&self, id: &SessionId) -> Result<Answer, SessionError> {
        match &self.format {
            Format::Express { places, .. } => self.look_up_json(id, places).await,
            Format::Plain(pseudonyms) => self.look_up_presence(id, pseudonyms).await,
            Format::Spring { places, indexed } => {
                let mut answer = self.look_up_hash(id, places).await?;
                if *indexed {
                    answer.expires = self.look_up_index(id).await?;
                }
                Ok(answer)
            }
        }
    }

    /// The key is there: nothing else is asked.
    async fn look_up_presence(
        &self,
        id: &SessionId,
        pseudonyms: &Pseudonyms,
    ) -> Result<Answer, SessionError> {
        let mut asking = Pipeline::with_capacity(1);
        asking.cmd("PTTL").arg(self.key(id));
        let (ttl,): (i64,) = self.fetch(&asking).await?;
        let expires = expiry(ttl)?;
        let subject = pseudonyms.subject(&self.issuer, id);
        let (issuer, id) = (self.issuer.clone(), Some(id.clone()));
        let person = Person::new(issuer, subject, id, Map::new());
        Ok(Answer { person, expires })
    }

    async fn look_up_hash(&self, id: &SessionId, places: &Places) -> Result<Answer, SessionError> {
        let key = self.key(id);
        let mut names = vec![spring::field(&places.subject)];
        names.extend(places.claims.values().map(spring::field));
        names.extend([spring::LAST_USED, spring::LONGEST_PAUSE].map(str::to_owned));
        self.refuse_large(&key, &names).await?;
        let mut asking = Pipeline::with_capacity(2);
        asking.cmd("HMGET").arg(&key).arg(&names);
        asking.cmd("PTTL").arg(&key);
        let (values, ttl): (Vec<Option<Vec<u8>>>, i64) = self.fetch(&asking).await?;
        let by_key = expiry(ttl)?;
        if values.iter().flatten().map(Vec::len).sum::<usize>() > LARGEST {
            return Err(Self::down(Outage::TooLarge));
        }
        spring::refuse_java(values.first())?;
        let content = spring::content(&names, values);
        let by_hash = spring::expiry(&content);
        if by_hash.is_some_and(|end| end <= Moment::now().unix()) {
            return Err(SessionError::Denied("the session expired"));
        }
        let person = places.person(self.issuer.clone(), id, &content)?;
        let expires = by_key.into_iter().chain(by_hash).reduce(f64::min);
        Ok(Answer { person, expires })
    }

    /// `HMGET` has no limit: what it would bring is asked first.
    async fn refuse_large(&self, key: &str, names: &[String]) -> Result<(), SessionError> {
        let mut asking = Pipeline::with_capacity(names.len());
        for name in names {
            asking.cmd("HSTRLEN").arg(key).arg(name);
        }
        let lengths: Vec<usize> = self.fetch(&asking).await?;
        if lengths.iter().sum::<usize>() > LARGEST {
            return Err(Self::down(Outage::TooLarge));
        }
        Ok(())
    }

    /// Where hashes outlive their sessions, a key beside each lives as long as the session.
    async fn look_up_index(&self, id: &SessionId) -> Result<Option<f64>, SessionError> {
        let mut asking = Pipeline::with_capacity(1);
        asking.cmd("PTTL").arg(self.key_beside(id));
        let (ttl,): (i64,) = self.fetch(&asking).await?;
        expiry(ttl)
    }

    async fn look_up_json(&self, id: &SessionId, places: &Places) -> Result<Answer, SessionError> {
        let key = self.key(id);
        let mut asking = Pipeline::with_capacity(2);
        // Not `GET`, which has no limit, nor anything that prolongs the key.
        asking.cmd("GETRANGE").arg(&key).arg(0).arg(LARGEST);
        asking.cmd("PTTL").arg(&key);
        let (value, ttl): (Vec<u8>, i64) = self.fetch(&asking).await?;
        let expires = expiry(ttl)?;
        if value.len() > LARGEST {
            return Err(Self::down(Outage::TooLarge));
        }
        let content = express::content(&value);
        let content = content.ok_or_else(|| Self::down(Outage::Content("no unambiguous JSON")))?;
        let person = places.person(self.issuer.clone(), id, &content)?;
        Ok(Answer { person, expires })
    }

    /// What prolongs a session, if it is to be.
    fn touching(&self, span: Duration, id: &SessionId, answer: &Answer) -> Option<Pipeline> {
        let key = self.key(id);
        match &self.format {
            Format::Express { .. } | Format::Plain(_) => touch::key(&key, span, answer),
            Format::Spring { indexed: true, .. } => {
                Some(touch::indexed(&key, &self.key_beside(id), span, answer))
            }
            Format::Spring { .. } => Some(touch::hash(&key, span, answer)),
        }
    }

    fn key(&self, id: &SessionId) -> String {
        format!("{}{}", self.prefix, id.expose())
    }

    fn key_beside(&self, id: &SessionId) -> String {
        format!("{}expires:{}", self.prefix, id.expose())
    }

    async fn fetch<T: redis::FromRedisValue>(&self, asking: &Pipeline) -> Result<T, SessionError> {
        let answer = self.line.ask(asking).await;
        answer.map_err(|error| Self::down(error.into()))
    }
}

impl Source for Store {
    type Evidence = SessionId;

    const WHAT: &'static str = "the app's session store";

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn health(&self) -> &Health {
        &self.health
    }

    async fn ask(&self, id: &SessionId) -> Result<Answer, SessionError> {
        let answer = self.look_up(id).await;
        self.health.learn(&answer);
        answer
    }

    fn can_touch(&self) -> bool {
        self.touch.is_some()
    }

    async fn touch(&self, id: &SessionId, answer: &Answer) {
        let span = self.touch.unwrap_or_default();
        let Some(telling) = self.touching(span, id, answer) else {
            return;
        };
        let told: Result<(), _> = self.fetch(&telling).await;
        self.touching.learn(&told);
    }
}

impl Places {
    fn person(
        &self,
        issuer: Issuer,
        id: &SessionId,
        content: &Map<String, Value>,
    ) -> Result<Person, SessionError> {
        let subject = self.subject.find(content).and_then(json::name);
        let subject = subject.and_then(|text| subject::parse(&text));
        let subject = subject.ok_or(SessionError::Denied("nobody is logged in to it"))?;
        let claims = self.claims.iter();
        let claims = claims
            .filter_map(|(name, place)| Some((name.clone(), place.find(content)?.clone())))
            .collect();
        Ok(Person::new(issuer, subject, Some(id.clone()), claims))
    }
}

/// When a key goes, in seconds since 1970, by its `PTTL`.
fn expiry(ttl: i64) -> Result<Option<f64>, SessionError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years")]
    match ttl {
        GONE | 0 => Err(SessionError::Denied(
            "the app's store holds no such session",
        )),
        ENDLESS => Ok(None),
        ttl @ 1.. => Ok(Some(Moment::now().unix() + ttl as f64 / 1000.0)),
        _ => Err(Store::down(Outage::Answer("a time to live that is none"))),
    }
}
