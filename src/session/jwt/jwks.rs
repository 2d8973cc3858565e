//! A key set behind a URL (RFC 7517), kept for a while.
//!
//! One fetch however many ask. A token that names a key not seen yet costs a fetch at most once a
//! window, however many such tokens strangers send. An endpoint that fails leaves the keys it gave
//! before in use for a while; after that, or when it never answered, nobody can be checked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::ACCEPT;
use serde_json::Value;
use tokio::time::Instant;

use super::super::error::{Flaw, Outage, SessionError};
use super::super::{fetch, json};
use super::key::VerifyingKey;
use super::proven::{Print, Proven};
use super::token::Token;
use crate::config::Jwks;
use crate::flight::Flight;
use crate::id::RouteName;
use crate::person::Person;

/// The largest key set that is read, in bytes.
const LARGEST: usize = 256 * 1024;

/// How many keys are tried for a token that names none.
const TRIES: usize = 8;

/// How soon a failed fetch is tried again while there are no keys at all.
const RETRY: Duration = Duration::from_secs(1);

/// A key set that looks after itself.
#[derive(Debug)]
pub(super) struct KeySet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    route: RouteName,
    jwks: Jwks,
    http: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<Ring>>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    sought: Option<Instant>,
    outage: Option<Outage>,
    flight: Option<Flight<()>>,
}

/// The keys of one fetch, and what they were found to have signed.
#[derive(Debug)]
struct Ring {
    keys: Vec<SetKey>,
    proven: Proven,
}

#[derive(Debug)]
struct SetKey {
    kid: Option<String>,
    key: VerifyingKey,
}

/// What a check has at hand without asking, or what it must wait for.
enum Supply {
    Keys(Arc<Ring>),
    Coming(Flight<()>),
    Failed(Outage),
}

impl KeySet {
    /// A set that is fetched when it is first needed.
    pub(super) fn new(route: &RouteName, jwks: Jwks, http: &reqwest::Client) -> Self {
        Self {
            shared: Arc::new(Shared {
                route: route.clone(),
                jwks,
                http: http.clone(),
                state: Mutex::default(),
            }),
        }
    }

    /// Whether it could be fetched last.
    pub(super) fn is_up(&self) -> bool {
        self.shared.state().outage.is_none()
    }

    /// Whom a token describes that the keys at hand are known to have signed.
    pub(super) fn recall(&self, print: Print) -> Option<Person> {
        let keys = self.shared.state().at_hand(&self.shared.jwks)?;
        keys.proven.recall(print)
    }

    /// Notes whom a token describes.
    pub(super) fn remember(&self, print: Print, person: &Person) {
        let keys = self.shared.state().keys.clone();
        if let Some(keys) = keys {
            keys.proven.remember(print, person);
        }
    }

    /// Verifies a token's signature with the key it names, or any that fits when it names none.
    pub(super) async fn verify(&self, token: &Token<'_>, print: Print) -> Result<(), SessionError> {
        let supply = self.shared.supply();
        if let Supply::Keys(keys) = &supply {
            match keys.verify(token, print) {
                Err(Flaw::Key) => {}
                verdict => return Ok(verdict?),
            }
        }
        let flight = match supply {
            Supply::Keys(_) => self.shared.seek(),
            Supply::Coming(flight) => Some(flight),
            Supply::Failed(outage) => return Err(down(outage)),
        };
        if let Some(flight) = flight {
            flight.land().await;
        }
        self.shared.verify_with_what_came(token, print)
    }
}

impl Shared {
    /// The keys if they are good, or the fetch that is due.
    fn supply(self: &Arc<Self>) -> Supply {
        let mut state = self.state();
        if let Some(keys) = state.at_hand(&self.jwks) {
            return Supply::Keys(keys);
        }
        let none = state.usable(&self.jwks).is_none();
        let nobody = none && state.is_resting(self.jwks.refetch.min(RETRY));
        match state.outage.clone().filter(|_| nobody) {
            Some(outage) => Supply::Failed(outage),
            None => Supply::Coming(self.fetch(&mut state)),
        }
    }

    /// Looks for a key not seen yet, unless that was done a moment ago.
    fn seek(self: &Arc<Self>) -> Option<Flight<()>> {
        let mut state = self.state();
        let sought = state
            .sought
            .is_some_and(|at| at.elapsed() < self.jwks.refetch);
        if !state.is_fetching() {
            if sought {
                return None;
            }
            state.sought = Some(Instant::now());
        }
        Some(self.fetch(&mut state))
    }

    fn verify_with_what_came(&self, token: &Token<'_>, print: Print) -> Result<(), SessionError> {
        let (keys, outage) = {
            let state = self.state();
            (state.usable(&self.jwks), state.outage.clone())
        };
        let verdict = keys.map(|keys| keys.verify(token, print));
        match (verdict, outage) {
            (None | Some(Err(Flaw::Key)), Some(outage)) => Err(down(outage)),
            (Some(verdict), _) => Ok(verdict?),
            (None, None) => Err(down(Outage::Answer("the fetch was lost"))),
        }
    }

    /// Joins the fetch under way, or sets one off.
    fn fetch(self: &Arc<Self>, state: &mut State) -> Flight<()> {
        if let Some(flight) = state.flight.as_ref().filter(|flight| !flight.is_over()) {
            return flight.clone();
        }
        state.attempted = Some(Instant::now());
        let shared = Arc::clone(self);
        let flight = Flight::launch(async move {
            let outcome = shared.ask().await;
            shared.keep(outcome);
        });
        state.flight = Some(flight.clone());
        flight
    }

    async fn ask(&self) -> Result<Arc<Ring>, Outage> {
        let request = self.http.get(self.jwks.url.clone());
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let response = fetch::send(request, self.jwks.timeout).await?;
        if response.status() != StatusCode::OK {
            return Err(Outage::Status(response.status().as_u16()));
        }
        parse(&fetch::body(response, LARGEST).await?)
    }

    fn keep(&self, outcome: Result<Arc<Ring>, Outage>) {
        let mut state = self.state();
        let now = Instant::now();
        state.attempted = Some(now);
        match outcome {
            Ok(keys) => {
                self.report_recovery(&state, &keys.keys);
                state.keys = Some(keys);
                state.fetched = Some(now);
                state.outage = None;
            }
            Err(outage) => {
                self.report_outage(&state, &outage);
                state.outage = Some(outage);
                if state.keys.is_some() && state.usable(&self.jwks).is_none() {
                    tracing::warn!(route = %self.route, "the keys from before have grown older than `jwks_grace`; nobody gets in by them");
                    state.keys = None;
                }
            }
        }
    }

    fn report_outage(&self, state: &State, outage: &Outage) {
        if state.outage.is_none() {
            let keys = state.keys.as_ref().map_or(0, |keys| keys.keys.len());
            tracing::warn!(route = %self.route, %outage, keys, "the key set cannot be fetched; keys from before go on being used, for `jwks_grace`");
        }
    }

    fn report_recovery(&self, state: &State, keys: &[SetKey]) {
        let had_keys = state.keys.as_ref().is_none_or(|keys| !keys.keys.is_empty());
        if keys.is_empty() && had_keys {
            tracing::warn!(route = %self.route, "the key set holds no key that can verify a token");
        } else if state.outage.is_some() {
            tracing::info!(route = %self.route, keys = keys.len(), "the key set is fetched again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The keys, unless they are too old to go on by.
    fn usable(&self, jwks: &Jwks) -> Option<Arc<Ring>> {
        let age = self.fetched?.elapsed();
        let young = age < jwks.keep.max(jwks.grace);
        self.keys.clone().filter(|_| young)
    }

    /// The keys, where nobody is to be asked first.
    fn at_hand(&self, jwks: &Jwks) -> Option<Arc<Ring>> {
        let is_good = self.fetched?.elapsed() < jwks.keep;
        let keys = self.usable(jwks)?;
        (is_good || self.is_resting(jwks.refetch)).then_some(keys)
    }

    /// Whether somebody was asked so short a while ago that nobody is asked again, and has answered.
    fn is_resting(&self, pause: Duration) -> bool {
        let attempted = self.attempted;
        attempted.is_some_and(|at| at.elapsed() < pause) && !self.is_fetching()
    }

    fn is_fetching(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| !flight.is_over())
    }
}

impl Ring {
    fn verify(&self, token: &Token<'_>, print: Print) -> Result<(), Flaw> {
        self.proven.vouch(print, || verify(&self.keys, token))
    }
}

fn verify(keys: &[SetKey], token: &Token<'_>) -> Result<(), Flaw> {
    let fitting = keys.iter().filter(|key| key.key.fits(token.algorithm()));
    let Some(kid) = token.kid() else {
        let good = fitting.take(TRIES).any(|key| key.key.verifies(token));
        return good.then_some(()).ok_or(Flaw::Key);
    };
    let mut named = fitting
        .filter(|key| key.kid.as_deref() == Some(kid))
        .peekable();
    if named.peek().is_none() {
        return Err(Flaw::Key);
    }
    let good = named.take(TRIES).any(|key| key.key.verifies(token));
    good.then_some(()).ok_or(Flaw::Signature)
}

fn parse(body: &[u8]) -> Result<Arc<Ring>, Outage> {
    let set = json::object(body).ok_or(Outage::Answer("no JSON object"))?;
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or(Outage::Answer("no `keys`"))?;
    Ok(Arc::new(Ring {
        keys: keys.iter().filter_map(SetKey::parse).collect(),
        proven: Proven::default(),
    }))
}

impl SetKey {
    fn parse(jwk: &Value) -> Option<Self> {
        let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
        let key = VerifyingKey::from_jwk(jwk)?;
        Some(Self { kid, key })
    }
}

fn down(outage: Outage) -> SessionError {
    let what = "the key set";
    SessionError::Down { what, outage }
}
