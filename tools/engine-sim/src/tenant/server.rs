//! The door: accepts connections and shows each request to its room.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use http::{Method, Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    cloud, control,
    refusal::Answer,
    shared::Shared,
    token, upgrade,
    wire::{Cork, Wire},
};

const TLS_LIMIT: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(1);

/// What stands behind a port: it answers requests, one after the other on each connection.
pub(crate) trait Door: Send + Sync + 'static {
    /// What all doors of one stand-in share.
    fn shared(&self) -> &Arc<Shared>;

    /// Answers one request, or drops the connection.
    fn answer(
        &self,
        cork: Cork,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, io::Error>> + Send;
}

/// The one door of a tenant.
pub(crate) struct TenantDoor(pub(crate) Arc<Shared>);

impl Door for TenantDoor {
    fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    async fn answer(&self, cork: Cork, request: Request<Incoming>) -> Result<Answer, io::Error> {
        route(&self.0, cork, request).await
    }
}

/// Accepts connections until the stand-in stops.
pub(crate) async fn listen<D: Door>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    door: Arc<D>,
) {
    loop {
        let accepted = tokio::select! {
            () = door.shared().stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let arrival = greet(stream, acceptor.clone(), Arc::clone(&door));
                door.shared().tasks.spawn(arrival);
            }
            // Out of files: they come back when sockets close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn greet<D: Door>(stream: TcpStream, acceptor: Option<TlsAcceptor>, door: Arc<D>) {
    // A tenant without it is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return serve(stream, door).await;
    };
    let accepted = tokio::select! {
        () = door.shared().stop.cancelled() => return,
        accepted = timeout(TLS_LIMIT, acceptor.accept(stream)) => accepted,
    };
    if let Ok(Ok(stream)) = accepted {
        serve(stream, door).await;
    }
}

async fn serve<S, D>(stream: S, door: Arc<D>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    D: Door,
{
    let cork = Cork::default();
    let wire = TokioIo::new(Wire::new(stream, cork.clone()));
    let service = service_fn(|request| {
        let (door, cork) = (Arc::clone(&door), cork.clone());
        async move { door.answer(cork, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(wire, service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = door.shared().stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // The peer's own mistakes and a scripted drop both end here, and both are its business.
    let _ = timeout(FAREWELL, connection).await;
}

async fn route(
    shared: &Arc<Shared>,
    cork: Cork,
    request: Request<Incoming>,
) -> Result<Answer, io::Error> {
    let (head, body) = request.into_parts();
    if head.uri.path().starts_with("/__sim/") {
        return Ok(control::answer(shared, &head, body).await);
    }
    let entry = shared.ledger.enter(&head);
    let path = head.uri.path();
    if path == "/oauth/token" && head.method == Method::POST {
        token::fetch(shared, &entry, &head, body).await
    } else if path.starts_with("/app/") {
        upgrade::answer(shared, entry, cork, Request::from_parts(head, body)).await
    } else {
        cloud::answer(shared, &entry, &head, body).await
    }
}

/// Waits until the peer or the tenant gives up; then there is nothing to answer.
pub(crate) async fn never(shared: &Shared) -> Result<Infallible, io::Error> {
    shared.stop.cancelled().await;
    Err(dropped())
}

/// Makes hyper close the connection without an answer.
pub(crate) fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped by script")
}
