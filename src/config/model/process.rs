//! What the finished config says of the whole process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretSlice;

/// The public door.
#[derive(Debug)]
pub struct Listen {
    /// Where to listen.
    pub address: SocketAddr,
    /// TLS, when the door has it.
    pub tls: Option<ListenTls>,
    /// The peers that are believed when they say whose request it is; none has prefix 0.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request head, in bytes (default 16 KiB).
    pub head_bytes: usize,
    /// How long a client may take to send its request head (default 10 s).
    pub head_timeout: Duration,
    /// How many TCP connections may be open at once (default 12,000).
    pub connections: usize,
    /// How long sockets get to end after SIGTERM (default 25 s).
    pub drain: Duration,
}

/// The certificate chain and key of a door, PEM files.
#[derive(Debug)]
pub struct ListenTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// The operators' door.
#[derive(Debug)]
pub struct Admin {
    /// Where to listen (default 127.0.0.1:9090).
    pub address: SocketAddr,
    /// TLS, when the door has it; always there with a token on an address that is not loopback.
    pub tls: Option<ListenTls>,
    /// What opens `/sockets`; `None`: nobody.
    pub token: Option<SecretSlice<u8>>,
    /// The names that `/sockets` answers to besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// How the proxy logs.
#[derive(Debug)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A `tracing` filter directive, `info` by default.
    pub level: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text.
    Text,
}

/// Caps of the whole process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets open at once (default 10,000).
    pub sockets: usize,
    /// Sockets open at once for one subject (default 50).
    pub sockets_per_subject: usize,
    /// Engine-session identities in use at once by one subject (default 20).
    pub identities_per_subject: usize,
    /// Sockets opened in a minute by one subject (default 120).
    pub opens_per_minute: usize,
    /// Session checks that fail in a minute from one address (default 60).
    pub failures_per_minute: usize,
}

/// What every outgoing connection shares.
#[derive(Debug, Default)]
pub struct Outbound {
    /// PEM file of further CAs to trust besides the system's.
    pub ca: Option<PathBuf>,
}
