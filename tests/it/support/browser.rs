//! The client's end of a socket.

use std::fmt;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::eyes::Watched;
use super::soon;

/// A socket, as a page holds it.
pub(crate) struct Browser {
    ws: WebSocketStream<Watched>,
    ids: u64,
    /// The engine's greeting.
    pub(crate) greeting: Value,
}

impl Browser {
    pub(crate) async fn new(io: Watched, read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .max_message_size(None)
            .max_frame_size(None);
        Self {
            ws: WebSocketStream::from_partially_read(io, read, Role::Client, Some(config)).await,
            ids: 0,
            greeting: Value::Null,
        }
    }

    /// Whether the engine made a new session, or gave an old one back.
    pub(crate) fn session_state(&self) -> &str {
        self.greeting["params"]["qSessionState"].as_str().unwrap()
    }

    /// The connection, to be used by hand.
    pub(crate) fn raw(&mut self) -> &mut Watched {
        self.ws.get_mut()
    }

    pub(crate) async fn send(&mut self, text: impl fmt::Display) {
        self.put(Message::text(text.to_string())).await;
    }

    pub(crate) async fn put(&mut self, message: Message) {
        soon(self.ws.send(message)).await.unwrap();
    }

    /// The next message or error.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        soon(self.ws.next()).await
    }

    /// The next message that is no ping, as JSON.
    pub(crate) async fn receive(&mut self) -> Value {
        // All of it has its time: pings alone would go on for ever.
        soon(self.receive_text()).await
    }

    async fn receive_text(&mut self) -> Value {
        loop {
            match self.ws.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected text, got {other:?}"),
            }
        }
    }

    /// Sends a call and returns its id.
    pub(crate) async fn ask(&mut self, handle: i64, method: &str, params: Value) -> u64 {
        self.ids += 1;
        let call = json!({
            "jsonrpc": "2.0", "id": self.ids, "handle": handle, "method": method, "params": params,
        });
        self.send(call).await;
        self.ids
    }

    /// Sends a call and waits for its answer.
    pub(crate) async fn call(&mut self, handle: i64, method: &str, params: Value) -> Value {
        let id = self.ask(handle, method, params).await;
        soon(self.answer_to(id)).await
    }

    async fn answer_to(&mut self, id: u64) -> Value {
        loop {
            let answer = self.receive_text().await;
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// Asks for something harmless, and so proves that the socket is whole.
    pub(crate) async fn is_alive(&mut self) {
        let answer = self.call(-1, "EngineVersion", json!([])).await;
        assert!(answer["result"].is_object(), "{answer}");
    }

    /// Opens an app and returns its handle.
    pub(crate) async fn open_doc(&mut self, app: &str) -> i64 {
        let answer = self.call(-1, "OpenDoc", json!([app])).await;
        answer["result"]["qReturn"]["qHandle"]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer}"))
    }

    /// Waits for the Close: its code and reason. Texts on the way are let go.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.end().await {
            End::Closed(code, reason) => (code, reason),
            other => panic!("expected a Close, got {other:?}"),
        }
    }

    /// Waits until it is over.
    pub(crate) async fn end(&mut self) -> End {
        soon(self.reach_end()).await
    }

    async fn reach_end(&mut self) -> End {
        loop {
            match self.ws.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    self.drain().await;
                    return End::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return End::Bare,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return End::Cut,
            }
        }
    }

    /// Reads to the end of the stream; the answer to a Close is then on its way.
    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.ws.next().await {}
    }

    /// Closes as a page does, and waits until it is over.
    pub(crate) async fn close(&mut self, code: u16) -> End {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        soon(self.ws.close(Some(frame))).await.unwrap();
        self.end().await
    }
}

/// How a socket was over for its client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By a Close without a code.
    Bare,
    /// By a Close with code and reason.
    Closed(u16, String),
    /// Without a Close.
    Cut,
}
