//! A TLS connection that owns no buffer while it is idle.
//!
//! Ciphertext is read into, and written from, a scratch that belongs to the thread. A stream keeps
//! bytes of its own only for a record that has not come whole, for plaintext that its reader had no
//! room for, and for what a short write left; it frees them as soon as they are gone.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::{CommonState, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::records::{Records, Session, Standing};
use super::rest::Rest;
use super::scratch::{self, LARGEST, LONGEST_UNREAD};

/// The plaintext that is encrypted at a time.
const CHUNK: usize = 64 << 10;
/// The least that is read at a time, however small the reader's buffer is.
const LEAST: usize = 4 << 10;
/// The plaintext of a full record, and what TLS 1.3 adds to it.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 22;

/// A connection that we have accepted.
pub type ServerStream<IO> = Stream<IO, UnbufferedServerConnection>;
/// A connection that we have opened.
pub type ClientStream<IO> = Stream<IO, UnbufferedClientConnection>;

/// A TLS connection over `IO`.
pub struct Stream<IO, S> {
    io: IO,
    /// Apart, so that a plain connection does not pay for the size of one with TLS.
    tls: Box<Tls<S>>,
}

/// What TLS keeps of a connection.
struct Tls<S> {
    records: Records<S>,
    /// The beginning of a record that has not come whole.
    unread: Rest,
    /// Whether what waits to be sent is nothing that anybody waits for: it goes with the first words.
    patient: bool,
}

impl<IO, S> Stream<IO, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Session,
{
    pub(super) fn new(io: IO, session: S) -> Self {
        let tls = Tls {
            records: Records::new(session),
            unread: Rest::default(),
            patient: false,
        };
        let tls = Box::new(tls);
        Self { io, tls }
    }

    /// What has been agreed upon with the other side.
    pub fn common(&self) -> &CommonState {
        self.tls.records.common()
    }

    /// How much memory its buffers take.
    #[cfg(test)]
    pub(super) fn owned(&self) -> usize {
        let Records { plain, unsent, .. } = &self.tls.records;
        self.tls.unread.owned() + plain.owned() + unsent.owned()
    }

    /// Shakes hands.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What comes with the last flight of the handshake is already for the reader.
        let mut nowhere = ReadBuf::new(&mut []);
        let unread = self.tls.unread.as_mut_slice();
        let used = self.tls.records.digest(unread, &mut nowhere)?;
        self.tls.unread.take(used);
        loop {
            ready!(self.poll_send(cx))?;
            if !self.common().is_handshaking() {
                return Pin::new(&mut self.io).poll_flush(cx);
            }
            ready!(self.poll_fetch(cx, &mut nowhere))?;
        }
    }

    /// Reads once, and takes in what came.
    fn poll_fetch(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let held = self.tls.unread.as_slice().len();
        if held > LONGEST_UNREAD {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let wanted = room.remaining() + (room.remaining() / RECORD + 1) * OVERHEAD;
        let wanted = wanted.saturating_sub(held).clamp(LEAST, LARGEST);
        scratch::lend(|cipher| {
            let mut fresh = ReadBuf::new(&mut cipher[held..held + wanted]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut fresh))?;
            let came = fresh.filled().len();
            if came == 0 {
                // Whoever ends without a word may have been cut off by somebody else.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            cipher[..held].copy_from_slice(self.tls.unread.as_slice());
            let bytes = &mut cipher[..held + came];
            let shaking = self.common().is_handshaking();
            let digested = self.tls.records.digest(bytes, room);
            let patient = self.tls.patient || (shaking && self.is_only_tickets());
            self.tls.patient = patient && digested.is_ok();
            // Answers to what came, an alert among them, leave at once if they can.
            let sent = self.poll_send(cx);
            match digested {
                Ok(used) if self.tls.records.standing() == Standing::Open => {
                    self.tls.unread.replace(&bytes[used..]);
                }
                _ => self.tls.unread.replace(&[]),
            }
            digested?;
            match sent {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            }
        })
    }

    /// Whether the handshake has just left nothing to send but tickets.
    fn is_only_tickets(&self) -> bool {
        let common = self.common();
        S::ONLY_TICKETS_LEFT
            && !common.is_handshaking()
            && common.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Writes what waits, if it cannot wait longer.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unsent = &mut self.tls.records.unsent;
        while !unsent.is_empty() && !self.tls.patient {
            match ready!(Pin::new(&mut self.io).poll_write(cx, unsent.as_slice()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => unsent.take(length),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts all of `plain`, and puts it on the wire.
    fn say(&mut self, cx: &mut Context<'_>, plain: &[u8], cipher: &mut [u8]) -> io::Result<usize> {
        let unread = self.tls.unread.as_mut_slice();
        let length = self.tls.records.encrypt(unread, plain, cipher)?;
        self.put(cx, &cipher[..length])?;
        Ok(plain.len())
    }

    /// Writes ciphertext behind what waits, and keeps what is not taken.
    fn put(&mut self, cx: &mut Context<'_>, cipher: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.tls.records.unsent.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, cipher) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => sent = length,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {}
            }
        }
        self.tls.records.unsent.append(&cipher[sent..]);
        if !std::mem::take(&mut self.tls.patient) {
            return Ok(());
        }
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl<IO, S> AsyncRead for Stream<IO, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Session,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let filled = room.filled().len();
        while room.remaining() > 0 && room.filled().len() == filled {
            if !stream.tls.records.plain.is_empty() {
                stream.tls.records.plain.pour(room);
                break;
            }
            match stream.tls.records.standing() {
                Standing::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Standing::Closed => break,
                Standing::Open => match ready!(stream.poll_fetch(cx, room)) {
                    // What came before the mistake is heard first.
                    Err(_) if room.filled().len() > filled => break,
                    fetched => fetched?,
                },
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO, S> AsyncWrite for Stream<IO, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Session,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        ready!(stream.poll_send(cx))?;
        let plain = &plain[..plain.len().min(CHUNK)];
        scratch::lend(|cipher| Poll::Ready(stream.say(cx, plain, cipher)))
    }

    /// Pieces share records: HTTP/2 writes a frame's head and its payload apart.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        ready!(stream.poll_send(cx))?;
        scratch::lend(|room| {
            let (plain, cipher) = room.split_at_mut(CHUNK);
            let length = gather(pieces, plain);
            Poll::Ready(stream.say(cx, &plain[..length], cipher))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_send(cx))?;
        Pin::new(&mut stream.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        scratch::lend(|cipher| {
            let unread = stream.tls.unread.as_mut_slice();
            stream.tls.records.close(unread, cipher);
        });
        stream.tls.patient = false;
        ready!(stream.poll_send(cx))?;
        match ready!(Pin::new(&mut stream.io).poll_shutdown(cx)) {
            // Whoever is gone needs no farewell.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            ended => Poll::Ready(ended),
        }
    }
}

/// Copies as much of the pieces as there is room for.
fn gather(pieces: &[IoSlice<'_>], room: &mut [u8]) -> usize {
    let mut filled = 0;
    for piece in pieces {
        let length = piece.len().min(room.len() - filled);
        room[filled..filled + length].copy_from_slice(&piece[..length]);
        filled += length;
    }
    filled
}

impl<IO, S> fmt::Debug for Stream<IO, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
