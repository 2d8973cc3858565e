//! The gate: from a knock to two open ends, or to the fault that stopped it.
//!
//! It asks the four questions in their order and carries the values from one hand to the next. The
//! engine is dialled before the client gets its 101, so whatever goes wrong here is still an
//! answer over HTTP.

mod home;
mod identity;
mod law;
mod logout;
mod origin;
mod plain;
mod refusal;
mod second;
mod text;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Version};
use tokio::time::Instant;
use tracing::warn;

pub use self::home::{Home, Homes};
pub use self::identity::IdentityKey;
pub use self::law::{Lanes, Law};
pub use self::logout::{LoggedOut, Named};
pub use self::plain::Asker;
pub use self::refusal::Refusal;
use self::second::Redial;
pub(crate) use self::text::for_log;
use self::text::shared_for_log;
use crate::config::{self, Access, Apps, Flavour, Print, Route};
use crate::credential::{Credential, Outcomes};
use crate::engine::{Dial, EngineError, EngineIo, EngineSocket};
use crate::fault::{Fault, Faulty};
use crate::id::{AppId, ConnectionId, EngineIdentity};
use crate::live::{Grounds, Live, Seat};
use crate::peer::Peer;
use crate::person::Person;
use crate::policy::{Permit, Reading, permit};
use crate::qix::{Document, Target};
use crate::quota::{Finding, Quotas};
use crate::record::{Ledger, Meters, Opening};
use crate::relay::{Compression, Leash, Second, Terms};
use crate::replicas::Replicas;
use crate::revoked::Revoked;
use crate::session::{Client, Flaw, Knock, Session, SessionError, Sessions, Upgrade};

/// The gate of the whole proxy.
#[derive(Debug)]
pub struct Gate {
    lanes: Arc<Lanes>,
    identities: Arc<IdentityKey>,
    books: Books,
}

/// What the gate looks things up in and writes them down in.
#[derive(Clone, Debug)]
pub struct Books {
    /// The open sockets.
    pub live: Arc<Live>,
    /// The numbers.
    pub meters: Arc<Meters>,
    /// How often somebody may knock.
    pub quotas: Arc<Quotas>,
    /// The remembered logouts.
    pub revoked: Arc<Revoked>,
    /// The rules that count now.
    pub law: Arc<Law>,
    /// Who else is to hear of a logout.
    pub replicas: Option<Arc<Replicas>>,
}

/// One route, with the hands that answer its questions.
#[derive(Debug)]
pub struct Lane {
    /// The route as configured.
    pub route: Arc<Route>,
    /// Who is this?
    pub sessions: Arc<Sessions>,
    /// What that was made of.
    pub print: Print,
    /// What becomes of the tokens that sessions are.
    pub tokens: Tokens,
    /// As whom does which Qlik see them?
    pub homes: Homes,
    /// How the askings for credentials ended so far.
    pub outcomes: Arc<Outcomes>,
}

/// What becomes of the tokens that a route's sessions are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tokens {
    /// They are forgotten.
    Forgotten,
    /// People keep them, for a credential that is made of them.
    Kept,
}

impl Tokens {
    /// What the credentials of these homes ask for.
    pub fn for_any<'a>(mut homes: impl Iterator<Item = &'a config::Home>) -> Self {
        if homes.any(|home| home.credential.wants_session_token()) {
            Self::Kept
        } else {
            Self::Forgotten
        }
    }
}

/// A lawful websocket request, whose origin is known.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The connection it came on.
    pub id: ConnectionId,
    /// The client's address.
    pub address: IpAddr,
    /// The other end of its connection, which is not the client where a proxy is believed.
    pub peer: Peer,
    /// Browser or program.
    pub client: Client,
    /// The HTTP it speaks.
    pub http: Version,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The query of its URL; nothing but a ticket is looked for in it.
    pub query: Option<&'a str>,
    /// The permessage-deflate offers it made.
    pub offers: Option<&'a str>,
}

/// What the gate has opened: the engine's end, and all that the relay needs.
pub struct Opened {
    /// The engine's end.
    pub engine: EngineSocket,
    /// What the relay is held to.
    pub terms: Terms,
    /// What can end it from outside.
    pub leash: Leash,
    /// How the engine is opened once more, where its first words can be that it takes nobody's
    /// credential.
    pub second: Option<Second<EngineIo>>,
}

impl Gate {
    /// Puts a gate together.
    #[must_use]
    pub fn new(lanes: Arc<Lanes>, identities: Arc<IdentityKey>, books: Books) -> Self {
        Self {
            lanes,
            identities,
            books,
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

    /// Opens the engine for a caller.
    pub async fn open(
        &self,
        route: &Route,
        target: &Target,
        caller: Caller<'_>,
    ) -> Result<Opened, Refusal> {
        let lane = self.lanes.get(&route.name).ok_or(Fault::NotFound)?;
        let session = self.identify(lane, target, caller).await?;
        let person = session.person();
        let quotas = &self.books.quotas;
        quotas.open(person).map_err(naming(person))?;
        let home = lane.homes.of(person).map_err(naming(person))?;
        let permit = lease(&home.access, person, session.app(), target).map_err(naming(person))?;
        let whose = Whose {
            route,
            home,
            person,
        };
        let opening = opening(&self.identities, whose, &permit, caller);
        let ledger = Arc::new(Ledger::new(opening));
        let grounds = grounds(whose, &session, &permit, caller);
        let seat = self.take_seat(whose, &ledger, grounds)?;
        let credential = home.credentials.obtain(person).await?;
        let offers = caller.offers.filter(|_| is_passed_unread(home, &permit));
        let call = Call {
            home,
            person,
            permit: &permit,
            identity: &ledger.opening.identity,
            offers,
            meters: &self.books.meters,
        };
        let (engine, credential) = call.dial(credential).await?;
        let (compression, stay) = (Compression::of(engine.extension()), credential.stay());
        let redial = Redial {
            home: Arc::clone(home),
            books: self.books.clone(),
            person: person.clone(),
            permit: permit.clone(),
            ledger,
            refused: credential,
        };
        Ok(Opened {
            second: redial.into_second(),
            terms: Terms {
                permit,
                limits: Arc::clone(&route.limits),
                engine_ping: home.place.ping,
                compression,
                flavour: home.place.flavour,
            },
            leash: Leash {
                standing: session.standing(),
                activity: session.activity(),
                seat,
                stay,
            },
            engine,
        })
    }

    /// Every route with its hands, for telemetry.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values().map(Arc::as_ref)
    }

    /// Takes a seat, and only then asks whether it may be kept: whatever ends sockets meanwhile either
    /// sees the seat or is seen here.
    fn take_seat(
        &self,
        whose: Whose<'_>,
        ledger: &Arc<Ledger>,
        grounds: Grounds,
    ) -> Result<Seat, Refusal> {
        let (books, person) = (&self.books, whose.person);
        let seat = books.live.seat(ledger, person, grounds);
        let seat = seat.map_err(naming(person))?;
        let ended = books.revoked.refuse_ended(person);
        ended.map_err(naming(person))?;
        let outlawed = books.law.refuse_outlawed(&self.lanes, seat.socket());
        outlawed.map_err(naming(person))?;
        Ok(seat)
    }

    /// Finds out who a caller is, within what its address may fail.
    async fn identify(
        &self,
        lane: &Lane,
        target: &Target,
        caller: Caller<'_>,
    ) -> Result<Session, Refusal> {
        let knock = Knock {
            headers: caller.headers,
            client: caller.client,
            peer: caller.peer,
            upgrade: Some(Upgrade {
                query: caller.query,
                document: target.document.as_str(),
            }),
        };
        let showing = lane.sessions.showing(knock);
        let quotas = &self.books.quotas;
        let attempt = quotas.attempt(caller.address, &lane.route.name, showing.as_ref())?;
        let identified = lane.sessions.identify(knock).await;
        attempt.settle(finding(&identified));
        Ok(identified?)
    }
}

/// Whether nobody looks into the messages of a socket, so that they may be compressed end to end.
fn is_passed_unread(home: &Home, permit: &Permit) -> bool {
    permit.reading() == Reading::Nothing && home.place.flavour == Flavour::Engine
}

/// Leave to open a target; a session by a ticket for one app is held to that app.
fn lease(
    access: &Access,
    person: &Person,
    app: Option<&AppId>,
    target: &Target,
) -> Result<Permit, Fault> {
    let whole = permit(access, person, target)?;
    let Some(app) = app else {
        return Ok(whole);
    };
    let access = Access {
        apps: Apps::Listed(vec![app.clone()]),
        ..access.clone()
    };
    permit(&access, person, target)
}

/// What a session check says of the credential that was shown.
fn finding(identified: &Result<Session, SessionError>) -> Finding {
    match identified {
        Ok(_) => Finding::Good,
        // What its issuer signed is no guess, and nobody had to be asked in vain.
        Err(SessionError::Missing | SessionError::Token(Flaw::Lasting)) => Finding::Nothing,
        Err(error) if error.fault() == Fault::SessionCheckDown => Finding::Unknown,
        Err(_) => Finding::Bad,
    }
}

/// A refusal that names the person to the operator.
fn naming<E: Into<Refusal>>(person: &Person) -> impl Fn(E) -> Refusal + '_ {
    |why| why.into().about("subject", person.subject().as_str())
}

/// What one dial is about.
#[derive(Clone, Copy)]
struct Call<'a> {
    home: &'a Home,
    person: &'a Person,
    permit: &'a Permit,
    identity: &'a EngineIdentity,
    offers: Option<&'a str>,
    meters: &'a Meters,
}

impl Call<'_> {
    /// Dials; when the engine refuses the credential, once more with a fresh one. The credential
    /// that opened it comes along.
    async fn dial(self, credential: Credential) -> Result<(EngineSocket, Credential), Refusal> {
        match self.dial_once(&credential).await {
            Err(error) if self.home.engine.wants_another(&error) => {
                let dialled = self.dial_afresh(&credential).await;
                if let Err(refusal) = &dialled {
                    let subject = for_log(self.person.subject().as_str());
                    warn!(
                        subject, detail = %refusal,
                        "the engine did not take the credential, and there is no fresh one"
                    );
                }
                dialled
            }
            dialled => Ok((dialled?, credential)),
        }
    }

    async fn dial_afresh(
        self,
        refused: &Credential,
    ) -> Result<(EngineSocket, Credential), Refusal> {
        let fresh = self.home.credentials.renew(self.person, refused).await?;
        Ok((self.dial_once(&fresh).await?, fresh))
    }

    async fn dial_once(self, credential: &Credential) -> Result<EngineSocket, EngineError> {
        let started = Instant::now();
        let injection = credential.injection();
        let dial = Dial {
            identity: self.identity,
            injection,
            offers: self.offers,
        };
        let dialled = self.home.engine.dial(self.permit, dial).await;
        self.meters.dial_took(started.elapsed());
        dialled
    }
}

/// Somebody, and where they come in.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The route.
    pub route: &'a Route,
    /// The Qlik.
    pub home: &'a Home,
    /// The person.
    pub person: &'a Person,
}

fn opening(keys: &IdentityKey, whose: Whose<'_>, permit: &Permit, caller: Caller<'_>) -> Opening {
    let Whose {
        route,
        home,
        person,
    } = whose;
    Opening {
        id: caller.id,
        client: caller.address,
        http: caller.http,
        route: route.name.clone(),
        customer: home.customer.clone(),
        app: shared_for_log(match &permit.target().document {
            Document::App(app) => app.share(),
            document => document.as_str().into(),
        }),
        subject: shared_for_log(person.subject().share()),
        session: person.session().map(|it| keys.name_session(it).into()),
        identity: keys.identify(whose, permit),
    }
}

/// All that other rules would judge the socket by.
fn grounds(whose: Whose<'_>, session: &Session, permit: &Permit, caller: Caller<'_>) -> Grounds {
    let browser = caller.client == Client::Browser;
    let origin = browser.then(|| origin::of(whose.route, caller.headers));
    Grounds {
        origin: origin.flatten(),
        app: session.app().cloned(),
        permit: permit.clone(),
        basis: whose.home.basis(whose.route),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_issuer_signed_for_too_long_is_no_outage_and_no_guess() {
        let found = |flaw: Flaw| finding(&Err(flaw.into()));
        assert_eq!(found(Flaw::Lasting), Finding::Nothing);
        assert_eq!(found(Flaw::Expired), Finding::Bad);
        assert_eq!(finding(&Err(SessionError::Missing)), Finding::Nothing);
    }
}
