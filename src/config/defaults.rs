//! Every default of the config, in one place; the reader fills them in and the schema prints them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::model::{
    Admins, Algorithm, Carrier, ClientAuth, ClientsWithoutOrigin, ListenAddress, LogFormat,
    Methods, RefusalStyle, Shown,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// [listen]
pub(super) const ADDRESS: ListenAddress =
    ListenAddress::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080));
pub(super) const SOCKET_MODE: u32 = 0o660;
pub(super) const HEAD_BYTES: usize = 16 * KIB;
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const CONNECTIONS: usize = 12_000;
pub(super) const DRAIN: Duration = Duration::from_secs(25);

// [listen.http2]
pub(super) const HTTP2_OFFER: bool = true;
pub(super) const HTTP2_STREAMS: usize = 100;
pub(super) const HTTP2_IDLE: Duration = Duration::from_mins(1);

// [admin]
pub(super) const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

// [log]
pub(super) const FORMAT: LogFormat = LogFormat::Text;
pub(super) const LEVEL: &str = "info";

// [limits]
pub(super) const SOCKETS: usize = 10_000;
pub(super) const SOCKETS_PER_SUBJECT: usize = 50;
pub(super) const IDENTITIES_PER_SUBJECT: usize = 20;
pub(super) const OPENS_PER_MINUTE: usize = 120;
pub(super) const FAILURES_PER_MINUTE: usize = 60;

// [replicas]
pub(super) const REPLICAS_PREFIX: &str = "qix-proxy:";

// [[route]]
pub(super) const CLIENTS: ClientsWithoutOrigin = ClientsWithoutOrigin::Refuse;
pub(super) const REFUSAL: RefusalStyle = RefusalStyle::AcceptThenClose;

// [[route.session]]
pub(super) const SUBJECT_CLAIM: &str = "sub";
pub(super) const SESSION_CLAIM: &str = "sid";
pub(super) const PUBLIC: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];
pub(super) const SHARED: [Algorithm; 1] = [Algorithm::HS256];
pub(super) const LEEWAY: Duration = Duration::from_secs(30);
pub(super) const JWKS_KEEP: Duration = Duration::from_mins(10);
pub(super) const JWKS_GRACE: Duration = Duration::from_hours(24);
pub(super) const JWKS_REFETCH: Duration = Duration::from_secs(30);
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const LOGOUT_MEMORY: Duration = Duration::from_hours(24);
pub(super) const CACHE: Duration = Duration::from_secs(1);
pub(super) const RECHECK: Duration = Duration::from_secs(5);
pub(super) const GRACE: Duration = Duration::from_secs(30);
pub(super) const INTROSPECTION_AUTH: ClientAuth = ClientAuth::Basic;
pub(super) const MAX_AGE: Duration = Duration::from_hours(12);
pub(super) const EXPRESS_COOKIE: &str = "connect.sid";
pub(super) const EXPRESS_PREFIX: &str = "sess:";
pub(super) const SPRING_COOKIE: &str = "SESSION";
pub(super) const SPRING_PREFIX: &str = "spring:session:sessions:";
pub(super) const TICKET_LIFE: Duration = Duration::from_secs(30);
pub(super) const CARRIERS: [Carrier; 2] = [Carrier::Query, Carrier::Subprotocol];

// [route.access]
pub(super) const METHODS: Methods = Methods::Consumer;

// [route.credential]
pub(super) const CLIENT_AUTH: ClientAuth = ClientAuth::Body;
pub(super) const SCOPE: &str = "user_default";
pub(super) const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const FETCHES_PER_MINUTE: usize = 80;
/// A page's handshake waits as long: Firefox gives one up after 20 s.
pub(super) const FETCH_QUEUE: Duration = Duration::from_secs(15);
pub(super) const TOKEN_PATH: &str = "/oauth/token";
pub(super) const USERS_PATH: &str = "/api/v1/users";
pub(super) const USERS_SCOPE: &str = "admin_classic";
pub(super) const LOGIN_PATH: &str = "/login/jwt-session";
pub(super) const ANONYMOUS_PATH: &str = "/oauth/token/anonymous-embed";
pub(super) const CLOUD_SESSION_LIFE: Duration = Duration::from_mins(20);
pub(super) const ADMINS: Admins = Admins::Refuse;
pub(super) const SHOWN: Shown = Shown::Header;

pub(super) const USER_ATTRIBUTE: &str = "userId";
pub(super) const DIRECTORY_ATTRIBUTE: &str = "userDirectory";
pub(super) const PROXY_SERVICE_PORT: u16 = 4243;
pub(super) const PROXY_SESSION_LIFE: Duration = Duration::from_mins(25);
pub(super) const PROXY_SESSION_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const SESSION_LINGER: Option<Duration> = Some(Duration::from_mins(5));
pub(super) const SESSIONS_PER_MINUTE: usize = 240;
pub(super) const SIGNED_LIFE: Duration = Duration::from_mins(30);

// [route.engine]
pub(super) const PING: Option<Duration> = Some(Duration::from_secs(20));
pub(super) const SESSION_TTL: Duration = Duration::from_mins(1);
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const WINDOWS_PING: Option<Duration> = None;
pub(super) const WINDOWS_DIAL_TIMEOUT: Duration = Duration::from_secs(30);

// [route.limits]
pub(super) const CLIENT_MESSAGE: usize = MIB;
pub(super) const IDLE: Duration = Duration::from_mins(30);
pub(super) const CLIENT_PING: Duration = Duration::from_secs(20);
pub(super) const CLOSE_GRACE: Duration = Duration::from_secs(5);
pub(super) const WRITE_STALL: Duration = Duration::from_mins(1);
