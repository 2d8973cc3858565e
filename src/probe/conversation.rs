//! A few harmless calls to an engine, and what it says to them.
//!
//! An open socket enters; what was heard leaves. The first call is sent without waiting for a
//! greeting: behind Qlik's proxy on Windows the client has to speak first. It never pings.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::advice;
use super::report::{Seen, Step};
use crate::engine::{EngineIo, EngineSocket};
use crate::fault::CloseCode;
use crate::id::AppId;
use crate::qix::Greeting;

/// No answer to a harmless call is larger.
const LARGEST: usize = 1024 * 1024;
/// How long an app may take to open without its data.
const OPENING: Duration = Duration::from_mins(1);
/// How long a Close may take.
const FAREWELL: Duration = Duration::from_secs(1);
const TEXT: usize = 120;

/// Says the first words on a socket, and hears who answers.
pub(super) async fn greet(
    socket: EngineSocket,
    limit: Duration,
) -> Result<Seen<Conversation>, Step> {
    let (io, early) = socket.into_parts();
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST));
    let client = Role::Client;
    let ws = WebSocketStream::from_partially_read(io, early.to_vec(), client, Some(config)).await;
    let mut talk = Conversation {
        ws: Box::pin(ws),
        state: None,
        asked: 0,
    };
    let greeted = within(limit, talk.introduce()).await;
    let (version, user) = greeted.map_err(|ending| advice::on_ending(&ending))?;
    let state = talk.state.map_or("no greeting", Greeting::label);
    let saw = format!("session {state}, engine {version}, known to Qlik as {user}");
    Ok(Seen::new(saw, talk))
}

/// A conversation with an engine.
pub(super) struct Conversation {
    ws: Pin<Box<WebSocketStream<EngineIo>>>,
    state: Option<Greeting>,
    asked: u64,
}

impl Conversation {
    /// Opens an app without its data.
    pub(super) async fn open(mut self, app: &AppId) -> Result<Seen<Self>, Step> {
        let params = json!([app.as_str(), "", "", "", true]);
        match within(OPENING, self.ask("OpenDoc", params)).await {
            Ok(_) => Ok(Seen::new("opened, without its data".to_owned(), self)),
            // An engine session of the same identity has it open, which is as good.
            Err(Ending::Error { code: 1002, .. }) => {
                Ok(Seen::new("is open already".to_owned(), self))
            }
            Err(ending) => Err(advice::on_ending(&ending)),
        }
    }

    /// Leaves.
    pub(super) async fn end(mut self) {
        // Whether the engine says goodbye makes no difference any more.
        let _ = timeout(FAREWELL, self.ws.close()).await;
    }

    async fn introduce(&mut self) -> Result<(String, String), Ending> {
        let version = self.ask("EngineVersion", json!([])).await?;
        let user = self.ask("GetAuthenticatedUser", json!([])).await;
        let user = match user {
            // Not every engine tells; it is no fault.
            Err(Ending::Error { .. }) => "nobody it tells".to_owned(),
            user => shown(&user?["qReturn"]),
        };
        Ok((shown(&version["qVersion"]["qComponentVersion"]), user))
    }

    /// One call and its result.
    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Ending> {
        self.asked += 1;
        let id = self.asked;
        let call = json!({
            "jsonrpc": "2.0", "id": id, "handle": -1, "method": method, "params": params,
        });
        self.ws.send(Message::text(call.to_string())).await?;
        loop {
            let text = self.hear().await?;
            let Ok(mut said) = serde_json::from_str::<Value>(&text) else {
                return Err(Ending::Lost("what came is no JSON".to_owned()));
            };
            if said["id"] != id {
                self.notice(&said, &text)?;
                continue;
            }
            return match said["error"]["code"].as_i64() {
                None => Ok(said["result"].take()),
                Some(code) => Err(Ending::Error {
                    code,
                    message: shown(&said["error"]["message"]),
                }),
            };
        }
    }

    async fn hear(&mut self) -> Result<String, Ending> {
        loop {
            let Some(message) = self.ws.next().await else {
                return Err(Ending::Lost("the connection ended".to_owned()));
            };
            match message? {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(frame) => {
                    let reason = frame.as_ref().map(|frame| cut(&frame.reason));
                    return Err(Ending::Closed {
                        code: frame.map(|frame| CloseCode(frame.code.into())),
                        reason: reason.unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
    }

    /// What the engine, or the proxy before it, says unasked.
    fn notice(&mut self, said: &Value, text: &str) -> Result<(), Ending> {
        let params = &said["params"];
        let method = said["method"].as_str().unwrap_or_default();
        if method == "OnAuthenticationInformation" && params["mustAuthenticate"] == true {
            return Err(Ending::Asked);
        }
        let severity = params["severity"].as_str().unwrap_or_default();
        if severity.eq_ignore_ascii_case("fatal") {
            return Err(Ending::Notice {
                method: cut(method),
                message: shown(&params["message"]),
            });
        }
        match Greeting::read(text.as_bytes()) {
            Greeting::Refused(state) => return Err(Ending::State(state)),
            Greeting::Unknown if method != "OnConnected" => {}
            greeting => self.state = Some(greeting),
        }
        Ok(())
    }
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, Ending>>,
) -> Result<T, Ending> {
    let ended = timeout(limit, step).await;
    ended.unwrap_or(Err(Ending::Silent(limit)))
}

/// How a conversation ended too soon. What the engine said is cut and escaped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// It wants a login.
    Asked,
    /// With a Close.
    Closed {
        code: Option<CloseCode>,
        reason: String,
    },
    /// A call was refused.
    Error { code: i64, message: String },
    /// Without a Close.
    Lost(String),
    /// With a fatal notice of Qlik's proxy.
    Notice { method: String, message: String },
    /// Without an answer.
    Silent(Duration),
    /// With a greeting that is none.
    State(&'static str),
}

impl Ending {
    /// Qlik's own word for it.
    pub(super) fn code(&self) -> Option<String> {
        match self {
            Self::Asked => Some("mustAuthenticate".to_owned()),
            Self::Closed { code, .. } => code.map(|code| code.to_string()),
            Self::Error { code, .. } => Some(code.to_string()),
            Self::Notice { method, .. } => Some(method.clone()),
            Self::State(state) => Some((*state).to_owned()),
            Self::Lost(_) | Self::Silent(_) => None,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => write!(f, "the upgrade was taken, and then mustAuthenticate said"),
            Self::Closed { code: None, .. } => write!(f, "closed without a code"),
            Self::Closed {
                code: Some(code),
                reason,
            } => write!(f, "closed with {code} \"{reason}\""),
            Self::Error { code, message } => write!(f, "refused with error {code}, {message}"),
            Self::Lost(why) => f.write_str(why),
            Self::Notice { method, message } => write!(f, "{method}, {message}"),
            Self::Silent(limit) => write!(f, "no answer within {limit:?}"),
            Self::State(state) => write!(f, "greeted with {state}"),
        }
    }
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Lost(cut(&error.to_string()))
    }
}

/// A text out of an answer, quoted; what is none is `nothing`.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("\"{}\"", cut(text)),
        None => "nothing".to_owned(),
    }
}

fn cut(text: &str) -> String {
    text.chars()
        .take(TEXT)
        .flat_map(char::escape_debug)
        .collect()
}
