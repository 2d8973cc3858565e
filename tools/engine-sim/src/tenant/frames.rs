//! Frames by hand, where a fault needs bytes that no websocket library would write.

use std::{io, ops::Range};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

const CHUNK: usize = 64 * 1024;
const PING: u8 = 0x89;

/// Which part of a text message a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// The only frame.
    Whole,
    /// The first of several.
    First,
    /// Neither the first nor the last.
    Middle,
    /// The last of several.
    Last,
}

impl Part {
    /// The part that bytes `start..end` of a message of `length` are.
    pub(super) fn of(start: usize, end: usize, length: usize) -> Self {
        match (start == 0, end == length) {
            (true, true) => Self::Whole,
            (true, false) => Self::First,
            (false, false) => Self::Middle,
            (false, true) => Self::Last,
        }
    }

    const fn first_byte(self) -> u8 {
        match self {
            Self::Whole => 0x81,
            Self::First => 0x01,
            Self::Middle => 0x00,
            Self::Last => 0x80,
        }
    }
}

/// The head of an unmasked text frame of `length` payload bytes.
pub(super) fn head(part: Part, length: usize) -> BytesMut {
    let mut head = BytesMut::with_capacity(10);
    head.put_u8(part.first_byte());
    match length {
        0..=125 => head.put_u8(u8::try_from(length).unwrap_or_default()),
        126..=0xffff => {
            head.put_u8(126);
            head.put_u16(u16::try_from(length).unwrap_or_default());
        }
        _ => {
            head.put_u8(127);
            head.put_u64(length as u64);
        }
    }
    head
}

/// An unmasked ping without payload.
pub(super) const fn ping() -> [u8; 2] {
    [PING, 0]
}

/// Writes `text` in fragments of at most `size` bytes, with a ping between any two.
pub(super) async fn write_fragments<W: AsyncWrite + Unpin>(
    io: &mut W,
    text: &str,
    size: usize,
) -> io::Result<()> {
    let length = text.len();
    let mut start = 0;
    for piece in text.as_bytes().chunks(size) {
        let end = start + piece.len();
        let part = Part::of(start, end, length);
        if start > 0 {
            io.write_all(&ping()).await?;
        }
        io.write_all(&head(part, piece.len())).await?;
        io.write_all(piece).await?;
        start = end;
    }
    io.flush().await
}

/// Writes the head of `text` and half of its bytes.
pub(super) async fn write_half<W: AsyncWrite + Unpin>(io: &mut W, text: &str) -> io::Result<()> {
    io.write_all(&head(Part::Whole, text.len())).await?;
    io.write_all(&text.as_bytes()[..text.len() / 2]).await?;
    io.flush().await
}

/// A text message that is made while it is written, so that its size costs no memory.
pub(super) struct Huge {
    pub(super) before: String,
    pub(super) after: &'static str,
    pub(super) length: usize,
    pub(super) fragment: Option<usize>,
}

impl Huge {
    /// Writes the message; it is never shorter than what stands around the filling.
    pub(super) async fn write<W: AsyncWrite + Unpin>(&self, io: &mut W) -> io::Result<()> {
        let length = self.length.max(self.before.len() + self.after.len());
        let fragment = self.fragment.unwrap_or(length).max(1);
        let mut start = 0;
        while start < length {
            let end = (start + fragment).min(length);
            io.write_all(&head(Part::of(start, end, length), end - start))
                .await?;
            self.write_span(io, start..end, length).await?;
            start = end;
        }
        io.flush().await
    }

    async fn write_span<W: AsyncWrite + Unpin>(
        &self,
        io: &mut W,
        span: Range<usize>,
        length: usize,
    ) -> io::Result<()> {
        let mut start = span.start;
        while start < span.end {
            let end = (start + CHUNK).min(span.end);
            io.write_all(&self.bytes(start..end, length)).await?;
            start = end;
        }
        Ok(())
    }

    fn bytes(&self, span: Range<usize>, length: usize) -> Vec<u8> {
        let mut bytes = vec![b'x'; span.len()];
        overlay(&mut bytes, span.start, self.before.as_bytes(), 0);
        overlay(
            &mut bytes,
            span.start,
            self.after.as_bytes(),
            length - self.after.len(),
        );
        bytes
    }
}

/// Puts the part of `text` that falls into a window there; both say where they start.
fn overlay(window: &mut [u8], window_start: usize, text: &[u8], text_start: usize) {
    let start = window_start.max(text_start);
    let end = (window_start + window.len()).min(text_start + text.len());
    if start < end {
        let source = &text[start - text_start..end - text_start];
        window[start - window_start..end - window_start].copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};

    use super::*;

    async fn read_back(huge: &Huge) -> String {
        let mut bytes = Vec::new();
        huge.write(&mut bytes).await.unwrap();
        let stream = io::Cursor::new(bytes);
        let mut socket = WebSocket::from_raw_socket(stream, Role::Client, None);
        match socket.read().unwrap() {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_huge_message_has_the_length_asked_for_whole_and_in_fragments() {
        for length in [20, 125, 126, 127, 0xffff, 0x1_0000, 200_000] {
            has_the_length(length, None).await;
            has_the_length(length, Some(3)).await;
            has_the_length(length, Some(1000)).await;
            has_the_length(length, Some(length)).await;
        }
    }

    async fn has_the_length(length: usize, fragment: Option<usize>) {
        let huge = Huge {
            before: "{\"a\":\"".to_owned(),
            after: "\"}",
            length,
            fragment,
        };
        let text = read_back(&huge).await;
        assert_eq!(text.len(), length);
        assert!(text.starts_with("{\"a\":\"xx") && text.ends_with("xx\"}"));
    }
}
