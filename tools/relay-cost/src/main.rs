//! Relays a number of calls and their answers between two ends in memory, on one thread, and ends.
//! Callgrind counts what that took; the difference between two numbers is what a message costs, and
//! all that happens once falls out of it (`.ci/callgrind`).
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
use tokio::runtime::Builder;

use self::house::House;

/// A message a pipe can hold whole, so that who writes never waits.
const PIPE: usize = 256 << 10;
const CALL: &str = r#"{"jsonrpc":"2.0","id":4711,"handle":3,"method":"GetHyperCubeData","params":["/qHyperCubeDef",[{"qTop":0,"qLeft":0,"qWidth":10,"qHeight":100}]],"delta":false,"cont":false,"return_empty":true,"outKey":-1}"#;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let row = words.next().context("which row?")?;
    let messages = words.next().context("how many messages?")?.parse()?;
    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(measure(&row, messages))
}

async fn measure(row: &str, messages: usize) -> Result<()> {
    let (house, access, length) = match row {
        "bare" => return bare(messages).await,
        "unread" => (House::quiet(), house::unread(), 200),
        "unread-everything-on" => (House::crowded()?, house::unread(), 200),
        "unread-64-kib" => (House::quiet(), house::unread(), 64 << 10),
        "reading" | "reading-tls" => (House::quiet(), house::reading(), 200),
        "reading-everything-on" => (House::crowded()?, house::reading(), 200),
        _ => bail!("there is no row {row}"),
    };
    let (client, client_io) = duplex(PIPE);
    let (engine, engine_io) = duplex(PIPE);
    let answer = message_frame(&vec![b'x'; length]);
    if row == "reading-tls" {
        let (client, client_io) = secure::join(client, client_io).await?;
        spawn(&house, &access, client_io, engine_io)?;
        return talk(client, engine, answer, messages).await;
    }
    spawn(&house, &access, client_io, engine_io)?;
    talk(client, engine, answer, messages).await
}

/// The same talk through a tunnel that knows nothing: what the harness and tokio take.
async fn bare(messages: usize) -> Result<()> {
    let (client, mut client_io) = duplex(PIPE);
    let (engine, mut engine_io) = duplex(PIPE);
    tokio::spawn(async move {
        // It ends with the runtime.
        let _ = copy_bidirectional(&mut client_io, &mut engine_io).await;
    });
    let answer = message_frame(&[b'x'; 200]);
    talk(client, engine, answer, messages).await
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

/// Calls and answers, one after the other.
async fn talk<C>(mut client: C, mut engine: DuplexStream, answer: Vec<u8>, n: usize) -> Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let call = masked(CALL.as_bytes());
    let (mut heard, mut got) = (vec![0; call.len()], vec![0; answer.len()]);
    for _ in 0..n {
        client.write_all(&call).await?;
        client.flush().await?;
        engine.read_exact(&mut heard).await?;
        engine.write_all(&answer).await?;
        client.read_exact(&mut got).await?;
    }
    if n > 0 && (heard != call || got != answer) {
        bail!("what came is not what was sent");
    }
    Ok(())
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
