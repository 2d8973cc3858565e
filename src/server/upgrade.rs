//! From a websocket request to a relay that runs by itself, or to a refusal its client can read.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::peers::Source;
use super::reply::{self, Body};
use super::{ClientIo, Connection, House, farewell, next_id};
use crate::config::{RefusalStyle, Route};
use crate::fault::Fault;
use crate::gate::{Caller, Gate, Opened, Refusal, for_log};
use crate::qix::Target;
use crate::record::Record;
use crate::relay::{self, End, Relay};
use crate::session::Client;
use crate::ws::Handshake;

/// How long a client that does not take its 101 is waited for.
const HANDOVER: Duration = Duration::from_secs(10);

/// A websocket request that has found its route.
pub(super) struct Arrival {
    pub(super) route: Arc<Route>,
    pub(super) target: Target,
    pub(super) source: Source,
    /// Counts as long as somebody is being let in or turned away.
    pub(super) connection: Connection,
}

/// Answers a websocket request, whose connection `handover` gives once it is answered. The `Origin`
/// is looked at before anything else.
pub(super) async fn open<H: Handover>(
    house: &Arc<House>,
    head: Parts,
    knock: Arrival,
    handover: H,
) -> Response<Body> {
    let started = Instant::now();
    let admitted = Gate::admit(&knock.route, &head.headers)
        .and_then(|client| Ok((client, Handshake::read(&head)?)));
    let (client, handshake) = match admitted {
        Ok(admitted) => admitted,
        Err(fault) => return refuse(house, &knock, &ungranted(fault, &head.headers)),
    };
    let caller = Caller {
        id: next_id(),
        address: knock.source.address,
        peer: knock.source.peer,
        client,
        http: head.version,
        headers: &head.headers,
        query: head.uri.query(),
        offers: handshake.offers(),
    };
    let opened = house.gate.open(&knock.route, &knock.target, caller).await;
    house.meters.gate_took(started.elapsed());
    let visitor = Visitor {
        protocol: house.gate.subprotocol(&knock.route, &head.headers),
        handover,
        client,
        handshake,
    };
    match opened {
        Ok(opened) => relay(house, knock, visitor, opened, started),
        Err(refusal) => turn_away(house, knock, visitor, &refusal),
    }
}

/// Waits for the connection behind a request to become a websocket's; `None` when its client left.
pub(super) trait Handover:
    Future<Output = Option<End<<Self as Handover>::Io>>> + Send + 'static
{
    /// The connection.
    type Io: relay::Io + Send + 'static;
}

impl<F, Io> Handover for F
where
    F: Future<Output = Option<End<Io>>> + Send + 'static,
    Io: relay::Io + Send + 'static,
{
    type Io = Io;
}

/// The client's half of an upgrade that has not happened yet.
struct Visitor<H> {
    handover: H,
    client: Client,
    handshake: Handshake,
    /// The subprotocol that carried its ticket: a browser wants to hear it again.
    protocol: Option<HeaderValue>,
}

/// Answers 101 and lets the relay run by itself.
fn relay<H: Handover>(
    house: &Arc<House>,
    knock: Arrival,
    visitor: Visitor<H>,
    opened: Opened,
    started: Instant,
) -> Response<Body> {
    let response = switching(&visitor, opened.engine.extension());
    let house = Arc::clone(house);
    tokio::spawn(async move {
        let client = take_over(visitor.handover).await;
        let Opened {
            engine,
            terms,
            leash,
            second,
        } = opened;
        let (io, early) = engine.into_parts();
        let engine = End { io, early };
        let ledger = leash.seat.socket().ledger();
        let record = Record::open(ledger, started.elapsed(), Arc::clone(&house.meters));
        let Some(client) = client else {
            // The engine has opened its end: it hears a Close, as of every client that leaves.
            Relay::new(End::gone(), engine, terms, leash, record)
                .run()
                .await;
            return drop(knock);
        };
        let relay = Relay::new(client, engine, terms, leash, record);
        let relay = match second {
            Some(second) => relay.with_second(second),
            None => relay,
        };
        // A task of its own: what it took to get here is not kept for the life of the socket.
        let connection = knock.connection;
        tokio::spawn(async move {
            relay.run().await;
            drop(connection);
        });
    });
    response
}

/// Refuses. A browser cannot read the status of a failed upgrade, so one of an allowed origin is
/// accepted and closed at once, with code and reason.
fn turn_away<H: Handover>(
    house: &Arc<House>,
    knock: Arrival,
    visitor: Visitor<H>,
    refusal: &Refusal,
) -> Response<Body> {
    let response = refuse(house, &knock, refusal);
    let closes = knock.route.refusal == RefusalStyle::AcceptThenClose;
    if !closes || visitor.client == Client::Program {
        return response;
    }
    let response = switching(&visitor, None);
    let (code, grace) = (refusal.fault.answer().close, knock.route.limits.close_grace);
    tokio::spawn(async move {
        if let Some(client) = take_over(visitor.handover).await {
            // Whoever does not answer the Close in time is cut off.
            let _ = timeout(grace, farewell::close(client, code)).await;
        }
        drop(knock);
    });
    response
}

fn refuse(house: &House, knock: &Arrival, refusal: &Refusal) -> Response<Body> {
    let answer = refusal.fault.answer();
    house.meters.refused(refusal.fault);
    let (client, route) = (knock.source.address, &knock.route.name);
    let engine = matches!(
        refusal.fault,
        Fault::EngineBusy | Fault::EngineDown | Fault::EngineRefused | Fault::EngineTimeout
    );
    let app = for_log(knock.target.document.as_str());
    // A credential or session check that fails has been warned of once, where it began.
    if engine {
        warn!(
            client.address = %client, %route, app, reason = answer.label, detail = %refusal,
            "socket refused"
        );
    } else {
        info!(
            client.address = %client, %route, app, reason = answer.label, detail = %refusal,
            "socket refused"
        );
    }
    reply::refusal(refusal)
}

/// A foreign origin is named to the operator: mostly it is one that was forgotten.
fn ungranted(fault: Fault, headers: &HeaderMap) -> Refusal {
    let refusal = Refusal::from(fault);
    if fault != Fault::ForeignOrigin {
        return refusal;
    }
    let origin = headers.get(ORIGIN).map_or(Cow::Borrowed("none"), |origin| {
        String::from_utf8_lossy(origin.as_bytes())
    });
    refusal.about("origin", &origin)
}

fn switching<H>(visitor: &Visitor<H>, extension: Option<&str>) -> Response<Body> {
    let mut response = match visitor.handshake.accept() {
        Some(accept) => switched(accept),
        None => Response::new(Body::default()),
    };
    let headers = response.headers_mut();
    let extension = extension.and_then(|chosen| HeaderValue::from_str(chosen).ok());
    let protocol = visitor.protocol.clone();
    headers.extend(protocol.map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
    headers.extend(extension.map(|chosen| (SEC_WEBSOCKET_EXTENSIONS, chosen)));
    response
}

/// The 101, over HTTP/1.1; over HTTP/2 a plain 200 says the same.
fn switched(accept: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(accept).ok();
    headers.extend(accept.map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    response
}

async fn take_over<H: Handover>(handover: H) -> Option<End<H::Io>> {
    timeout(HANDOVER, handover).await.ok()?
}

/// The connection of an HTTP/1.1 request, all of it.
pub(super) async fn whole_connection(upgrade: OnUpgrade) -> Option<End<ClientIo>> {
    let upgraded = upgrade
        .await
        .inspect_err(|error| debug!(%error, "the client left before its 101"));
    let parts = Upgraded::downcast::<TokioIo<ClientIo>>(upgraded.ok()?).ok()?;
    Some(End {
        io: parts.io.into_inner(),
        early: parts.read_buf,
    })
}
