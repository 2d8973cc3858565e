//! Calls and their answers between two ends in memory.

use anyhow::{Result, bail};
use bytes::Bytes;
use qix_proxy::config::Access;
use qix_proxy::relay::{End, Io, Relay};
use qix_proxy::ws::{Mask, message_frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional, duplex};

use super::house::{House, reading, unread};
use super::{SMALL, secure};

/// A message a pipe can hold whole, so that who writes never waits.
const PIPE: usize = 256 << 10;
const LARGE: usize = 64 << 10;
const CALL: &str = r#"{"jsonrpc":"2.0","id":4711,"handle":3,"method":"GetHyperCubeData","params":["/qHyperCubeDef",[{"qTop":0,"qLeft":0,"qWidth":10,"qHeight":100}]],"delta":false,"cont":false,"return_empty":true,"outKey":-1}"#;

/// Both ends of a relay, and what they say to each other.
pub(crate) struct Talk {
    client: Box<dyn Leg>,
    engine: Box<dyn Leg>,
    call: Vec<u8>,
    answer: Vec<u8>,
    _tie: Tie,
}

trait Leg: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Leg for T {}

impl Talk {
    /// A talk that can be held.
    pub(crate) async fn of(name: &str) -> Result<Self> {
        let Row { tie, legs, answer } = row(name)?;
        let (client, client_io) = duplex(PIPE);
        let (engine_io, engine) = duplex(PIPE);
        // A relay is made for the ends it has, so that no box stands between.
        let (client, engine): (Box<dyn Leg>, Box<dyn Leg>) = match legs {
            Legs::Plain => {
                tie.around(client_io, engine_io)?;
                (Box::new(client), Box::new(engine))
            }
            Legs::Client => {
                let (client, client_io) = secure::join(client, client_io).await?;
                tie.around(client_io, engine_io)?;
                (Box::new(client), Box::new(engine))
            }
            Legs::Both => {
                let (client, client_io) = secure::join(client, client_io).await?;
                let (engine_io, engine) = secure::join(engine_io, engine).await?;
                tie.around(client_io, engine_io)?;
                (Box::new(client), Box::new(engine))
            }
        };
        Ok(Self::new((client, engine), answer, tie))
    }

    fn new((client, engine): (Box<dyn Leg>, Box<dyn Leg>), length: usize, tie: Tie) -> Self {
        Self {
            client,
            engine,
            call: call(),
            answer: message_frame(&vec![b'x'; length]),
            _tie: tie,
        }
    }

    /// Calls and answers, one after the other.
    pub(crate) async fn hold(&mut self, messages: usize) -> Result<()> {
        let (mut heard, mut got) = (vec![0; self.call.len()], vec![0; self.answer.len()]);
        for _ in 0..messages {
            self.client.write_all(&self.call).await?;
            self.client.flush().await?;
            self.engine.read_exact(&mut heard).await?;
            self.engine.write_all(&self.answer).await?;
            self.engine.flush().await?;
            self.client.read_exact(&mut got).await?;
        }
        if messages > 0 && (heard != self.call || got != self.answer) {
            bail!("what came is not what was sent");
        }
        Ok(())
    }
}

/// One row: what two ends are tied together by, which legs are TLS, and how long an answer is.
struct Row {
    tie: Tie,
    legs: Legs,
    answer: usize,
}

/// What ties two ends together.
enum Tie {
    /// A tunnel that knows nothing: what the harness, tokio and TLS take.
    Bare,
    /// A relay, as in the proxy. What it is tied to lives as long as it is talked through.
    Relay(House, Access),
}

enum Legs {
    Plain,
    Client,
    Both,
}

fn row(name: &str) -> Result<Row> {
    let (quiet, crowded) = (House::quiet, House::crowded);
    let (tie, legs, answer) = match name {
        "bare" => (Tie::Bare, Legs::Plain, SMALL),
        "bare-64-kib" => (Tie::Bare, Legs::Plain, LARGE),
        "bare-tls" => (Tie::Bare, Legs::Client, SMALL),
        "bare-tls-both" => (Tie::Bare, Legs::Both, SMALL),
        "unread" => (Tie::Relay(quiet(), unread()), Legs::Plain, SMALL),
        "unread-everything-on" => (Tie::Relay(crowded()?, unread()), Legs::Plain, SMALL),
        "unread-64-kib" => (Tie::Relay(quiet(), unread()), Legs::Plain, LARGE),
        "reading" => (Tie::Relay(quiet(), reading()), Legs::Plain, SMALL),
        "reading-everything-on" => (Tie::Relay(crowded()?, reading()), Legs::Plain, SMALL),
        "reading-tls" => (Tie::Relay(quiet(), reading()), Legs::Client, SMALL),
        "reading-tls-both" => (Tie::Relay(quiet(), reading()), Legs::Both, SMALL),
        _ => bail!("there is no row {name}"),
    };
    Ok(Row { tie, legs, answer })
}

impl Tie {
    /// Lets it run between two ends. It ends with the runtime.
    fn around<C, E>(&self, mut client: C, mut engine: E) -> Result<()>
    where
        C: Io + Send + 'static,
        E: Io + Send + 'static,
    {
        match self {
            Self::Bare => {
                tokio::spawn(async move {
                    let _ = copy_bidirectional(&mut client, &mut engine).await;
                });
            }
            Self::Relay(house, access) => {
                let (terms, leash, record) = house.admit(access)?;
                let relay = Relay::new(end(client), end(engine), terms, leash, record);
                tokio::spawn(relay.run());
            }
        }
        Ok(())
    }
}

fn end<IO>(io: IO) -> End<IO> {
    let early = Bytes::new();
    End { io, early }
}

/// A call as a client sends it.
pub(crate) fn call() -> Vec<u8> {
    masked(CALL.as_bytes())
}

fn masked(payload: &[u8]) -> Vec<u8> {
    const KEY: Mask = Mask([1, 2, 3, 4]);
    let mut frame = message_frame(payload);
    let at = frame.len() - payload.len();
    frame[1] |= 0x80;
    KEY.apply(&mut frame[at..]);
    frame.splice(at..at, KEY.0);
    frame
}
