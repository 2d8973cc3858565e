//! The gate: from a knock to two open ends, or to the fault that stopped it.
//!
//! It asks the four questions in their order and carries the values from one hand to the next. The
//! engine is dialled before the client gets its 101, so whatever goes wrong here is still an
//! answer over HTTP.

mod identity;
mod origin;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

pub use self::identity::IdentityKey;
use crate::config::{Access, Apps, Route};
use crate::credential::{Credential, Credentials};
use crate::engine::{Dial, Engine, EngineError, EngineSocket};
use crate::fault::{Fault, Faulty};
use crate::id::{AppId, ConnectionId, EngineIdentity, RouteName, SessionId};
use crate::live::Live;
use crate::person::Person;
use crate::policy::{Permit, Reading, permit};
use crate::qix::{Document, Target};
use crate::record::{Meters, Opening};
use crate::relay::{Compression, Leash, Terms};
use crate::revoked::Revoked;
use crate::session::{Client, Knock, Session, SessionError, Sessions, Ticket, Upgrade};

/// The gate of the whole proxy.
#[derive(Debug)]
pub struct Gate {
    lanes: HashMap<RouteName, Lane>,
    identities: IdentityKey,
    live: Arc<Live>,
    revoked: Arc<Revoked>,
    meters: Arc<Meters>,
}

/// One route, with the hands that answer its questions.
#[derive(Debug)]
pub struct Lane {
    /// The route as configured.
    pub route: Arc<Route>,
    /// Who is this?
    pub sessions: Sessions,
    /// As whom does the engine see them?
    pub credentials: Credentials,
    /// Which Qlik?
    pub engine: Engine,
}

/// A lawful websocket request, whose origin is known.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The connection it came on.
    pub id: ConnectionId,
    /// The other end's address.
    pub address: IpAddr,
    /// Browser or program.
    pub client: Client,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The query of its URL; nothing but a ticket is looked for in it.
    pub query: Option<&'a str>,
    /// The permessage-deflate offers it made.
    pub offers: Option<&'a str>,
}

/// What the gate has opened: the engine's end, and all that the relay needs.
#[derive(Debug)]
pub struct Opened {
    /// The engine's end.
    pub engine: EngineSocket,
    /// What the relay is held to.
    pub terms: Terms,
    /// What can end it from outside.
    pub leash: Leash,
}

impl Gate {
    /// Puts a gate together.
    #[must_use]
    pub fn new(
        lanes: Vec<Lane>,
        identities: IdentityKey,
        revoked: Arc<Revoked>,
        live: Arc<Live>,
        meters: Arc<Meters>,
    ) -> Self {
        let lanes = lanes
            .into_iter()
            .map(|lane| (lane.route.name.clone(), lane))
            .collect();
        Self {
            lanes,
            identities,
            live,
            revoked,
            meters,
        }
    }

    /// Whether a request may open a websocket on a route at all, by its `Origin`, before anything
    /// else of it is looked at.
    pub fn admit(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
        origin::admit(route, headers)
    }

    /// Whether a plain request may read what is its sender's own.
    pub fn admit_reader(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
        origin::admit_reader(route, headers)
    }

    /// Finds who sent a plain request. A page may come by bearer here, which it has to send on
    /// purpose, where a cookie goes along by itself.
    pub async fn recognise(&self, route: &Route, knock: Knock<'_>) -> Result<Session, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let by_bearer = Knock {
            client: Client::Program,
            ..knock
        };
        let found = if knock.headers.contains_key(AUTHORIZATION) {
            lane.sessions.identify(by_bearer).await
        } else {
            Err(SessionError::Missing)
        };
        let session = match (found, knock.client) {
            (Err(SessionError::Missing), Client::Browser) => lane.sessions.identify(knock).await?,
            (found, _) => found?,
        };
        self.revoked.refuse_ended(session.person())?;
        if session.is_valid() {
            Ok(session)
        } else {
            Err(Fault::NotSignedIn.into())
        }
    }

    /// Opens the engine for a caller.
    pub async fn open(
        &self,
        route: &Route,
        target: &Target,
        caller: Caller<'_>,
    ) -> Result<Opened, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let knock = Knock {
            headers: caller.headers,
            client: caller.client,
            upgrade: Some(Upgrade {
                query: caller.query,
                document: target.document.as_str(),
            }),
        };
        let session = lane.sessions.identify(knock).await?;
        let person = session.person();
        let permit = lease(&route.access, &session, target)?;
        let identity = self.identities.identify(route, person, &permit);
        let opening = Arc::new(opening(route, person, target, &identity, caller));
        let seat = self.live.seat(&opening, person)?;
        self.revoked.refuse_ended(person)?;
        let credential = lane.credentials.obtain(person).await?;
        let offers = caller
            .offers
            .filter(|_| permit.reading() == Reading::Nothing);
        let call = Call {
            lane,
            person,
            permit: &permit,
            identity: &identity,
            offers,
        };
        let engine = self.dial(call, credential).await?;
        let compression = match engine.extension {
            Some(_) => Compression::Deflate,
            None => Compression::None,
        };
        Ok(Opened {
            terms: Terms {
                permit,
                limits: route.limits,
                engine_ping: route.engine.ping,
                compression,
            },
            leash: Leash {
                standing: session.standing(),
                seat,
            },
            engine,
        })
    }

    /// Lets the open sockets of whoever sent a plain request live as long as the session that it
    /// shows; gives the session, and how many sockets have a later end now.
    pub async fn renew(
        &self,
        route: &Route,
        knock: Knock<'_>,
    ) -> Result<(Session, usize), Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.recognise(route, knock).await?;
        let renewed = lane.sessions.renew(&session);
        Ok((session, renewed))
    }

    /// Gives a ticket to whoever sent a plain request, where the route has tickets: for one app
    /// alone where it is named.
    pub async fn ticket(
        &self,
        route: &Route,
        knock: Knock<'_>,
        app: Option<AppId>,
    ) -> Result<Ticket, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.recognise(route, knock).await?;
        if let Some(app) = &app {
            let target = Target {
                document: Document::App(app.clone()),
                identity: None,
            };
            permit(&route.access, session.person(), &target)?;
        }
        Ok(lane.sessions.ticket(session, knock.headers, app).await?)
    }

    /// Whether a route has tickets.
    #[must_use]
    pub fn has_tickets(&self, route: &Route) -> bool {
        let lane = self.lanes.get(&route.name);
        lane.is_some_and(|lane| lane.sessions.has_tickets())
    }

    /// The subprotocol that a 101 must name, where one carries a ticket.
    #[must_use]
    pub fn subprotocol(&self, route: &Route, headers: &HeaderMap) -> Option<HeaderValue> {
        self.lanes.get(&route.name)?.sessions.subprotocol(headers)
    }

    /// Takes a logout token that a route's issuer has sent: remembers the logout, and ends the
    /// sockets it hits on every route; says how many.
    pub async fn log_out(&self, route: &Route, token: &[u8]) -> Result<usize, SessionError> {
        let lane = self.lanes.get(&route.name).ok_or(SessionError::Missing)?;
        let logout = lane.sessions.logout(token).await?;
        Ok(self.revoked.revoke(&logout.revocation, logout.remember))
    }

    /// Every route's credential outcomes, for telemetry.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values()
    }

    /// Dials; when the engine refuses the credential, once more with a fresh one.
    async fn dial(&self, call: Call<'_>, credential: Credential) -> Result<EngineSocket, Refusal> {
        match self.dial_once(call, &credential).await {
            Err(error) if error.is_unauthorized() => {
                let fresh = call
                    .lane
                    .credentials
                    .renew(call.person, &credential)
                    .await?;
                Ok(self.dial_once(call, &fresh).await?)
            }
            dialled => Ok(dialled?),
        }
    }

    async fn dial_once(
        &self,
        call: Call<'_>,
        credential: &Credential,
    ) -> Result<EngineSocket, EngineError> {
        let started = Instant::now();
        let injection = credential.injection();
        let dial = Dial {
            identity: call.identity,
            injection,
            offers: call.offers,
        };
        let dialled = call.lane.engine.dial(call.permit, dial).await;
        self.meters.dial_took(started.elapsed());
        dialled
    }
}

/// Leave to open a target; a session by a ticket for one app is held to that app.
fn lease(access: &Access, session: &Session, target: &Target) -> Result<Permit, Fault> {
    let whole = permit(access, session.person(), target)?;
    let Some(app) = session.app() else {
        return Ok(whole);
    };
    let access = Access {
        apps: Apps::Listed(vec![app.clone()]),
        ..access.clone()
    };
    permit(&access, session.person(), target)
}

/// What one dial is about.
#[derive(Clone, Copy)]
struct Call<'a> {
    lane: &'a Lane,
    person: &'a Person,
    permit: &'a Permit,
    identity: &'a EngineIdentity,
    offers: Option<&'a str>,
}

fn opening(
    route: &Route,
    person: &Person,
    target: &Target,
    identity: &EngineIdentity,
    caller: Caller<'_>,
) -> Opening {
    Opening {
        id: caller.id,
        client: caller.address,
        route: route.name.clone(),
        app: for_log(target.document.as_str()),
        issuer: for_log(person.issuer().as_str()),
        subject: for_log(person.subject().as_str()),
        session: person.session().map(session_hash),
        identity: identity.clone(),
    }
}

/// Text from outside, escaped and cut.
fn for_log(text: &str) -> String {
    text.chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect()
}

/// Enough of a hash to tell sessions apart in a log, and too little to be one.
fn session_hash(session: &SessionId) -> String {
    let hash = digest(&SHA256, session.expose().as_bytes());
    let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// Why the gate stayed shut: what the client may know, and what the operator should.
#[derive(Debug)]
pub struct Refusal {
    /// The public face.
    pub fault: Fault,
    /// The operator's.
    pub detail: Option<String>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            detail: None,
        }
    }
}

impl<E: Faulty> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self {
            fault: error.fault(),
            detail: Some(error.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(self.fault.answer().text))
    }
}
