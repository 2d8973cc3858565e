//! `qix-load open`: sockets through anybody's proxy, calls on them at a pace, and how long it takes.

use std::fs;
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use url::Url;

use crate::load::{Aim, Course, Crowd, percentiles};
use crate::rig::{KEY, Rig, Trust, call_frame};
use crate::say;

/// The call that is made: every engine answers it, and no route refuses it.
const CALL: &[u8] = br#"{"handle":-1,"method":"EngineVersion","params":[],"jsonrpc":"2.0","id":7}"#;
/// How long sockets get to be greeted.
const GREETING: Duration = Duration::from_secs(1);

/// What to open.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The websocket, as a browser would open it: `wss://host/qlik/app/APP`.
    url: Url,
    /// How many sockets.
    #[arg(long, default_value_t = 100)]
    sockets: usize,
    /// A file of headers, `Name: value` a line: cookie, origin. Where an empty line stands, the
    /// next person begins; sockets are opened for everybody in turn.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// A PEM file of CAs to trust besides the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Calls a second, over all sockets; none are made without it.
    #[arg(long)]
    pace: Option<u32>,
    /// For how many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Opens, calls and says how it was.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut rig = Rig::new()?;
    let aim = aim(arguments)?;
    let began = Instant::now();
    let mut crowd = Crowd::open(&mut rig, &aim, arguments.sockets)?;
    say(&format!(
        "{} sockets open after {:.2} s",
        arguments.sockets,
        began.elapsed().as_secs_f64()
    ));
    crowd.rest(GREETING)?;
    let span = Duration::from_secs(arguments.seconds);
    let Some(pace) = arguments.pace.filter(|pace| *pace > 0) else {
        crowd.rest(span)?;
        say("all of them stayed open");
        return Ok(ExitCode::SUCCESS);
    };
    let course = Course {
        call: call_frame(CALL),
        warm_up: Duration::ZERO,
        span,
    };
    let mut seen = crowd.pace(&course, Duration::from_secs(1) / pace, &|| Ok(0))?;
    let (median, last) = percentiles(&mut seen.times);
    say(&format!(
        "{} answers in {} s: half of them within {median:.0} us, 99 in 100 within {last:.0} us",
        seen.times.len(),
        arguments.seconds
    ));
    Ok(ExitCode::SUCCESS)
}

fn aim(arguments: &Arguments) -> anyhow::Result<Aim> {
    let url = &arguments.url;
    let host = url.host_str().context("the URL names no host")?;
    let (is_tls, usual) = match url.scheme() {
        "ws" | "http" => (false, 80),
        "wss" | "https" => (true, 443),
        other => bail!("{other}: is no websocket; write ws:// or wss://"),
    };
    let bare = host.trim_matches(['[', ']']);
    let mut addresses = (bare, url.port().unwrap_or(usual)).to_socket_addrs()?;
    Ok(Aim {
        address: addresses.next().context("the host has no address")?,
        trust: is_tls
            .then(|| trust(bare, arguments.ca.as_deref()))
            .transpose()?,
        requests: requests(url, arguments.headers.as_deref())?,
    })
}

fn requests(url: &Url, headers: Option<&Path>) -> anyhow::Result<Arc<[Bytes]>> {
    let text = match headers {
        Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => String::new(),
    };
    let authority = url.authority();
    let query = url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let people = text.split("\n\n").map(|person| {
        let lines = person.lines().map(str::trim).filter(|line| !line.is_empty());
        let headers = lines.fold(String::new(), |all, line| all + line + "\r\n");
        let request = format!(
            "GET {}{query} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n",
            url.path()
        );
        Bytes::from(request)
    });
    Ok(people.collect())
}

fn trust(host: &str, ca: Option<&Path>) -> anyhow::Result<Trust> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        for certificate in CertificateDer::pem_file_iter(path)? {
            roots.add(certificate?)?;
        }
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Trust {
        config: Arc::new(config),
        name: ServerName::try_from(host.to_owned())?,
    })
}
