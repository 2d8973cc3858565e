//! The operators' door: is it alive, is it ready, its numbers; and, for whoever has the token, the
//! open sockets. Loopback unless the config says otherwise. The numbers name no person.
//!
//! Each connection has one answer and little time. Where too many come the newest is let in and the
//! oldest goes: whoever is slow on purpose cannot keep a probe out, and takes no more than a few files.

mod sockets;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use self::sockets::Sockets;
use crate::config;
use crate::live::Live;
use crate::replicas::Replicas;
use crate::telemetry::Metrics;
use crate::tls::Acceptor;

/// How long a connection may take, from its acceptance to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections there are at once.
const MOST: usize = 64;
/// The largest request head, in bytes.
const LARGEST_HEAD: usize = 16 << 10;

/// The operators' door.
pub struct Admin {
    listener: TcpListener,
    tls: Option<Acceptor>,
    metrics: Metrics,
    live: Arc<Live>,
    sockets: Sockets,
    reload: Arc<Notify>,
}

/// What the door shows and sets off.
pub struct Inside {
    /// The numbers.
    pub metrics: Metrics,
    /// The open sockets.
    pub live: Arc<Live>,
    /// The other replicas, if there are any.
    pub replicas: Option<Arc<Replicas>>,
    /// Told when the config is to be read anew.
    pub reload: Arc<Notify>,
}

impl Admin {
    /// Stands behind a bound listener.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        tls: Option<Acceptor>,
        config: config::Admin,
        inside: Inside,
    ) -> Self {
        let Inside {
            metrics,
            live,
            replicas,
            reload,
        } = inside;
        let sockets = Sockets::new(config, Arc::clone(&live), replicas);
        Self {
            listener,
            tls,
            metrics,
            live,
            sockets,
            reload,
        }
    }

    /// Answers until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (admin, mut guests) = (Arc::new(self), Guests::default());
        while let Some(accepted) = stop.run_until_cancelled(admin.listener.accept()).await {
            match accepted {
                Ok((tcp, from)) => {
                    guests.let_in(tokio::spawn(Arc::clone(&admin).receive(tcp, from.ip())));
                }
                Err(error) => {
                    warn!(%error, "the admin door cannot accept for a moment");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn receive(self: Arc<Self>, tcp: TcpStream, from: IpAddr) {
        if timeout(PATIENCE, self.secure(tcp, from)).await.is_err() {
            debug!(%from, "an admin connection took too long");
        }
    }

    async fn secure(&self, tcp: TcpStream, from: IpAddr) {
        let Some(acceptor) = &self.tls else {
            return self.serve(tcp, from).await;
        };
        if let Ok(tls) = acceptor.accept(tcp).await {
            self.serve(tls, from).await;
        }
    }

    async fn serve(&self, io: impl AsyncRead + AsyncWrite + Unpin, from: IpAddr) {
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.answer(&request, from))));
        let served = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(io), service)
            .await;
        if let Err(error) = served {
            debug!(%error, "admin connection ended badly");
        }
    }

    fn answer(&self, request: &Request<Incoming>, from: IpAddr) -> Response<Full<Bytes>> {
        let (method, path) = (request.method(), request.uri().path());
        if path == "/sockets" {
            return self.sockets.answer(request, from);
        }
        if path == "/reload" {
            return self.reload(request);
        }
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match path {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" if self.live.is_draining() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => metrics(self.metrics.encode()),
            _ => text(
                StatusCode::NOT_FOUND,
                "livez, readyz, metrics, sockets, reload\n",
            ),
        }
    }

    /// Has the config read anew; how that ends is told by the log and the numbers.
    fn reload(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Err(refused) = self.sockets.admit(request.headers()) {
            return refused;
        }
        if request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
        }
        self.reload.notify_one();
        text(StatusCode::ACCEPTED, "the config is read anew\n")
    }
}

/// Who is being answered, the oldest first.
#[derive(Default)]
struct Guests(VecDeque<AbortOnDropHandle<()>>);

impl Guests {
    fn let_in(&mut self, guest: JoinHandle<()>) {
        self.0.retain(|other| !other.is_finished());
        if self.0.len() >= MOST {
            debug!(most = MOST, "too many at the admin door; the oldest goes");
            self.0.pop_front();
        }
        self.0.push_back(AbortOnDropHandle::new(guest));
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    typed(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(body.as_bytes()),
    )
}

fn metrics(encoded: String) -> Response<Full<Bytes>> {
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    typed(StatusCode::OK, open_metrics, Bytes::from(encoded))
}

fn typed(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
