//! Accept-then-close: all that is said to a refused client whose page cannot read a status.
//!
//! Anybody may be at the other end, so nothing of what they say is kept.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::fault::CloseCode;
use crate::relay::End;
use crate::ws::{Cursor, Opcode, Sender, Step, Stream, Until, close_frame, reason};

/// How much is read at a time, to be thrown away.
const ROOM: usize = 512;

/// Says why, and listens until the client has closed too: a connection that is dropped with unread
/// bytes is reset, and the Close would be lost.
pub(super) async fn close<IO>(client: End<IO>, code: CloseCode) -> io::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let End { mut io, early } = client;
    io.write_all(&close_frame(code, reason(code), None)).await?;
    io.flush().await?;
    let mut cursor = Cursor::new(Stream {
        sender: Sender::Client,
        reserved: 0,
        max_message: u64::MAX,
    });
    let mut over = is_over(&mut cursor, &early);
    let mut room = [0; ROOM];
    while !over {
        let length = io.read(&mut room).await?;
        over = length == 0 || is_over(&mut cursor, &room[..length]);
    }
    io.shutdown().await
}

/// Whether the client closes, or says what nobody understands.
fn is_over(cursor: &mut Cursor, mut said: &[u8]) -> bool {
    loop {
        match cursor.step(&mut said, Until::Control) {
            Ok(None) => return false,
            Ok(Some(Step::Control(control))) if control.opcode == Opcode::Close => return true,
            Ok(Some(_)) => {}
            Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::duplex;

    use super::*;
    use crate::ws::{Close, Mask};

    const KEY: Mask = Mask([1, 2, 3, 4]);

    #[tokio::test]
    async fn the_client_is_heard_out_and_nothing_it_says_is_kept() {
        let (mut client, io) = duplex(1024);
        // A frame that announces 16 MiB, half of its header early.
        let header = [0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4];
        let early = Bytes::copy_from_slice(&header[..5]);
        let closing = tokio::spawn(close(End { io, early }, CloseCode::SESSION));
        client.write_all(&header[5..]).await.unwrap();
        for _ in 0..16 << 10 {
            client.write_all(&[0; 1024]).await.unwrap();
        }
        assert!(!closing.is_finished());
        let answer = close_frame(CloseCode::SESSION, "", Some(KEY));
        client.write_all(&answer).await.unwrap();
        closing.await.unwrap().unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(Close::read(&heard[2..]), Close::Code(CloseCode::SESSION));
    }

    #[tokio::test]
    async fn who_breaks_the_protocol_or_leaves_is_not_waited_for() {
        for said in [&b"\x81\x00"[..], b""] {
            let (mut client, io) = duplex(1024);
            client.write_all(said).await.unwrap();
            client.shutdown().await.unwrap();
            let early = Bytes::new();
            close(End { io, early }, CloseCode::SESSION).await.unwrap();
        }
    }
}
