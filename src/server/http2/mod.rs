//! HTTP/2 at the public door: one connection carries many requests and websockets (RFC 8441).
//!
//! A connection that TLS has agreed upon enters; each of its streams is answered as a connection of
//! its own would be. What a peer can make us hold is bounded: by streams, by windows, by the size of
//! a head, by the requests it takes back, and by the time that a connection without any stays open,
//! which is short where its seat is needed.
//! It needs no pings of its own: every websocket is pinged by its relay.

mod body;
mod head;
mod stream;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::header::CONNECTION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::debug;

use self::body::StreamBody;
use self::stream::{Outgoing, StreamIo};
use super::reply::Body;
use super::{ClientIo, Connection, Server, refuse};
use crate::config::Http2;
use crate::fault::Fault;
use crate::relay::End;

/// How much of one stream may wait to be read here. A connection may hold as much for each stream that it
/// may carry, so that those that are not read stop no other; and each stream has a seat, so that all
/// connections together hold no more than that for each seat.
const STREAM_WINDOW: u32 = 64 << 10;
/// The largest that HTTP/2 can say (RFC 9113 section 6.9.1).
const LARGEST_WINDOW: u32 = i32::MAX as u32;
/// How much of one stream may wait to be taken by the client.
const UNSENT: usize = 64 << 10;
/// How many more requests a client may take back than it lets be answered, and how many streams it may break.
const TAKEN_BACK: u32 = 100;
/// How long an answer may wait to be taken, and a connection without anything open for its end.
const PARTING: Duration = Duration::from_secs(5);

/// Serves a connection until it ends.
pub(super) async fn serve(
    server: Arc<Server>,
    limits: Http2,
    io: ClientIo,
    connection: Connection,
    stop: CancellationToken,
) {
    let (peer, guest) = (connection.peer, server.lobby.enter());
    let greeted = builder(limits, server.limits.head_bytes).handshake(io);
    let greeted = guest.unless_sent_away(greeted);
    let http = match timeout(server.limits.head_timeout, greeted).await {
        Ok(Some(Ok(http))) => http,
        Ok(Some(Err(error))) => return debug!(%peer, %error, "no HTTP/2"),
        Ok(None) => return debug!(%peer, "no HTTP/2 before its seat was needed"),
        Err(_) => return debug!(%peer, "the client has not begun to speak HTTP/2"),
    };
    drop(guest);
    let visit = Visit {
        server,
        connection,
        idle: limits.idle,
        going: TaskTracker::new(),
        taken_back: Arc::default(),
    };
    visit.going.close();
    visit.attend(http, stop).await;
}

fn builder(limits: Http2, head_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(
            limits
                .streams
                .saturating_mul(STREAM_WINDOW)
                .min(LARGEST_WINDOW),
        )
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(Some(TAKEN_BACK as usize))
        .max_send_buffer_size(UNSENT);
    builder
}

/// A client on one connection.
struct Visit {
    server: Arc<Server>,
    connection: Connection,
    idle: Duration,
    /// The requests and websockets that are not over.
    going: TaskTracker,
    /// How many more requests were taken back than answered.
    taken_back: Arc<AtomicU32>,
}

type Http = h2::server::Connection<ClientIo, Bytes>;

impl Visit {
    /// Takes what comes, until nothing has come for long or a stop wants the connection to end.
    async fn attend(&self, mut http: Http, stop: CancellationToken) {
        let live = Arc::clone(&self.server.estate.house().live);
        loop {
            tokio::select! {
                // What has come counts before what wants the connection to end for want of it.
                biased;
                // A page that is told to come back must not come back here.
                () = live.drained() => break,
                () = stop.cancelled() => break,
                next = http.accept() => match next {
                    // One who is not believed any more must shake hands again.
                    Some(Ok((_, mut respond))) if self.is_outdated() => {
                        respond.send_reset(Reason::REFUSED_STREAM);
                        break;
                    }
                    Some(Ok((request, respond))) => self.take(request, respond),
                    Some(Err(error)) => return self.lost(&error),
                    None => return,
                },
                () = self.quiet(self.idle) => break,
                () = self.unwanted() => return self.dismiss(http),
            }
            if self.taken_back.load(Ordering::Relaxed) > TAKEN_BACK {
                debug!(peer = %self.connection.peer, "too many requests were taken back");
                http.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
        }
        http.graceful_shutdown();
        self.part(http).await;
    }

    /// Lets what is open go on to its end, but nothing else.
    async fn part(&self, mut http: Http) {
        loop {
            tokio::select! {
                next = http.accept() => match next {
                    Some(Ok((_, mut respond))) => respond.send_reset(Reason::REFUSED_STREAM),
                    Some(Err(error)) => return self.lost(&error),
                    None => return,
                },
                () = self.quiet(PARTING) => return,
            }
        }
    }

    /// Ends a connection whose seat is needed. What comes over it meanwhile is told that nobody took it,
    /// so that the client may ask again elsewhere. A farewell that cannot be said at once is not said:
    /// nobody keeps a seat by reading nothing.
    fn dismiss(&self, mut http: Http) {
        debug!(peer = %self.connection.peer, "nothing was open, and its seat was needed");
        http.abrupt_shutdown(Reason::NO_ERROR);
        let over = unconstrained(poll_fn(|cx| http.poll_closed(cx)));
        match over.now_or_never() {
            Some(Ok(())) => {}
            Some(Err(error)) => self.lost(&error),
            None => debug!(peer = %self.connection.peer, "the client does not take its farewell"),
        }
    }

    /// Waits until nothing has been open for so long.
    async fn quiet(&self, long: Duration) {
        self.going.wait().await;
        sleep(long).await;
    }

    /// Waits until it has to make room, which it has while nothing is open.
    async fn unwanted(&self) {
        self.going.wait().await;
        self.server.lobby.enter().sent_away().await;
    }

    fn is_outdated(&self) -> bool {
        self.connection.is_outdated(&self.server.estate.house())
    }

    fn lost(&self, error: &h2::Error) {
        debug!(peer = %self.connection.peer, %error, "connection ended badly");
    }

    fn take(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let stream = Stream {
            server: Arc::clone(&self.server),
            respond,
            taken_back: Arc::clone(&self.taken_back),
        };
        let going = self.going.token();
        match self.seat() {
            Some(connection) => tokio::spawn(stream.serve(request, connection, going)),
            None => tokio::spawn(stream.turn_away(going)),
        };
    }

    /// A seat for one more stream: the connection's own for the first, and a further one for each
    /// that is open at the same time. `None` when there is none.
    fn seat(&self) -> Option<Connection> {
        let connection = self.connection.clone();
        // One here, and one of the visit.
        if Arc::strong_count(&connection.seat) <= 2 {
            return Some(connection);
        }
        let further = Arc::clone(&self.server.seats).try_acquire_owned().ok()?;
        let seat = Arc::new(further);
        Some(Connection { seat, ..connection })
    }
}

/// A stream on which a request has come.
struct Stream {
    server: Arc<Server>,
    respond: SendResponse<Bytes>,
    taken_back: Arc<AtomicU32>,
}

impl Stream {
    /// Answers, unless the client takes its request back.
    async fn serve(
        mut self,
        request: Request<RecvStream>,
        connection: Connection,
        going: TaskTrackerToken,
    ) {
        let server = Arc::clone(&self.server);
        let (head, incoming) = request.into_parts();
        let request = match head::read(head) {
            Ok(head) => Request::from_parts(head, ()),
            Err(fault) => return self.say(refuse(&server.estate.house(), fault)).await,
        };
        if request.method() == Method::CONNECT {
            let (sender, receiver) = oneshot::channel();
            let request = request.map(|()| StreamBody::none());
            let handover = async move {
                let io: StreamIo = receiver.await.ok()?;
                let early = Bytes::new();
                Some(End { io, early })
            };
            let answer = server.answer(request, connection, handover);
            if let Some(answer) = self.unless_taken_back(answer).await {
                self.begin(answer, incoming, sender, going).await;
            }
        } else {
            let request = request.map(|()| StreamBody::new(incoming));
            let nothing = async { None::<End<StreamIo>> };
            let answer = server.answer(request, connection, nothing);
            if let Some(answer) = self.unless_taken_back(answer).await {
                self.say(answer).await;
            }
        }
    }

    /// Says that there is no room.
    async fn turn_away(self, _going: TaskTrackerToken) {
        let answer = refuse(&self.server.estate.house(), Fault::TooMany);
        self.say(answer).await;
    }

    async fn unless_taken_back(
        &mut self,
        answer: impl Future<Output = Response<Body>>,
    ) -> Option<Response<Body>> {
        tokio::select! {
            biased;
            _ = poll_fn(|cx| self.respond.poll_reset(cx)) => {
                self.taken_back.fetch_add(1, Ordering::Relaxed);
                None
            }
            answer = answer => {
                let balance = |count: u32| count.checked_sub(1);
                let _ = self.taken_back.fetch_update(Ordering::Relaxed, Ordering::Relaxed, balance);
                Some(answer)
            }
        }
    }

    /// Makes the stream a websocket's, where the answer says so.
    async fn begin(
        mut self,
        answer: Response<Body>,
        incoming: RecvStream,
        handover: oneshot::Sender<StreamIo>,
        going: TaskTrackerToken,
    ) {
        if answer.status() != StatusCode::OK {
            return self.say(answer).await;
        }
        if let Some(outgoing) = self.send(answer.map(drop)) {
            // Where nobody waits for it any more, dropping it breaks it off.
            let _ = handover.send(StreamIo::new(incoming, outgoing, going));
        }
    }

    /// Answers. HTTP/1.1 ends the connection of an answer that is not taken; here it is broken off,
    /// and leaves the connection to its neighbours.
    async fn say(mut self, answer: Response<Body>) {
        let (mut head, body) = answer.into_parts();
        // It ends its stream, which says the same.
        head.headers.remove(CONNECTION);
        let Ok(body) = body.collect().await;
        let Some(mut outgoing) = self.send(Response::from_parts(head, ())) else {
            return;
        };
        let said = async {
            outgoing.write_all(&body.to_bytes()).await?;
            outgoing.shutdown().await
        };
        match timeout(PARTING, said).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "the client left before its answer"),
            Err(_) => debug!("the client does not take its answer"),
        }
    }

    fn send(&mut self, head: Response<()>) -> Option<Outgoing> {
        let sent = self.respond.send_response(head, false);
        let sent = sent.inspect_err(|error| debug!(%error, "the client left before its answer"));
        sent.ok().map(Outgoing::new)
    }
}
