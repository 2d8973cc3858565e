//! The stand-in as a process: listens, says where on stdout, and stops on SIGTERM or SIGINT.

mod command;

use std::{
    fs::File,
    io::BufReader,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clap::Parser;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use engine_sim::tenant::{Builder, ClientKind, Tenant};

/// A stand-in for a Qlik Cloud tenant; or, by a word, for another Qlik.
///
/// `ENGINE_SIM_CLIENTS` (`id=secret,id2=secret2`) and `ENGINE_SIM_API_KEY` keep secrets out of argv.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    kind: Option<command::Kind>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// An OAuth client, `id=secret`, that may impersonate.
    #[arg(long)]
    client: Vec<String>,
    /// An OAuth client, `id=secret`, that may not.
    #[arg(long)]
    machine_client: Vec<String>,
    /// An API key.
    #[arg(long)]
    api_key: Vec<String>,
    /// A user, `subject=userId`; any user exists when none is given.
    #[arg(long)]
    user: Vec<String>,
    /// How long a token lives: `90s`, `15m`, `6h`.
    #[arg(long, default_value = "6h", value_parser = span)]
    token_life: Duration,
    #[command(flatten)]
    cloud: command::cloud::Arguments,
    /// Demands no bearer on the websocket.
    #[arg(long)]
    open: bool,
    /// Keeps no messages, for long runs under load.
    #[arg(long)]
    quiet: bool,
    /// The certificate chain, PEM.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    if let Some(kind) = arguments.kind.take() {
        return kind.run().await;
    }
    let listen = arguments.listen;
    let tenant = tenant(arguments)?.start(listen).await;
    let tenant = tenant.with_context(|| format!("cannot listen at {listen}"))?;
    command::announce(&serde_json::json!({ "listening": tenant.url() })).await?;
    tenant.stop().await;
    Ok(())
}

fn tenant(arguments: Arguments) -> anyhow::Result<Builder> {
    let mut builder = Tenant::builder().token_life(arguments.token_life);
    for client in arguments.client.iter().chain(&clients_from_environment()) {
        let (id, secret) = pair(client)?;
        builder = builder.client(id, secret, ClientKind::Trusted);
    }
    for client in &arguments.machine_client {
        let (id, secret) = pair(client)?;
        builder = builder.client(id, secret, ClientKind::Machine);
    }
    for key in arguments
        .api_key
        .into_iter()
        .chain(std::env::var("ENGINE_SIM_API_KEY"))
    {
        builder = builder.api_key(&key);
    }
    for user in &arguments.user {
        let (subject, user_id) = pair(user)?;
        builder = builder.user(subject, user_id);
    }
    builder = arguments.cloud.apply(builder)?;
    if let (Some(certificate), Some(key)) = (arguments.tls_cert, arguments.tls_key) {
        builder = builder.tls(Arc::new(tls(&certificate, &key)?));
    }
    if arguments.open {
        builder = builder.open();
    }
    Ok(if arguments.quiet {
        builder.quiet()
    } else {
        builder
    })
}

fn clients_from_environment() -> Vec<String> {
    let clients = std::env::var("ENGINE_SIM_CLIENTS").unwrap_or_default();
    let clients = clients.split(',').filter(|client| !client.is_empty());
    clients.map(ToOwned::to_owned).collect()
}

fn tls(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_reader_iter(BufReader::new(open(certificate)?))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| anyhow!("{}: {error}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_reader(BufReader::new(open(key)?))
        .map_err(|error| anyhow!("{}: {error}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// `left=right`. Not a parser of clap's, whose errors repeat the text: it may be a secret.
fn pair(text: &str) -> anyhow::Result<(&str, &str)> {
    text.split_once('=')
        .context("clients and users are two parts joined by `=`")
}

fn span(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number.parse().context("expected a number and s, m or h")?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => bail!("expected a number and s, m or h"),
    }
}
