//! Relays a number of calls and their answers between two ends in memory, on one thread, and ends.
//! Callgrind counts what happens within [`counted`], and nothing of what comes before or after it
//! (`.ci/callgrind`).
//!
//! ```text
//! relay-cost ROW MESSAGES
//! ```

mod house;
mod secure;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use qix_proxy::config::Access;
use qix_proxy::relay::{End, Relay};
use qix_proxy::ws::{Mask, message_frame};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex,
};
use tokio::runtime::{Builder, Runtime};

use self::house::House;

/// A message a pipe can hold whole, so that who writes never waits.
const PIPE: usize = 256 << 10;
/// How many go before those that are counted.
const FIRST: usize = 100;
const CALL: &str = r#"{"jsonrpc":"2.0","id":4711,"handle":3,"method":"GetHyperCubeData","params":["/qHyperCubeDef",[{"qTop":0,"qLeft":0,"qWidth":10,"qHeight":100}]],"delta":false,"cont":false,"return_empty":true,"outKey":-1}"#;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let row = words.next().context("which row?")?;
    let messages = words.next().context("how many messages?")?.parse()?;
    // The clock stands still: the same run is to take the same instructions on a busy machine.
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    let mut talk = runtime.block_on(prepare(&row))?;
    counted(&runtime, &mut talk, messages)
}

/// Callgrind knows this function by its name.
#[inline(never)]
fn counted(runtime: &Runtime, talk: &mut Talk, messages: usize) -> Result<()> {
    runtime.block_on(talk.hold(messages))
}

async fn prepare(row: &str) -> Result<Talk> {
    let (house, access, length) = match row {
        "bare" => return Ok(bare()),
        "unread" => (House::quiet(), house::unread(), 200),
        "unread-everything-on" => (House::crowded()?, house::unread(), 200),
        "unread-64-kib" => (House::quiet(), house::unread(), 64 << 10),
        "reading" | "reading-tls" => (House::quiet(), house::reading(), 200),
        "reading-everything-on" => (House::crowded()?, house::reading(), 200),
        _ => bail!("there is no row {row}"),
    };
    let (client, client_io) = duplex(PIPE);
    let (engine, engine_io) = duplex(PIPE);
    let client: Box<dyn Leg> = if row == "reading-tls" {
        let (client, client_io) = secure::join(client, client_io).await?;
        spawn(&house, &access, client_io, engine_io)?;
        Box::new(client)
    } else {
        spawn(&house, &access, client_io, engine_io)?;
        Box::new(client)
    };
    let mut talk = Talk::new(client, engine, length, Some(house));
    talk.hold(FIRST).await?;
    Ok(talk)
}

/// The same talk through a tunnel that knows nothing: what the harness and tokio take.
fn bare() -> Talk {
    let (client, mut client_io) = duplex(PIPE);
    let (engine, mut engine_io) = duplex(PIPE);
    tokio::spawn(async move {
        // It ends with the runtime.
        let _ = copy_bidirectional(&mut client_io, &mut engine_io).await;
    });
    Talk::new(Box::new(client), engine, 200, None)
}

/// Lets a relay run between two ends, as the proxy does.
fn spawn<C>(house: &House, access: &Access, client: C, engine: DuplexStream) -> Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (terms, leash, record) = house.admit(access)?;
    let relay = Relay::new(end(client), end(engine), terms, leash, record);
    tokio::spawn(relay.run());
    Ok(())
}

fn end<IO>(io: IO) -> End<IO> {
    let early = Bytes::new();
    End { io, early }
}

/// Both ends of a relay, and what they say to each other.
struct Talk {
    client: Box<dyn Leg>,
    engine: DuplexStream,
    call: Vec<u8>,
    answer: Vec<u8>,
    /// What the relay is tied to lives as long as it is talked through.
    _house: Option<House>,
}

trait Leg: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Leg for T {}

impl Talk {
    fn new(
        client: Box<dyn Leg>,
        engine: DuplexStream,
        length: usize,
        house: Option<House>,
    ) -> Self {
        Self {
            client,
            engine,
            call: masked(CALL.as_bytes()),
            answer: message_frame(&vec![b'x'; length]),
            _house: house,
        }
    }

    /// Calls and answers, one after the other.
    async fn hold(&mut self, messages: usize) -> Result<()> {
        let (mut heard, mut got) = (vec![0; self.call.len()], vec![0; self.answer.len()]);
        for _ in 0..messages {
            self.client.write_all(&self.call).await?;
            self.client.flush().await?;
            self.engine.read_exact(&mut heard).await?;
            self.engine.write_all(&self.answer).await?;
            self.client.read_exact(&mut got).await?;
        }
        if messages > 0 && (heard != self.call || got != self.answer) {
            bail!("what came is not what was sent");
        }
        Ok(())
    }
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

/// So long that nothing falls due while something is counted.
const LONG: Duration = Duration::from_hours(24);
