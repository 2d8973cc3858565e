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
            let flow = if let Some(tls) = &mut self.tls {
                decrypt(tls, &scratch[..length], take)?
            } else {
                take(&scratch[..length]);
                Flow::Open
            };
            if flow == Flow::Ended {
                return Ok(flow);
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
) -> io::Result<Flow> {
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
                // It said goodbye, and may keep the connection until we do.
                return Ok(Flow::Ended);
            }
            reader.consume(length);
        }
    }
    Ok(Flow::Open)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    /// Both ends of a connection that stands.
    fn ends() -> (Connection, Connection) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(default_provider());
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let server = ServerConfig::builder_with_provider(provider);
        let server = server.with_safe_default_protocol_versions().unwrap();
        let server = server.with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key);
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)
            .unwrap()
            .into();
        let mut server = ServerConnection::new(Arc::new(server.unwrap()))
            .unwrap()
            .into();
        for _ in 0..3 {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        (client, server)
    }

    fn said(from: &mut Connection) -> Vec<u8> {
        let mut records = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut records).unwrap();
        }
        records
    }

    fn carry(from: &mut Connection, to: &mut Connection) -> Flow {
        decrypt(to, &said(from), &mut |_| ()).unwrap()
    }

    #[test]
    fn a_goodbye_ends_a_line_whose_connection_stays() {
        let (mut client, mut server) = ends();
        client.writer().write_all(b"words").unwrap();
        let mut heard = Vec::new();
        let mut hear = |part: &[u8]| heard.extend_from_slice(part);
        let flow = decrypt(&mut server, &said(&mut client), &mut hear).unwrap();
        assert_eq!((flow, heard.as_slice()), (Flow::Open, &b"words"[..]));
        client.send_close_notify();
        assert_eq!(carry(&mut client, &mut server), Flow::Ended);
    }
}
