//! A websocket's place on an engine session: calls in, messages out.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    Registry, calls,
    rpc::{Answer, Fault, Request},
    session::{News, SeatId, Session},
};

/// One websocket's place on an engine session. Dropping it leaves the session.
#[derive(Debug)]
pub struct Socket {
    registry: Arc<Registry>,
    session: Arc<Mutex<Session>>,
    seat: SeatId,
    notify: Arc<Notify>,
    ttl: Duration,
}

impl Socket {
    pub(super) fn new(
        registry: Arc<Registry>,
        session: Arc<Mutex<Session>>,
        (seat, notify): (SeatId, Arc<Notify>),
        ttl: Duration,
    ) -> Self {
        Self {
            registry,
            session,
            seat,
            notify,
            ttl,
        }
    }

    /// Takes one JSON-RPC request and returns the messages to send back, the answer first.
    pub fn call(&mut self, request: &Value) -> Vec<Value> {
        let request = match Request::parse(request) {
            Ok(request) => request,
            Err((id, fault)) => return vec![failure(&id, &fault, &News::default())],
        };
        let mut session = lock(&self.session);
        let outcome = calls::answer(&mut session, self.seat, &request);
        session.spread(self.seat);
        let news = session.take_news(self.seat);
        vec![match outcome {
            Ok(answer) => success(&mut session, self.seat, &request, (answer, news)),
            Err(fault) => {
                self.registry.note(&request, &fault);
                failure(&request.id, &fault, &news)
            }
        }]
    }

    /// What other sockets of the session change, to be sent on this one as it comes.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes {
            session: Arc::clone(&self.session),
            seat: self.seat,
            notify: Arc::clone(&self.notify),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.registry.leave(&self.session, self.seat, self.ttl);
    }
}

/// The pushes to one socket: `{"jsonrpc":"2.0","change":[…]}`.
#[derive(Debug)]
pub struct Changes {
    session: Arc<Mutex<Session>>,
    seat: SeatId,
    notify: Arc<Notify>,
}

impl Changes {
    /// The next message to push. Cancel safe: what was not returned comes with the next call,
    /// or in an answer to this socket, whichever is first.
    pub async fn next(&mut self) -> Value {
        loop {
            self.notify.notified().await;
            let news = lock(&self.session).take_news(self.seat);
            if !news.is_empty() {
                return with_news(json!({ "jsonrpc": "2.0" }), &news);
            }
        }
    }
}

/// A panic in one call must not take the session from the others.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn success(
    session: &mut Session,
    seat: SeatId,
    request: &Request,
    (answer, news): (Answer, News),
) -> Value {
    let mut message = json!({ "jsonrpc": "2.0", "id": request.id });
    if request.delta {
        let deltas = &mut session.seat_mut(seat).deltas;
        let reduced = deltas.reduce(request.handle, &request.method, answer);
        message["delta"] = json!(true);
        message["result"] = Value::Object(reduced);
    } else {
        message["result"] = Value::Object(answer);
    }
    with_news(message, &news)
}

fn failure(id: &Value, fault: &Fault, news: &News) -> Value {
    with_news(
        json!({ "jsonrpc": "2.0", "id": id, "error": fault.to_json() }),
        news,
    )
}

fn with_news(mut message: Value, news: &News) -> Value {
    if !news.changed.is_empty() {
        message["change"] = json!(news.changed);
    }
    if !news.closed.is_empty() {
        message["close"] = json!(news.closed);
    }
    message
}
