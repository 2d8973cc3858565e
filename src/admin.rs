//! The operators' door: is it alive, is it ready, and its numbers. Loopback unless the config says
//! otherwise; nothing here names a person.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::live::Live;
use crate::telemetry::Metrics;

/// The operators' door.
pub struct Admin {
    listener: TcpListener,
    metrics: Metrics,
    live: Arc<Live>,
}

impl Admin {
    /// Stands behind a bound listener.
    #[must_use]
    pub fn new(listener: TcpListener, metrics: Metrics, live: Arc<Live>) -> Self {
        Self {
            listener,
            metrics,
            live,
        }
    }

    /// Answers until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let admin = Arc::new(self);
        while let Some(accepted) = stop.run_until_cancelled(admin.listener.accept()).await {
            match accepted {
                Ok((tcp, _)) => drop(tokio::spawn(Arc::clone(&admin).serve(tcp))),
                Err(error) => {
                    warn!(%error, "the admin door cannot accept for a moment");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, tcp: TcpStream) {
        let answer =
            |request: Request<Incoming>| self.answer(request.method(), request.uri().path());
        let service = service_fn(|request| ready(Ok::<_, Infallible>(answer(request))));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(tcp), service)
            .await;
        if let Err(error) = served {
            debug!(%error, "admin connection ended badly");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        }
        match path {
            "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
            "/readyz" if self.live.is_draining() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
            }
            "/readyz" => text(StatusCode::OK, "ready\n".to_owned()),
            "/metrics" => metrics(self.metrics.encode()),
            _ => text(StatusCode::NOT_FOUND, "livez, readyz, metrics\n".to_owned()),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn metrics(encoded: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, encoded);
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(open_metrics));
    response
}
