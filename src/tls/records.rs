//! The records of one connection, without its IO: ciphertext enters and plaintext leaves, and the
//! other way round. rustls owns no buffer here; what waits for the other end waits in `unsent`.

use std::io;
use std::ops::ControlFlow;

use rustls::CommonState;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, ReadTraffic, UnbufferedStatus,
    WriteTraffic,
};
use tokio::io::ReadBuf;

use super::rest::Rest;

/// One side of a TLS connection, as rustls keeps it.
pub trait Session {
    /// What rustls keeps of this side alone.
    type Data;
    /// Whether this side has nothing but tickets to send once a handshake of TLS 1.3 is over.
    const ONLY_TICKETS_LEFT: bool;

    /// Takes in ciphertext, and says what is to be done next.
    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What has been agreed upon with the other side.
    fn common(&self) -> &CommonState;
}

impl Session for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    const ONLY_TICKETS_LEFT: bool = true;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

impl Session for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    const ONLY_TICKETS_LEFT: bool = false;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

/// The records of one connection.
pub(super) struct Records<S> {
    session: S,
    /// Plaintext that its reader had no room for.
    pub(super) plain: Rest,
    /// Ciphertext that belongs on the wire.
    pub(super) unsent: Rest,
    standing: Standing,
    said_close: bool,
}

/// How far the other side can still be understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// It broke the protocol, or said an alert.
    Broken,
    /// It has said that nothing more will come.
    Closed,
    /// Entirely.
    Open,
}

impl<S: Session> Records<S> {
    pub(super) fn new(session: S) -> Self {
        Self {
            session,
            plain: Rest::default(),
            unsent: Rest::default(),
            standing: Standing::Open,
            said_close: false,
        }
    }

    pub(super) fn common(&self) -> &CommonState {
        self.session.common()
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// Takes in all records that have come whole, and answers how many bytes are done with. The
    /// rest must stand at the front of the next call's bytes as they were left here: rustls puts
    /// handshake messages together in them.
    pub(super) fn digest(&mut self, bytes: &mut [u8], room: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let status = self.session.process(&mut bytes[used..]);
            let mut discard = status.discard;
            let next = match status.state {
                Ok(ConnectionState::ReadTraffic(traffic)) => read(traffic, room, &mut self.plain)
                    .map(|more| {
                        discard += more;
                        ControlFlow::Continue(())
                    }),
                Ok(state) => advance(state, &mut self.unsent, &mut self.standing),
                Err(error) => Err(invalid(error)),
            };
            used += discard;
            match next {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(used),
                Err(error) => {
                    self.break_off();
                    return Err(error);
                }
            }
        }
    }

    /// Encrypts into `cipher`; what `unsent` holds then goes before it. `unread` is the rest of
    /// the last `digest`.
    pub(super) fn encrypt(
        &mut self,
        unread: &mut [u8],
        plain: &[u8],
        cipher: &mut [u8],
    ) -> io::Result<usize> {
        if self.said_close || self.standing == Standing::Broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.write(unread, |mut traffic| traffic.encrypt(plain, cipher))
    }

    /// Says that nothing more will come. `cipher` is room to work in.
    pub(super) fn close(&mut self, unread: &mut [u8], cipher: &mut [u8]) {
        if self.said_close || self.standing == Standing::Broken {
            return;
        }
        self.said_close = true;
        let length = self.write(unread, |mut traffic| traffic.queue_close_notify(cipher));
        // Who is not even through with the handshake hears no farewell.
        self.unsent.append(&cipher[..length.unwrap_or_default()]);
    }

    /// Writes, once nothing else is to be done.
    fn write(
        &mut self,
        unread: &mut [u8],
        work: impl FnOnce(WriteTraffic<'_, S::Data>) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        loop {
            match self.session.process(unread).state.map_err(invalid)? {
                ConnectionState::WriteTraffic(traffic) => {
                    return work(traffic).map_err(io::Error::other);
                }
                state => match advance(state, &mut self.unsent, &mut self.standing)? {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(()) => return Err(io::ErrorKind::NotConnected.into()),
                },
            }
        }
    }

    /// Keeps the alert that rustls has for an other side that breaks the protocol.
    fn break_off(&mut self) {
        self.standing = Standing::Broken;
        // It must not be asked for anything else: it would look at the same bytes again.
        while self.session.common().wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut alert)) = self.session.process(&mut []).state
            else {
                return;
            };
            if encode(&mut alert, &mut self.unsent).is_err() {
                return;
            }
        }
    }
}

/// Does what a state asks for, other than to read. It breaks where rustls waits for more ciphertext
/// or plaintext.
fn advance<D>(
    state: ConnectionState<'_, '_, D>,
    unsent: &mut Rest,
    standing: &mut Standing,
) -> io::Result<ControlFlow<()>> {
    match state {
        ConnectionState::EncodeTlsData(mut data) => encode(&mut data, unsent)?,
        // It is as good as sent: it waits before all that will be written.
        ConnectionState::TransmitTlsData(data) => data.done(),
        ConnectionState::PeerClosed => *standing = Standing::Closed,
        ConnectionState::BlockedHandshake
        | ConnectionState::Closed
        | ConnectionState::WriteTraffic(_) => return Ok(ControlFlow::Break(())),
        _ => return Err(io::Error::other("TLS is in a state that nobody asked for")),
    }
    Ok(ControlFlow::Continue(()))
}

/// Hands plaintext on, and answers how many more bytes of ciphertext are done with.
fn read<D>(
    mut traffic: ReadTraffic<'_, '_, D>,
    room: &mut ReadBuf<'_>,
    plain: &mut Rest,
) -> io::Result<usize> {
    let mut discard = 0;
    while let Some(record) = traffic.next_record() {
        let record = record.map_err(invalid)?;
        discard += record.discard;
        let fits = if plain.is_empty() {
            record.payload.len().min(room.remaining())
        } else {
            0
        };
        room.put_slice(&record.payload[..fits]);
        plain.append(&record.payload[fits..]);
    }
    Ok(discard)
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, unsent: &mut Rest) -> io::Result<()> {
    let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else {
        return Ok(());
    };
    let mut message = vec![0; size.required_size];
    let length = data.encode(&mut message).map_err(io::Error::other)?;
    unsent.append(&message[..length]);
    Ok(())
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
