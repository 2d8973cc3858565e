//! The door: accepts connections and shows each request to its room.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http::{Method, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    control,
    refusal::{Answer, Refusal},
    shared::Shared,
    token, upgrade,
    wire::{Cork, Wire},
};

const TLS_LIMIT: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(1);

/// Accepts connections until the tenant stops.
pub(super) async fn listen(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let arrival = greet(stream, acceptor.clone(), Arc::clone(&shared));
                shared.tasks.spawn(arrival);
            }
            // Out of files: they come back when sockets close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn greet(stream: TcpStream, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // A tenant without it is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return serve(stream, shared).await;
    };
    let accepted = tokio::select! {
        () = shared.stop.cancelled() => return,
        accepted = timeout(TLS_LIMIT, acceptor.accept(stream)) => accepted,
    };
    if let Ok(Ok(stream)) = accepted {
        serve(stream, shared).await;
    }
}

async fn serve<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let cork = Cork::default();
    let wire = TokioIo::new(Wire::new(stream, cork.clone()));
    let service = service_fn(|request| route(Arc::clone(&shared), cork.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(wire, service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = shared.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // The peer's own mistakes and a scripted drop both end here, and both are its business.
    let _ = timeout(FAREWELL, connection).await;
}

async fn route(
    shared: Arc<Shared>,
    cork: Cork,
    request: Request<Incoming>,
) -> Result<Answer, io::Error> {
    let (head, body) = request.into_parts();
    if head.uri.path().starts_with("/__sim/") {
        return Ok(control::answer(&shared, &head, body).await);
    }
    let entry = shared.ledger.enter(&head);
    let path = head.uri.path();
    if path == "/oauth/token" && head.method == Method::POST {
        token::fetch(&shared, &entry, &head, body).await
    } else if path.starts_with("/app/") {
        upgrade::answer(&shared, entry, cork, Request::from_parts(head, body)).await
    } else {
        Ok(Refusal::plain(StatusCode::NOT_FOUND).answer(shared.vault.trace()))
    }
}

/// Waits until the peer or the tenant gives up; then there is nothing to answer.
pub(super) async fn never(shared: &Shared) -> Result<Infallible, io::Error> {
    shared.stop.cancelled().await;
    Err(dropped())
}

/// Makes hyper close the connection without an answer.
pub(super) fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped by script")
}
