//! A connection that never blocks, plain or TLS, with what waits to be sent.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read, Write};

use bytes::Bytes;
use mio::net::TcpStream;
use rustls::Connection;

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) tcp: TcpStream,
    tls: Option<Box<Connection>>,
    queue: VecDeque<Bytes>,
    sent: usize,
    written: bool,
}

/// Whether more will come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    Ended,
    Open,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, mut tls: Option<Connection>) -> Self {
        if let Some(tls) = &mut tls {
            // A whole answer is encrypted at once.
            tls.set_buffer_limit(None);
        }
        Self {
            tcp,
            tls: tls.map(Box::new),
            queue: VecDeque::new(),
            sent: 0,
            written: false,
        }
    }

    /// Sends, now or as soon as the peer takes it.
    pub(super) fn put(&mut self, bytes: Bytes) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(&bytes)?,
            None => self.queue.push_back(bytes),
        }
        // Before the connection stands, a write fails; the first event sends what waits.
        if self.written { self.flush() } else { Ok(()) }
    }

    /// Sends what waits, as much of it as the peer takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.written = true;
        let flushed = match &mut self.tls {
            Some(tls) => flush_tls(tls, &mut self.tcp),
            None => self.flush_plain(),
        };
        match flushed {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            flushed => flushed,
        }
    }

    /// Reads all that is there, and gives it to `take` part by part.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        take: &mut impl FnMut(&[u8]),
    ) -> io::Result<Flow> {
        loop {
            let length = match self.tcp.read(scratch) {
                Ok(0) => return Ok(Flow::Ended),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flow::Open),
                Err(error) => return Err(error),
            };
            match &mut self.tls {
                Some(tls) => decrypt(tls, &scratch[..length], take)?,
                None => take(&scratch[..length]),
            }
            if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
                self.flush()?;
            }
            // Less than was asked for is all there is, until the next event.
            if length < scratch.len() {
                return Ok(Flow::Open);
            }
        }
    }

    fn flush_plain(&mut self) -> io::Result<()> {
        while let Some(first) = self.queue.front() {
            self.sent += self.tcp.write(&first[self.sent..])?;
            if self.sent == first.len() {
                self.queue.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }
}

fn flush_tls(tls: &mut Connection, tcp: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(tcp)?;
    }
    Ok(())
}

fn decrypt(
    tls: &mut Connection,
    mut records: &[u8],
    take: &mut impl FnMut(&[u8]),
) -> io::Result<()> {
    while !records.is_empty() {
        tls.read_tls(&mut records)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        loop {
            let mut reader = tls.reader();
            let length = match reader.fill_buf() {
                Ok(plain) => {
                    take(plain);
                    plain.len()
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            if length == 0 {
                return Ok(());
            }
            reader.consume(length);
        }
    }
    Ok(())
}
