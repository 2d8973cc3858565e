//! The line to a Redis: one connection that all askings share, dialled again when it breaks.
//!
//! Askings enter, answers leave; what they mean is for who asks. No error says what was asked.
//! Every asking ends in time, whatever the other side does. While Redis cannot be reached, who asks
//! hears so at once, and dials are further and further apart.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError,
    ServerErrorKind,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{RedisServer, RedisTls};
use crate::flight::Flight;

#[cfg(test)]
pub(crate) mod testing;

/// The pause after the first dial that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A line that looks after itself.
#[derive(Debug)]
pub struct Line {
    server: RedisServer,
    tls: Option<Tls>,
    limit: Duration,
    state: Mutex<State>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

#[derive(Debug, Default)]
struct State {
    wire: Option<Wire>,
    dial: Option<Flight<Result<Wire, LineError>>>,
    rest: Option<Rest>,
}

/// A connection that is up, as far as is known.
#[derive(Clone)]
struct Wire {
    connection: MultiplexedConnection,
    // Does the reading and writing, and ends with the last clone.
    driver: Arc<AbortOnDropHandle<()>>,
}

/// A time without dials, after one that failed.
#[derive(Clone, Debug)]
struct Rest {
    until: Instant,
    pause: Duration,
    error: LineError,
}

impl Line {
    /// Prepares a line; it is dialled when it is first needed.
    pub fn new(
        server: &RedisServer,
        limit: Duration,
        lent: &Arc<ClientConfig>,
    ) -> Result<Self, LineError> {
        let tls = match &server.tls {
            RedisTls::Plain => None,
            RedisTls::On(ca) => Some(Tls::new(&server.host, ca.as_deref(), lent)?),
        };
        Ok(Self {
            server: server.clone(),
            tls,
            limit,
            state: Mutex::default(),
        })
    }

    /// Asks. A connection that turns out to be broken, as one is after a restart of Redis, is
    /// replaced once.
    pub async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        asking: &Pipeline,
    ) -> Result<T, LineError> {
        let end = Instant::now() + self.limit;
        match self.ask_once(asking, end).await? {
            Ok(answer) => Ok(answer),
            Err(_) => self.ask_once(asking, end).await?.map_err(refused),
        }
    }

    /// Asks on the connection there is. The inner error is a broken connection.
    async fn ask_once<T: FromRedisValue>(
        self: &Arc<Self>,
        asking: &Pipeline,
        end: Instant,
    ) -> Result<Result<T, RedisError>, LineError> {
        let wire = timeout_at(end, self.wire()).await;
        let wire = wire.unwrap_or(Err(LineError::Timeout))?;
        let mut connection = wire.connection.clone();
        match timeout_at(end, asking.query_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(error)) if is_over(&error) => {
                self.hang_up(&wire);
                Ok(Err(error))
            }
            Ok(Err(error)) => Err(refused(error)),
            // The other end may be gone without a word.
            Err(_) => {
                self.hang_up(&wire);
                Err(LineError::Timeout)
            }
        }
    }

    /// The connection there is, or the one that comes.
    async fn wire(self: &Arc<Self>) -> Result<Wire, LineError> {
        let dial = {
            let mut state = self.state();
            if let Some(wire) = &state.wire {
                return Ok(wire.clone());
            }
            let under_way = state.dial.as_ref().filter(|dial| !dial.is_over());
            match (under_way, &state.rest) {
                (Some(dial), _) => dial.clone(),
                (None, Some(rest)) if rest.until > Instant::now() => {
                    return Err(rest.error.clone());
                }
                (None, _) => self.launch(&mut state),
            }
        };
        let lost = || Err(LineError::Lost);
        dial.land().await.unwrap_or_else(lost)
    }

    fn launch(self: &Arc<Self>, state: &mut State) -> Flight<Result<Wire, LineError>> {
        let line = Arc::clone(self);
        let dial = Flight::launch(async move {
            let wire = timeout(line.limit, line.dial()).await;
            let wire = wire.unwrap_or(Err(LineError::Timeout));
            line.settle(&wire);
            wire
        });
        state.dial = Some(dial.clone());
        dial
    }

    fn settle(&self, wire: &Result<Wire, LineError>) {
        let mut state = self.state();
        match wire {
            Ok(wire) => {
                state.wire = Some(wire.clone());
                state.rest = None;
            }
            Err(error) => {
                let last = state.rest.as_ref().map(|rest| rest.pause * 2);
                let pause = last.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
                state.rest = Some(Rest {
                    until: Instant::now() + pause,
                    pause,
                    error: error.clone(),
                });
            }
        }
    }

    async fn dial(&self) -> Result<Wire, LineError> {
        let address = (self.server.host.as_str(), self.server.port);
        let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        match &self.tls {
            None => self.log_in(tcp).await,
            Some(tls) => {
                let dialled = tls.connector.connect(tls.name.clone(), tcp).await;
                self.log_in(dialled.map_err(unreachable)?).await
            }
        }
    }

    async fn log_in(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Wire, LineError> {
        let mut login = RedisConnectionInfo::default()
            .set_db(self.server.database)
            .set_skip_set_lib_name();
        if let Some(username) = &self.server.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.server.password {
            login = login.set_password(password.expose_secret());
        }
        // Askings have a limit of their own, which knows about the dial before them.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&login, io, patient).await;
        let (connection, driver) = opened.map_err(refused)?;
        let driver = Arc::new(AbortOnDropHandle::new(tokio::spawn(driver)));
        Ok(Wire { connection, driver })
    }

    /// Lets go of a connection, unless another has taken its place.
    fn hang_up(&self, wire: &Wire) {
        let mut state = self.state();
        if state.wire.as_ref().is_some_and(|held| held.is(wire)) {
            state.wire = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Tls {
    /// TLS to a host that shows a certificate of `ca` alone, or of those that `lent` believes.
    fn new(host: &str, ca: Option<&[u8]>, lent: &Arc<ClientConfig>) -> Result<Self, LineError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| LineError::Host)?;
        let config = match ca {
            None => Arc::clone(lent),
            Some(pem) => Arc::new(
                ClientConfig::builder()
                    .with_root_certificates(roots(pem)?)
                    .with_no_client_auth(),
            ),
        };
        let connector = TlsConnector::from(config);
        Ok(Self { connector, name })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// Whether a connection is of no more use. One that leads to a copy that may only be read is: after a
/// failover, the name leads elsewhere.
fn is_over(error: &RedisError) -> bool {
    let read_only = ErrorKind::Server(ServerErrorKind::ReadOnly);
    error.is_unrecoverable_error() || error.kind() == read_only
}

fn roots(pem: &[u8]) -> Result<RootCertStore, LineError> {
    let bad = || LineError::Authorities;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| bad())?;
        roots.add(certificate).map_err(|_| bad())?;
    }
    Ok(roots)
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over")]
fn unreachable(error: io::Error) -> LineError {
    LineError::Transport(error.to_string())
}

/// Redis' error without its text, which may repeat what was asked.
fn refused(error: RedisError) -> LineError {
    let (kind, category) = (error.kind(), error.category().to_owned());
    let code = match kind {
        // So it is called where it is asked for alone; the library keeps no word of it.
        ErrorKind::AuthenticationFailed => "WRONGPASS".to_owned(),
        _ => code(error),
    };
    let words = format!("{category} {code}").trim_end().to_owned();
    match kind {
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => {
            LineError::Refused { words, code }
        }
        _ => LineError::Transport(words),
    }
}

/// Redis' own word for an error, or nothing; that of the first, where several were asked at once.
fn code(error: RedisError) -> String {
    let told = error.code().map(str::to_owned);
    let code = told.or_else(|| {
        let errors = error.into_server_errors()?;
        Some(errors.first()?.1.code().to_owned())
    });
    let plain = |code: &String| code.len() <= 32 && code.bytes().all(|c| c.is_ascii_uppercase());
    code.filter(plain).unwrap_or_default()
}

/// Why there is no answer. `Display` is for the operator.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// The CAs to trust cannot be read.
    #[error("the CAs of the Redis cannot be read")]
    Authorities,
    /// TLS to a host that no certificate can name.
    #[error("no certificate can name the host of the Redis")]
    Host,
    /// A dial that others waited for came to nothing.
    #[error("the dial was lost")]
    Lost,
    /// It answers, and says no.
    #[error("it refuses: {words}")]
    Refused {
        /// What sort of no it is.
        words: String,
        /// Redis' own word for it, where it has one.
        code: String,
    },
    /// It did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// It cannot be reached; the transport's own words.
    #[error("it cannot be reached: {0}")]
    Transport(String),
}
