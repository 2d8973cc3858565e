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
use http::HeaderMap;
use tokio::time::Instant;

pub use self::identity::IdentityKey;
use crate::config::Route;
use crate::credential::{Credential, Credentials};
use crate::engine::{Dial, Engine, EngineError, EngineSocket};
use crate::fault::{Fault, Faulty};
use crate::id::{ConnectionId, EngineIdentity, RouteName, SessionId};
use crate::live::Live;
use crate::person::Person;
use crate::policy::{Permit, Reading, permit};
use crate::qix::Target;
use crate::record::{Meters, Opening};
use crate::relay::{Compression, Leash, Terms};
use crate::session::{Client, Knock, Sessions};

/// The gate of the whole proxy.
#[derive(Debug)]
pub struct Gate {
    lanes: HashMap<RouteName, Lane>,
    identities: IdentityKey,
    live: Arc<Live>,
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
    /// What the record begins with.
    pub opening: Opening,
}

impl Gate {
    /// Puts a gate together.
    #[must_use]
    pub fn new(
        lanes: Vec<Lane>,
        identities: IdentityKey,
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
            meters,
        }
    }

    /// Whether a request may open a websocket on a route at all, by its `Origin`, before anything
    /// else of it is looked at.
    pub fn admit(route: &Route, headers: &HeaderMap) -> Result<Client, Fault> {
        origin::admit(route, headers)
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
            peer: caller.address,
        };
        let session = lane.sessions.identify(knock).await?;
        let person = session.person();
        let permit = permit(&route.access, person, target)?;
        let identity = self.identities.identify(route, person, permit.target());
        let (seat, order) = self.live.seat(caller.id, person, &identity)?;
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
            opening: opening(route, person, target, &identity, caller),
            terms: Terms {
                permit,
                limits: route.limits,
                engine_ping: route.engine.ping,
                compression,
            },
            leash: Leash {
                standing: session.standing(),
                order,
                seat,
            },
            engine,
        })
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
        subject: for_log(person.subject().as_str()),
        session: person.session().map(session_hash),
        identity: identity.to_string(),
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
