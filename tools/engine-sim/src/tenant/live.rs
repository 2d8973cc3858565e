//! The life of one websocket: greeting, calls and answers in order, faults, and the end.
//!
//! Enters: an upgraded connection. Leaves: frames, and counts in the ledger.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    frames::{self, Huge},
    ledger::Entry,
    manner::{self, Manner, Pinged, Speaks, Then},
    notices,
    presence::Presence,
    script::LiveFault,
    shared::Shared,
    wire::Cork,
};
use crate::engine::{SessionKey, SessionState, Socket};

const CLOSE_GRACE: Duration = Duration::from_secs(5);
const FAREWELL: Duration = Duration::from_secs(1);
const READ_BUFFER: usize = 8 * 1024;
const FRAGMENT: usize = 7;
const METHOD_NOT_FOUND: i64 = -32601;
/// What a client's Close without a code counts as.
const NO_CODE: u16 = 1005;

/// When the greeting is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Greeting {
    /// Right after the 101.
    Prompt,
    /// In the packet of the 101.
    Early,
    /// Not at all.
    Never,
}

/// What the handshake knows of the socket to come.
pub(crate) struct Arrival {
    pub(crate) key: SessionKey,
    pub(crate) ttl: Duration,
    pub(crate) entry: Entry,
    pub(crate) cork: Cork,
    pub(crate) greeting: Greeting,
    pub(crate) manner: Manner,
}

/// Holds one websocket's conversation until it ends.
pub(crate) async fn converse(shared: Arc<Shared>, upgrade: OnUpgrade, mut arrival: Arrival) {
    let Ok(upgraded) = upgrade.await else { return };
    let (engine, session) = shared.engine.attach(arrival.key.clone(), arrival.ttl);
    // Dropped last: who sees the socket gone sees its counts as well.
    let mut presence = Presence::enter(Arc::clone(&shared));
    let mut conversation = Conversation {
        ws: websocket(upgraded).await,
        engine,
        entry: arrival.entry.clone(),
        shared: Arc::clone(&shared),
        ear: Ear::Open,
        close: Close::Nobody,
        pen: Pen::Up,
        manner: std::mem::take(&mut arrival.manner),
        voice: Voice::Ready,
    };
    tokio::select! {
        over = conversation.hold(&mut presence.told, &arrival, session) => conversation.note(&over),
        () = shared.stop.cancelled() => conversation.take_leave().await,
    }
}

async fn websocket(upgraded: Upgraded) -> Websocket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(None)
        .max_frame_size(None);
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

type Websocket = WebSocketStream<TokioIo<Upgraded>>;

/// How a conversation ended.
enum Over {
    /// With a Close, whoever began it.
    Closed,
    /// By the script.
    Scripted,
    /// Without a Close.
    Lost(Error),
}

impl From<Error> for Over {
    fn from(error: Error) -> Self {
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::SendAfterClosing) => Self::Closed,
            error => Self::Lost(error),
        }
    }
}

impl From<std::io::Error> for Over {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(Error::Io(error))
    }
}

/// Whether messages are answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Voice {
    Ready,
    /// The first words wait for the client's first message.
    Shy(SessionState),
    /// Never again.
    Gone,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ear {
    Open,
    Shut,
}

/// Who began to close.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Close {
    Nobody,
    /// The tenant, which waits for the answer until then.
    Tenant(Instant),
    Client,
}

/// Whether a frame written by hand is half written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pen {
    Up,
    Down,
}

struct Conversation {
    ws: Websocket,
    engine: Socket,
    entry: Entry,
    shared: Arc<Shared>,
    ear: Ear,
    close: Close,
    pen: Pen,
    manner: Manner,
    voice: Voice,
}

/// One message of a client, and what the engine says to it.
struct Exchange {
    id: Value,
    answers: Vec<String>,
}

impl Conversation {
    async fn hold(
        &mut self,
        told: &mut mpsc::UnboundedReceiver<LiveFault>,
        arrival: &Arrival,
        session: SessionState,
    ) -> Over {
        match self.greet(arrival, session).await {
            Ok(()) => self.talk(told).await,
            Err(over) => over,
        }
    }

    async fn greet(&mut self, arrival: &Arrival, session: SessionState) -> Result<(), Over> {
        match (arrival.greeting, self.manner.speaks) {
            (Greeting::Never, _) => {}
            (_, Speaks::AtOnce) => self.speak_up(session).await?,
            (_, Speaks::AfterFirstMessage) => self.voice = Voice::Shy(session),
        }
        arrival.cork.pull();
        self.ws.get_mut().flush().await?;
        match self.shared.stage.next() {
            Some(fault) => self.suffer(fault, None).await,
            None => Ok(()),
        }
    }

    async fn speak_up(&mut self, session: SessionState) -> Result<(), Over> {
        self.voice = Voice::Ready;
        self.send_all(self.manner.words(session)).await?;
        match self.manner.then {
            Then::Engine => Ok(()),
            Then::Silence => {
                self.voice = Voice::Gone;
                Ok(())
            }
            Then::Close => self.say_goodbye(CloseCode::Normal, "").await,
        }
    }

    async fn talk(&mut self, told: &mut mpsc::UnboundedReceiver<LiveFault>) -> Over {
        let mut changes = self.engine.changes();
        loop {
            let step = tokio::select! {
                biased;
                Some(fault) = told.recv() => self.suffer(fault, None).await,
                notice = manner::notice(&mut self.manner.ending), if self.close == Close::Nobody => {
                    self.part(notice.to_string()).await
                }
                change = changes.next(), if self.close == Close::Nobody && self.voice == Voice::Ready => {
                    self.send_all(vec![change.to_string()]).await
                }
                () = grace(self.close) => Err(Over::Scripted),
                message = self.ws.next(), if self.ear == Ear::Open => self.hear(message).await,
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Over> {
        let ledger = &self.shared.ledger;
        match message.ok_or(Over::Closed)?? {
            Message::Text(text) => {
                ledger.message(&self.entry, &text);
                self.answer(&text).await
            }
            Message::Binary(_) => {
                self.say_goodbye(CloseCode::Unsupported, "text frames only")
                    .await
            }
            Message::Ping(_) => {
                ledger.count(|state| state.pings_seen += 1);
                if self.manner.pinged == Pinged::Wedges {
                    self.voice = Voice::Gone;
                }
                Ok(self.ws.flush().await?)
            }
            Message::Pong(_) => {
                ledger.count(|state| state.pongs_seen += 1);
                Ok(())
            }
            Message::Close(frame) => {
                self.heed(frame.map_or(NO_CODE, |frame| frame.code.into()));
                Ok(())
            }
            Message::Frame(_) => Ok(()),
        }
    }

    async fn answer(&mut self, text: &str) -> Result<(), Over> {
        if let Voice::Shy(session) = self.voice {
            self.speak_up(session).await?;
        }
        if self.voice != Voice::Ready || self.close != Close::Nobody {
            return Ok(());
        }
        let exchange = self.ask(text);
        self.reply(exchange).await
    }

    /// Says why, and closes.
    async fn part(&mut self, notice: String) -> Result<(), Over> {
        self.send_all(vec![notice]).await?;
        self.say_goodbye(CloseCode::Normal, "").await
    }

    fn heed(&mut self, code: u16) {
        let close = self.close;
        self.shared.ledger.count(|state| match close {
            Close::Tenant(_) => state.close_answers.push(code),
            Close::Nobody | Close::Client => state.close_codes.push(code),
        });
        if close == Close::Nobody {
            self.close = Close::Client;
        }
    }

    fn ask(&mut self, text: &str) -> Exchange {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            let error = json!({ "code": -32700, "message": "Parse error" });
            let answer = json!({ "jsonrpc": "2.0", "id": null, "error": error });
            return Exchange {
                id: Value::Null,
                answers: vec![answer.to_string()],
            };
        };
        let method = request["method"].as_str().unwrap_or_default();
        self.shared.ledger.call(method);
        let answers = self.engine.call(&request);
        if answers
            .iter()
            .any(|answer| answer["error"]["code"] == METHOD_NOT_FOUND)
        {
            self.shared.ledger.unknown_call(method);
        }
        let answers = answers.iter().map(Value::to_string).collect();
        Exchange {
            id: request["id"].clone(),
            answers,
        }
    }

    async fn reply(&mut self, exchange: Exchange) -> Result<(), Over> {
        match self.shared.stage.call() {
            Some(fault) => self.suffer(fault, Some(exchange)).await,
            None => self.send_all(exchange.answers).await,
        }
    }

    async fn send_all(&mut self, answers: Vec<String>) -> Result<(), Over> {
        for answer in answers {
            self.ws.feed(Message::text(answer)).await?;
        }
        Ok(self.ws.flush().await?)
    }

    /// Lets `fault` happen, to the answer of a call when there is one.
    async fn suffer(&mut self, fault: LiveFault, exchange: Option<Exchange>) -> Result<(), Over> {
        if self.bend(&fault, exchange.as_ref()).await?.is_break() {
            return Ok(());
        }
        match fault {
            LiveFault::Drop => return Err(Over::Scripted),
            LiveFault::Close { code, reason } => self.close_with(code, &reason).await?,
            LiveFault::Ping => self.ws.send(Message::Ping("engine-sim".into())).await?,
            LiveFault::Say { text } => self.ws.send(Message::text(text)).await?,
            LiveFault::Notice { method, message } => {
                self.part(notices::fatal(&method, &message).to_string())
                    .await?;
            }
            LiveFault::Binary => self.ws.send(Message::binary("engine-sim")).await?,
            LiveFault::StopReading => self.ear = Ear::Shut,
            LiveFault::StartReading => self.ear = Ear::Open,
            _ => {}
        }
        match exchange {
            Some(exchange) if self.close == Close::Nobody => self.send_all(exchange.answers).await,
            _ => Ok(()),
        }
    }

    /// The faults that shape an answer or take its place.
    async fn bend(
        &mut self,
        fault: &LiveFault,
        exchange: Option<&Exchange>,
    ) -> Result<ControlFlow<()>, Over> {
        let text = || {
            let answer = exchange.and_then(|exchange| exchange.answers.first().cloned());
            answer.unwrap_or_else(|| notices::progress().to_string())
        };
        self.ws.flush().await?;
        self.pen = Pen::Down;
        let io = self.ws.get_mut();
        match fault {
            LiveFault::DieMidFrame => {
                frames::write_half(io, &text()).await?;
                return Err(Over::Scripted);
            }
            LiveFault::Huge { bytes, fragment } => {
                huge(*bytes, *fragment, exchange).write(io).await?;
            }
            LiveFault::Fragmented => frames::write_fragments(io, &text(), FRAGMENT).await?,
            LiveFault::Mute => {}
            _ => {
                self.pen = Pen::Up;
                return Ok(ControlFlow::Continue(()));
            }
        }
        self.pen = Pen::Up;
        Ok(ControlFlow::Break(()))
    }

    async fn say_goodbye(&mut self, code: CloseCode, reason: &'static str) -> Result<(), Over> {
        self.close_with(Some(code.into()), reason).await
    }

    async fn close_with(&mut self, code: Option<u16>, reason: &str) -> Result<(), Over> {
        let frame = code.map(|code| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        });
        self.close = Close::Tenant(Instant::now() + CLOSE_GRACE);
        Ok(self.ws.close(frame).await?)
    }

    fn note(&self, over: &Over) {
        let Over::Lost(error) = over else { return };
        self.shared.ledger.count(|state| match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) => {
                state.aborts += 1;
            }
            violation => state.violations.push(violation.to_string()),
        });
    }

    async fn take_leave(&mut self) {
        if self.pen == Pen::Down || self.close == Close::Client {
            return;
        }
        let leave = async {
            let closed = self.say_goodbye(CloseCode::Away, "the tenant stops").await;
            while closed.is_ok() && self.ws.next().await.is_some_and(|message| message.is_ok()) {}
        };
        // A client that does not answer in time is left alone.
        let _ = timeout(FAREWELL, leave).await;
    }
}

async fn grace(close: Close) {
    match close {
        Close::Tenant(until) => sleep_until(until).await,
        Close::Nobody | Close::Client => std::future::pending().await,
    }
}

fn huge(length: usize, fragment: Option<usize>, exchange: Option<&Exchange>) -> Huge {
    let before = match exchange {
        Some(Exchange { id, .. }) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"qFilling\":\"")
        }
        None => "{\"jsonrpc\":\"2.0\",\"method\":\"OnHuge\",\"params\":{\"qFilling\":\"".to_owned(),
    };
    Huge {
        before,
        after: "\"}}",
        length,
        fragment,
    }
}
