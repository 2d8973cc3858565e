//! `engine-sim windows`: certificates on disk, three ports, and a virtual proxy an argument.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use engine_sim::{
    certificates::Certificates,
    tenant::Speaks,
    windows::{Builder, Ports, Release, Strangers, Transport, VirtualProxy, Windows},
};
use serde_json::json;

/// A virtual proxy's prefix may be empty: that is the default one.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the files of an export are written.
    #[arg(long, value_name = "FOLDER")]
    certificates: PathBuf,
    /// A name in the server's certificate; 127.0.0.1 and localhost when not said.
    #[arg(long)]
    name: Vec<String>,
    /// A virtual proxy that takes JWTs, by its prefix.
    #[arg(long, value_name = "PREFIX", requires = "jwt_key")]
    jwt: Vec<String>,
    /// The public key or certificate of the JWTs, PEM.
    #[arg(long, value_name = "FILE")]
    jwt_key: Option<PathBuf>,
    /// A virtual proxy that takes a header, `PREFIX=NAME` or `PREFIX=NAME:DIRECTORY`.
    #[arg(long)]
    header: Vec<String>,
    /// A virtual proxy that takes tickets, by its prefix.
    #[arg(long, value_name = "PREFIX")]
    ticket: Vec<String>,
    /// A virtual proxy that takes added sessions, by its prefix.
    #[arg(long, value_name = "PREFIX")]
    session: Vec<String>,
    /// A host on every virtual proxy's Host allow list; the certificate's names when not said.
    #[arg(long)]
    host: Vec<String>,
    /// Whose rules hold for websockets: `before-2024` or `november-2024`; by default those of
    /// November 2024 for JWTs alone.
    #[arg(long, value_parser = release)]
    release: Option<Release>,
    /// When `OnAuthenticationInformation` is said: `at-once` or `after-first-message`.
    #[arg(long, default_value = "after-first-message", value_parser = moment)]
    speaks: Speaks,
    /// What becomes of strangers: `asked` to authenticate or `refused` with 401.
    #[arg(long, default_value = "asked", value_parser = strangers)]
    strangers: Strangers,
    /// The front door speaks plain HTTP.
    #[arg(long)]
    http: bool,
    /// The front door's port; 0 takes a free one, as it does for the others.
    #[arg(long, default_value_t = 0)]
    front_port: u16,
    /// The proxy service's port.
    #[arg(long, default_value_t = 0)]
    qps_port: u16,
    /// The engine's port.
    #[arg(long, default_value_t = 0)]
    engine_port: u16,
    /// Keeps no messages, for long runs under load.
    #[arg(long)]
    quiet: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let windows = installation(&arguments)?.start().await?;
    let ready = json!({
        "listening": windows.url(), "qps": windows.qps_url(), "engine": windows.engine_url(),
    });
    super::announce(&ready).await?;
    windows.stop().await;
    Ok(())
}

fn installation(arguments: &Arguments) -> anyhow::Result<Builder> {
    let folder = &arguments.certificates;
    fs::create_dir_all(folder)?;
    let certificates = Certificates::made_for(&names(arguments))?;
    let written = certificates.write(folder);
    written.with_context(|| format!("cannot write to {}", folder.display()))?;
    let mut builder = Windows::builder()
        .certificates(certificates)
        .transport(if arguments.http {
            Transport::Http
        } else {
            Transport::Https
        })
        .ports(Ports {
            front: arguments.front_port,
            qps: arguments.qps_port,
            engine: arguments.engine_port,
        });
    if arguments.quiet {
        builder = builder.quiet();
    }
    for (prefix, proxy) in proxies(arguments)? {
        builder = builder.virtual_proxy(&prefix, dressed(arguments, proxy));
    }
    Ok(builder)
}

fn names(arguments: &Arguments) -> Vec<&str> {
    if arguments.name.is_empty() {
        return vec!["127.0.0.1", "localhost"];
    }
    arguments.name.iter().map(String::as_str).collect()
}

fn proxies(arguments: &Arguments) -> anyhow::Result<Vec<(String, VirtualProxy)>> {
    let mut proxies = Vec::new();
    if let Some(path) = &arguments.jwt_key {
        let proxy = VirtualProxy::jwt(&super::read(path)?)?;
        let known = arguments.jwt.iter();
        proxies.extend(known.map(|prefix| (prefix.clone(), proxy.clone())));
    }
    for header in &arguments.header {
        let (prefix, name) = header.split_once('=').context("expected PREFIX=NAME")?;
        let proxy = match name.split_once(':') {
            Some((name, directory)) => VirtualProxy::header(name).directory(directory),
            None => VirtualProxy::header(name),
        };
        proxies.push((prefix.to_owned(), proxy));
    }
    let tickets = arguments.ticket.iter();
    proxies.extend(tickets.map(|prefix| (prefix.clone(), VirtualProxy::ticket())));
    let sessions = arguments.session.iter();
    proxies.extend(sessions.map(|prefix| (prefix.clone(), VirtualProxy::session())));
    Ok(proxies)
}

/// A virtual proxy with what is said for all of them.
fn dressed(arguments: &Arguments, mut proxy: VirtualProxy) -> VirtualProxy {
    if !arguments.host.is_empty() {
        let hosts: Vec<&str> = arguments.host.iter().map(String::as_str).collect();
        proxy = proxy.hosts(&hosts);
    }
    if let Some(release) = arguments.release {
        proxy = proxy.release(release);
    }
    proxy
        .speaks(arguments.speaks)
        .strangers(arguments.strangers)
}

fn release(text: &str) -> anyhow::Result<Release> {
    match text {
        "before-2024" => Ok(Release::Before2024),
        "november-2024" => Ok(Release::November2024),
        _ => bail!("expected before-2024 or november-2024"),
    }
}

fn moment(text: &str) -> anyhow::Result<Speaks> {
    match text {
        "at-once" => Ok(Speaks::AtOnce),
        "after-first-message" => Ok(Speaks::AfterFirstMessage),
        _ => bail!("expected at-once or after-first-message"),
    }
}

fn strangers(text: &str) -> anyhow::Result<Strangers> {
    match text {
        "asked" => Ok(Strangers::Asked),
        "refused" => Ok(Strangers::Refused),
        _ => bail!("expected asked or refused"),
    }
}
