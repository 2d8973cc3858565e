//! `/sockets`: who is connected, and the means to end it. Always with the token, and never for a
//! name that a foreign page could have pointed here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Value, json};
use tracing::info;
use url::form_urlencoded;

use super::{text, typed};
use crate::config;
use crate::gate;
use crate::id::CustomerName;
use crate::live::{Live, Pick, Socket};
use crate::record::{Opening, Traffic, Way};
use crate::replicas::Replicas;

/// The open sockets, for whoever may see them.
pub(super) struct Sockets {
    token: Option<SecretSlice<u8>>,
    hosts: Vec<String>,
    live: Arc<Live>,
    replicas: Option<Arc<Replicas>>,
}

impl Sockets {
    pub(super) fn new(
        config: config::Admin,
        live: Arc<Live>,
        replicas: Option<Arc<Replicas>>,
    ) -> Self {
        Self {
            token: config.token,
            hosts: config.hosts,
            live,
            replicas,
        }
    }

    pub(super) fn answer(
        &self,
        request: &Request<Incoming>,
        from: IpAddr,
    ) -> Response<Full<Bytes>> {
        if let Err(refused) = self.admit(request.headers()) {
            return refused;
        }
        match *request.method() {
            Method::GET => self.list(),
            Method::DELETE => self.close(request.uri().query().unwrap_or_default(), from),
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "GET or DELETE\n"),
        }
    }

    /// Lets in whoever has the token, and knows us by a name of ours.
    #[expect(
        clippy::result_large_err,
        reason = "it is the answer, made once a request"
    )]
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Response<Full<Bytes>>> {
        let Some(token) = &self.token else {
            return Err(text(
                StatusCode::NOT_FOUND,
                "write `token` into [admin] to use this\n",
            ));
        };
        if !self.is_for_us(headers) {
            return Err(text(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown Host; see `hosts` in [admin]\n",
            ));
        }
        if !carries(headers, token) {
            return Err(text(
                StatusCode::UNAUTHORIZED,
                "send `Authorization: Bearer <[admin] token>`\n",
            ));
        }
        Ok(())
    }

    /// An address cannot be rebound by a page, and neither can `localhost`; names must be listed.
    fn is_for_us(&self, headers: &HeaderMap) -> bool {
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn list(&self) -> Response<Full<Bytes>> {
        let mut sockets = self.live.list(describe);
        sockets.sort_by_key(|socket| socket["id"].as_u64());
        answer(&json!({ "sockets": sockets }))
    }

    fn close(&self, query: &str, from: IpAddr) -> Response<Full<Bytes>> {
        let wanted = form_urlencoded::parse(query.as_bytes()).into_owned();
        let Some(pick) = Pick::new(wanted) else {
            return text(
                StatusCode::BAD_REQUEST,
                "say which: ?session=HASH, ?subject=WHO (with &issuer=ISSUER), ?app=ID, ?customer=NAME or ?id=N\n",
            );
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let closed = self.live.close(&pick, now);
        if let Some(replicas) = &self.replicas {
            replicas.announce_closing(&pick, now);
        }
        let by: Vec<String> = pick.pairs().map(|it| for_log(it, closed)).collect();
        info!(operator.address = %from, by = by.join(" "), closed, "sockets closed by an operator");
        answer(&json!({ "closed": closed }))
    }
}

/// What was asked for, escaped and cut. A session that no socket has may be its id, not its hash.
fn for_log((name, value): (&str, &str), closed: usize) -> String {
    if name == "session" && closed == 0 {
        "session=(none of ours)".to_owned()
    } else {
        format!("{name}={}", gate::for_log(value))
    }
}

fn describe(socket: &Socket) -> Value {
    let opening = socket.opening();
    json!({
        "id": opening.id.0,
        "route": opening.route.as_str(),
        "customer": customer(opening),
        "client": opening.client.to_string(),
        "issuer": socket.person().issuer().as_str(),
        "subject": socket.person().subject().as_str(),
        "session": opening.session,
        "app": &*opening.app,
        "age_seconds": socket.age().as_secs(),
        "up": traffic(socket.tally().read(Way::Up)),
        "down": traffic(socket.tally().read(Way::Down)),
    })
}

fn customer(opening: &Opening) -> Option<&str> {
    opening.customer.as_ref().map(CustomerName::as_str)
}

fn traffic(traffic: Traffic) -> Value {
    json!({ "messages": traffic.messages, "bytes": traffic.bytes })
}

fn carries(headers: &HeaderMap, token: &SecretSlice<u8>) -> bool {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given
        .and_then(|value| value.strip_prefix(b"Bearer "))
        .unwrap_or_default();
    verify_slices_are_equal(given, token.expose_secret()).is_ok()
}

fn answer(body: &Value) -> Response<Full<Bytes>> {
    typed(
        StatusCode::OK,
        "application/json",
        Bytes::from(body.to_string()),
    )
}
