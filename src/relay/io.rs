//! What a leg of a relay reads and writes.

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Empty};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use crate::tls;

/// One end of a relay.
pub trait Io: AsyncRead + AsyncWrite + Unpin {
    /// The TCP socket that its bytes pass as they are; none where there is another kind of socket, or something
    /// is done to them on the way.
    fn bare(&self) -> Option<&TcpStream> {
        None
    }
}

impl Io for TcpStream {
    fn bare(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl<L: Io, R: Io> Io for Either<L, R> {
    fn bare(&self) -> Option<&TcpStream> {
        match self {
            Self::Left(left) => left.bare(),
            Self::Right(right) => right.bare(),
        }
    }
}

impl Io for DuplexStream {}
impl Io for Empty {}
impl Io for UnixStream {}
impl<IO, S> Io for tls::Stream<IO, S> where Self: AsyncRead + AsyncWrite + Unpin {}
