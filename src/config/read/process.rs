//! The top of the file and the tables that concern the whole process.

use std::cell::RefCell;
use std::net::SocketAddr;

use super::{http2, outbound, replicas, route};
use crate::config::defaults;
use crate::config::model::{
    Admin, Config, Fixed, Limits, Listen, ListenAddress, ListenTls, Log, Route, SessionCheck,
    SocketFile,
};
use crate::config::notes::Noted;
use crate::config::print::Print;
use crate::config::table::Table;
use crate::config::value::{
    Authorities, Count, Level, LongSecret, Mode, OneOrMany, Positive, Size, pair,
};
use crate::peer::Believed;

/// The largest head that fits no connection's buffer is hyper's smallest buffer.
const SMALLEST_HEAD: usize = 8 * 1024;

/// The whole config.
pub(super) fn config(t: &mut Table<'_>) -> Result<Config, Noted> {
    let (identity_key, key_print) = t.printed("identity_key", identity_key);
    if !t.has("identity_key") {
        t.warn(
            "identity_key",
            "without `identity_key`, engine sessions are not found again after a restart, and \
             differ between replicas",
            "write `identity_key = { env = \"QIX_IDENTITY_KEY\" }`",
        );
    }
    let listen = t.table("listen", "The public door.", listen);
    let public = match listen.as_ref().map(|listen| &listen.address) {
        Ok(ListenAddress::Tcp(address)) => Some(*address),
        _ => None,
    };
    let admin = t.table("admin", "The operators' door.", |t| admin(t, public));
    let log = t.table("log", "How the proxy logs.", log);
    let limits = t.table("limits", "Caps of the whole process.", limits);
    let (outbound, outbound_print) = t.printed("outbound", |t| {
        let doc = "What every outgoing connection shares.";
        t.table("outbound", doc, outbound::outbound)
    });
    let replicas = t.optional_table(
        "replicas",
        "The Redis that several proxies share: logouts and tickets of one are known to all.",
        replicas::replicas,
    );
    let shared_key = t.demanded_with(
        "identity_key",
        "replicas",
        "{ env = \"QIX_IDENTITY_KEY\" }",
        "what replicas tell each other is sealed under it",
    );
    let taken = RefCell::default();
    let routes = t.required_tables(
        "route",
        "path = \"/qlik\"",
        "A route: the four questions.",
        |t| route::route(t, &taken),
    );
    shared_key?;
    let mut routes = routes;
    if let (Ok(listen), Ok(routes)) = (&listen, &mut routes) {
        demand_ways_in(t, listen, routes)?;
        tie_to_authorities(listen, routes);
    }
    Ok(Config {
        fixed: fixed(t, key_print),
        identity_key: identity_key?.map(|LongSecret(key)| key),
        listen: listen?,
        admin: admin?,
        log: log?,
        limits: limits?,
        outbound: outbound?,
        outbound_print,
        replicas: replicas?,
        routes: routes?,
    })
}

fn identity_key(t: &mut Table<'_>) -> Result<Option<LongSecret>, Noted> {
    t.optional(
        "identity_key",
        "Keys the engine-session identities, 32 bytes or more, the same on all replicas. Without \
         it every start draws a random one.",
    )
}

/// What a running process does not take from a config that is read anew.
fn fixed(t: &Table<'_>, identity_key: Print) -> Fixed {
    Fixed(vec![
        ("identity_key", identity_key),
        (
            "[listen]",
            t.written_but("listen", &["tls", "trusted_proxies"]),
        ),
        ("[admin]", t.written_but("admin", &["tls"])),
        ("[log]", t.written("log")),
        ("[limits]", t.written("limits")),
        ("[replicas]", t.written("replicas")),
    ])
}

/// Peers that are believed must have a way in that shows what they are.
fn demand_ways_in(t: &Table<'_>, listen: &Listen, routes: &[Route]) -> Result<(), Noted> {
    let ingresses = routes.iter().flat_map(ingresses);
    let mut believed = ingresses.chain(&listen.trusted_proxies);
    let certified = listen
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca.is_some());
    let unix = matches!(listen.address, ListenAddress::Unix(_));
    let missing = believed.find_map(|peer| match peer {
        Believed::Certified if !certified => Some(("certificate", "`client_ca` in [listen.tls]")),
        Believed::Unix if !unix => Some(("unix", "`address = \"unix:/…\"` in [listen]")),
        _ => None,
    });
    let Some((peer, way)) = missing else {
        return Ok(());
    };
    let what = format!("nobody can come by \"{peer}\", which is believed");
    Err(t.refuse(
        "listen",
        what,
        format!("write {way}, or leave \"{peer}\" out"),
    ))
}

/// Checks that believe whoever shows a certificate are others under other CAs.
fn tie_to_authorities(listen: &Listen, routes: &mut [Route]) {
    let Some(tls) = &listen.tls else { return };
    for route in routes {
        if ingresses(route).any(|peer| *peer == Believed::Certified) {
            route.sessions_print = Print::both(route.sessions_print, tls.client_ca_print);
        }
    }
}

/// The peers that a route's checks believe.
fn ingresses(route: &Route) -> impl Iterator<Item = &Believed> {
    let peers = route.sessions.iter().filter_map(|check| match check {
        SessionCheck::TrustedHeader(check) => Some(&check.peers),
        _ => None,
    });
    peers.flatten()
}

fn listen(t: &mut Table<'_>) -> Result<Listen, Noted> {
    let address = t.or(
        "address",
        defaults::ADDRESS,
        "Where to listen; \"0.0.0.0:8080\" for every interface, \"unix:/run/qix-proxy.sock\" for a socket file.",
    );
    let socket_mode = t.or(
        "socket_mode",
        Mode(defaults::SOCKET_MODE),
        "The mode of a socket file: who may write to it may connect.",
    );
    let head_bytes = t.or(
        "head_bytes",
        Size(defaults::HEAD_BYTES),
        "The largest request head, 8 KiB or more.",
    );
    let head_timeout = t.or(
        "head_timeout",
        Positive(defaults::HEAD_TIMEOUT),
        "How long a client may take to send its request head.",
    );
    let connections = t.or(
        "connections",
        Count(defaults::CONNECTIONS),
        "How many TCP connections may be open at once.",
    );
    let drain = t.or(
        "drain",
        defaults::DRAIN,
        "How long sockets get to end after SIGTERM.",
    );
    let trusted_proxies: Result<Option<Vec<Believed>>, _> = t.optional(
        "trusted_proxies",
        "The networks of your own proxies in front of this one: what they append to \
         `X-Forwarded-For` is believed; \"unix\" and \"certificate\" for who comes so.",
    );
    let tls = t.optional_table("tls", "TLS on the public door.", public_tls);
    let http2 = http2::of_listen(t);
    Ok(Listen {
        address: match (address?, socket_mode?) {
            (ListenAddress::Unix(file), Mode(mode)) => {
                ListenAddress::Unix(SocketFile { mode, ..file })
            }
            (address, _) => address,
        },
        tls: tls?,
        http2: http2?,
        trusted_proxies: trusted_proxies?.unwrap_or_default(),
        head_bytes: large_enough(t, head_bytes?)?,
        head_timeout: head_timeout?.0,
        connections: connections?.0,
        drain: drain?,
    })
}

fn large_enough(t: &Table<'_>, Size(head_bytes): Size) -> Result<usize, Noted> {
    if head_bytes < SMALLEST_HEAD {
        let what = "a request head of less than 8 KiB is too little for cookies and tokens";
        return Err(t.refuse("head_bytes", what, "write \"8 KiB\" or more"));
    }
    Ok(head_bytes)
}

fn public_tls(t: &mut Table<'_>) -> Result<ListenTls, Noted> {
    let files = listen_tls(t);
    let (client_ca, client_ca_print) = t.printed("client_ca", |t| {
        let doc = "A PEM file of the CAs whose clients are believed as \"certificate\"; who shows none is \
                   let in all the same, as anybody is.";
        t.optional("client_ca", doc)
    });
    let client_ca: Option<Authorities> = client_ca?;
    Ok(ListenTls {
        client_ca: client_ca.map(|Authorities(path)| path),
        client_ca_print,
        ..files?
    })
}

fn listen_tls(t: &mut Table<'_>) -> Result<ListenTls, Noted> {
    let certificate = t.required(
        "certificate",
        "\"certs/server.pem\"",
        "The certificate chain, a PEM file; a relative path counts from this file's folder.",
    );
    let key = t.required(
        "key",
        "\"certs/server-key.pem\"",
        "The private key, a PEM file.",
    );
    let (certificate, key) = pair(t, certificate?, key?)?;
    Ok(ListenTls {
        certificate,
        key,
        client_ca: None,
        client_ca_print: Print::default(),
    })
}

fn admin(t: &mut Table<'_>, public: Option<SocketAddr>) -> Result<Admin, Noted> {
    let address = t.or(
        "address",
        defaults::ADMIN,
        "Where `/livez`, `/readyz`, `/metrics` and `/sockets` answer; not for the public.",
    );
    let token: Result<Option<LongSecret>, _> = t.optional(
        "token",
        "Opens `/sockets`, where operators list and close sockets, and `/reload`: 32 bytes or more of visible \
         ASCII; without it, nobody does.",
    );
    let hosts: Result<Option<OneOrMany<String>>, _> = t.optional(
        "hosts",
        "The names that `/sockets` answers to besides addresses and localhost.",
    );
    let tls = t.optional_table("tls", "TLS on the operators' door.", listen_tls);
    let address = address?;
    if public.is_some_and(|public| collide(public, address)) {
        return Err(t.refuse(
            "address",
            format!("`listen.address` has port {} already", address.port()),
            "write another port, such as \"127.0.0.1:9090\"",
        ));
    }
    if !address.ip().is_loopback() {
        t.warn(
            "address",
            "the operators' door is open to other machines, and it asks nobody who they are",
            "let only the probes and the metrics scraper reach it",
        );
    }
    let secured = (tls?, token?);
    if let (None, Some(_)) = &secured
        && !address.ip().is_loopback()
    {
        return Err(t.refuse(
            "token",
            "this token would cross the network in plain text",
            "write [admin.tls] with `certificate` and `key`, or let `address` be loopback",
        ));
    }
    let (tls, token) = secured;
    Ok(Admin {
        address,
        tls,
        token: token.map(|LongSecret(token)| token),
        hosts: hosts?.map_or(Vec::new(), |OneOrMany(hosts)| hosts),
    })
}

/// Port 0 is a free one, a different one each time.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && overlap
}

fn log(t: &mut Table<'_>) -> Result<Log, Noted> {
    let format = t.or(
        "format",
        defaults::FORMAT,
        "\"text\" for people, \"json\" for machines.",
    );
    let level = t.or(
        "level",
        Level::default(),
        "How much: off, error, warn, info, debug, trace; for a part of it, \
         \"info,qix_proxy=debug\".",
    );
    Ok(Log {
        format: format?,
        level: level?.0,
    })
}

fn limits(t: &mut Table<'_>) -> Result<Limits, Noted> {
    let sockets = t.or("sockets", Count(defaults::SOCKETS), "Sockets open at once.");
    let sockets_per_subject = t.or(
        "sockets_per_subject",
        Count(defaults::SOCKETS_PER_SUBJECT),
        "Sockets open at once for one subject.",
    );
    let identities_per_subject = t.or(
        "identities_per_subject",
        Count(defaults::IDENTITIES_PER_SUBJECT),
        "Engine-session identities in use at once by one subject.",
    );
    let opens_per_minute = t.or(
        "opens_per_minute",
        Count(defaults::OPENS_PER_MINUTE),
        "Sockets opened in a minute by one subject.",
    );
    let failures_per_minute = t.or(
        "failures_per_minute",
        Count(defaults::FAILURES_PER_MINUTE),
        "Session checks that fail in a minute from one address (of IPv6, one /64).",
    );
    Ok(Limits {
        sockets: sockets?.0,
        sockets_per_subject: sockets_per_subject?.0,
        identities_per_subject: identities_per_subject?.0,
        opens_per_minute: opens_per_minute?.0,
        failures_per_minute: failures_per_minute?.0,
    })
}
