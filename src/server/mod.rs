//! The public door: accepts connections, reads requests, and sends each where it belongs.

mod body;
mod farewell;
mod http2;
mod listener;
mod lobby;
mod login;
mod logout;
mod peers;
mod reply;
mod session;
mod ticket;
mod upgrade;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::body::Readable;
pub use self::listener::Listener;
use self::listener::Socket;
use self::lobby::{GRACE, Lobby};
pub use self::peers::Peers;
use self::reply::Body;
use self::upgrade::Handover;
use crate::config::{Http2, Listen, Print};
use crate::fault::Fault;
use crate::gate::Gate;
use crate::id::ConnectionId;
use crate::live::Live;
use crate::peer::Peer;
use crate::record::Meters;
use crate::route::{Door, Routes};
use crate::tls::{Acceptor, Protocol, ServerStream};

/// A client's connection, plain or TLS.
pub type ClientIo = Either<Socket, ServerStream<Socket>>;

/// What every connection of the public door shares.
#[derive(Debug)]
pub struct House {
    /// The routes.
    pub routes: Routes,
    /// The gate.
    pub gate: Gate,
    /// The peers that requests come through.
    pub peers: Peers,
    /// The registry.
    pub live: Arc<Live>,
    /// The numbers.
    pub meters: Arc<Meters>,
}

/// The house that counts now. Each request keeps to the one that it met.
#[derive(Debug)]
pub struct Estate(RwLock<Arc<House>>);

impl Estate {
    /// Begins with this one.
    #[must_use]
    pub fn new(house: House) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(house))))
    }

    /// The house.
    #[must_use]
    pub fn house(&self) -> Arc<House> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place, whole.
    pub fn rebuild(&self, house: House) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(house);
    }
}

/// The public door.
pub struct Server {
    listener: Listener,
    tls: Option<Acceptor>,
    estate: Arc<Estate>,
    seats: Arc<Semaphore>,
    lobby: Arc<Lobby>,
    limits: Bounds,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    head_bytes: usize,
    head_timeout: Duration,
    /// `None` where no client is offered HTTP/2.
    http2: Option<Http2>,
}

/// One accepted connection, as its requests know it.
#[derive(Clone, Debug)]
struct Connection {
    peer: Peer,
    /// Who certified peers when it was accepted.
    authorities: Print,
    /// Counts the connection until its last user, be it a relay, is done.
    seat: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    /// Whether its peer showed a certificate when others certified peers than do now.
    fn is_outdated(&self, house: &House) -> bool {
        matches!(self.peer, Peer::Certified(_)) && self.authorities != house.peers.authorities()
    }

    /// The other end, as far as the certificate that it showed still counts.
    fn peer(&self, house: &House) -> Peer {
        match self.peer {
            Peer::Certified(address) if self.is_outdated(house) => Peer::Tcp(address),
            peer => peer,
        }
    }
}

impl Server {
    /// Stands behind a bound listener.
    #[must_use]
    pub fn new(
        listener: Listener,
        tls: Option<Acceptor>,
        estate: Arc<Estate>,
        listen: &Listen,
    ) -> Self {
        let limits = Bounds {
            head_bytes: listen.head_bytes,
            head_timeout: listen.head_timeout,
            http2: listen.http2,
        };
        let seats = Arc::new(Semaphore::new(listen.connections));
        Self {
            listener,
            tls,
            estate,
            seats,
            lobby: Arc::default(),
            limits,
        }
    }

    /// Accepts until `stop`; connections that are open then go on.
    pub async fn run(self, stop: CancellationToken) {
        let (server, mut pause) = (Arc::new(self), FIRST_PAUSE);
        loop {
            let Some(accepted) = stop.run_until_cancelled(server.accept()).await else {
                return;
            };
            match accepted {
                Ok((tcp, connection)) => {
                    pause = FIRST_PAUSE;
                    tokio::spawn(Arc::clone(&server).serve(tcp, connection, stop.clone()));
                }
                Err(error) => {
                    warn!(%error, "no connection can be accepted for a moment");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn accept(&self) -> std::io::Result<(Socket, Connection)> {
        let seat = self.seat().await.map_err(std::io::Error::other)?;
        let (tcp, peer) = self.listener.accept().await?;
        let connection = Connection {
            peer,
            // Before the handshake, which goes by these authorities or by later ones.
            authorities: self.estate.house().peers.authorities(),
            seat: Arc::new(seat),
        };
        Ok((tcp, connection))
    }

    /// Waits for a seat; when there is none, whoever asks for nothing has to give theirs.
    async fn seat(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            tokio::select! {
                biased;
                seat = Arc::clone(&self.seats).acquire_owned() => return seat,
                () = self.lobby.make_room() => {}
            }
            // One seat is enough: nobody else has to go before that one is free.
            let seat = Arc::clone(&self.seats).acquire_owned();
            if let Ok(seat) = timeout(GRACE, seat).await {
                return seat;
            }
        }
    }

    async fn serve(
        self: Arc<Self>,
        tcp: Socket,
        mut connection: Connection,
        stop: CancellationToken,
    ) {
        let (peer, guest) = (connection.peer, self.lobby.enter());
        let io = match guest.unless_sent_away(self.secure(tcp)).await {
            Some(Ok(io)) => io,
            Some(Err(error)) => return debug!(%peer, %error, "no TLS"),
            None => return debug!(%peer, "no TLS before its seat was needed"),
        };
        connection.peer = certified(&io, peer);
        if let (Some(limits), Protocol::Http2) = (self.limits.http2, agreed(&io)) {
            drop(guest);
            return Box::pin(http2::serve(self, limits, io, connection, stop)).await;
        }
        let service = service_fn(async |request| {
            guest.leave();
            let answer = self.answer_whole(request, connection.clone()).await;
            Ok::<_, Infallible>(answer)
        });
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_buf_size(self.limits.head_bytes)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut http = std::pin::pin!(http);
        let served = tokio::select! {
            // A request that has come is heard before its connection has to make room.
            biased;
            served = &mut http => served,
            () = guest.sent_away() => return debug!(%peer, "no request before its seat was needed"),
            () = stop.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = served {
            debug!(%peer, %error, "connection ended badly");
        }
    }

    async fn secure(&self, tcp: Socket) -> std::io::Result<ClientIo> {
        let Some(acceptor) = &self.tls else {
            return Ok(Either::Left(tcp));
        };
        match timeout(self.limits.head_timeout, acceptor.accept(tcp)).await {
            Ok(stream) => stream.map(Either::Right),
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }

    /// Answers a request that has its connection for itself.
    async fn answer_whole(
        &self,
        mut request: Request<Incoming>,
        connection: Connection,
    ) -> Response<Body> {
        let handover = upgrade::whole_connection(hyper::upgrade::on(&mut request));
        self.answer(request, connection, handover).await
    }

    /// Answers a request; `handover` gives what lies behind it, should it become a websocket.
    async fn answer<B: Readable>(
        &self,
        request: Request<B>,
        connection: Connection,
        handover: impl Handover,
    ) -> Response<Body> {
        let (house, target) = (self.estate.house(), request.uri().to_string());
        let found = sole_host(request.headers()).and_then(|host| house.routes.find(&target, host));
        let found = match found {
            Ok(found) => found,
            Err(fault) => return refuse(&house, fault),
        };
        let source = || {
            let peers = &house.peers;
            peers.source(connection.peer(&house), request.headers())
        };
        match found.door {
            Door::Engine(target) => {
                let knock = upgrade::Arrival {
                    route: found.route,
                    target,
                    source: source(),
                    connection,
                };
                let (head, _body) = request.into_parts();
                upgrade::open(&house, head, knock, handover).await
            }
            Door::BackchannelLogout => logout::take(&house, &found.route, source(), request).await,
            Door::Session if request.method() != Method::OPTIONS => {
                session::answer(&house, &found.route, source(), request).await
            }
            Door::Ticket if request.method() != Method::OPTIONS => {
                ticket::answer(&house, &found.route, source(), request).await
            }
            door => reply::small(&found.route, &door, &request),
        }
    }
}

fn refuse(house: &House, fault: Fault) -> Response<Body> {
    house.meters.refused(fault);
    reply::fault(fault)
}

/// What is spoken on a connection.
fn agreed(io: &ClientIo) -> Protocol {
    match io {
        Either::Left(_) => Protocol::Http1,
        Either::Right(tls) => Protocol::agreed(tls.common()),
    }
}

/// A peer, and whether it showed a certificate; the door has verified it then.
fn certified(io: &ClientIo, peer: Peer) -> Peer {
    match (io, peer) {
        (Either::Right(tls), Peer::Tcp(address)) if tls.common().peer_certificates().is_some() => {
            Peer::Certified(address)
        }
        _ => peer,
    }
}

/// The `Host` header; one that stands twice could be another to whoever stands before us.
fn sole_host(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    match hosts.next() {
        None => Ok(host),
        Some(_) => Err(Fault::BadRequest),
    }
}

/// Numbers connections from 1.
fn next_id() -> ConnectionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed))
}

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_stands_twice_is_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(sole_host(&headers), Ok(None));
        headers.append(HOST, http::HeaderValue::from_static("a.example"));
        assert_eq!(sole_host(&headers), Ok(Some("a.example")));
        headers.append(HOST, http::HeaderValue::from_static("b.example"));
        assert_eq!(sole_host(&headers), Err(Fault::BadRequest));
    }
}
