//! The beginning of a TLS connection, on either side.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{ClientStream, ServerStream, Stream};

/// Takes connections to a door. Its clones are one: they show the same certificate.
#[derive(Clone)]
pub struct Acceptor(Arc<RwLock<Arc<ServerConfig>>>);

impl Acceptor {
    /// Shows what `config` says.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    /// Shows what another config says, to whoever comes from now on.
    pub fn renew(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Shakes hands with a client. There is no limit of time here.
    pub async fn accept<IO>(&self, io: IO) -> io::Result<ServerStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let config = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let session = UnbufferedServerConnection::new(config);
        let mut stream = Stream::new(io, session.map_err(io::Error::other)?);
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// Opens connections.
#[derive(Clone)]
pub struct Connector(Arc<ClientConfig>);

impl Connector {
    /// Believes whom `config` believes.
    #[must_use]
    pub const fn new(config: Arc<ClientConfig>) -> Self {
        Self(config)
    }

    /// Shakes hands with a server of that name. There is no limit of time here.
    pub async fn connect<IO>(
        &self,
        name: ServerName<'static>,
        io: IO,
    ) -> io::Result<ClientStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let session = UnbufferedClientConnection::new(Arc::clone(&self.0), name);
        let mut stream = Stream::new(io, session.map_err(io::Error::other)?);
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
