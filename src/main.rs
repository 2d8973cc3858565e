//! The command line: `qix-proxy run | check | schema | health`.

use std::io::{Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use qix_proxy::config::{Config, System, Warning, customer_schema, schema};
use qix_proxy::proxy::{Proxy, Source, Unread};
use qix_proxy::telemetry;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, warn};

/// A bad command line or a bad config (`EX_USAGE`).
const USAGE: u8 = 64;
/// A door that could not be opened, or that nobody answers behind (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;

/// Reverse proxy for the Qlik engine websocket: your app's session in, a Qlik credential that
/// stays on the server out.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a config, say what is wrong with it, and exit.
    Check {
        /// The config file (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Ask a running proxy whether it is ready (for a container's probe).
    Health {
        /// The admin door's address.
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090")]
        address: SocketAddr,
    },
    /// Run the proxy until SIGTERM or SIGINT; SIGHUP has the config read anew.
    Run {
        /// The config file (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print the JSON Schema of the config.
    Schema {
        /// That of a customer's file instead.
        #[arg(long)]
        customer: bool,
    },
}

fn main() -> ExitCode {
    // Before anything can want TLS, so that nothing picks a provider by itself.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = !error.use_stderr();
            let _ = error.print();
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            };
        }
    };
    match arguments.command {
        Command::Check { config } => check(&config),
        Command::Health { address } => block_on(health(address)),
        Command::Run { config } => run(&config),
        Command::Schema { customer } => {
            let schema = if customer {
                customer_schema()
            } else {
                schema()
            };
            say(&mut stdout(), &format!("{schema:#}"));
            ExitCode::SUCCESS
        }
    }
}

fn check(path: &Path) -> ExitCode {
    match read(path) {
        Err(unread) => {
            say(&mut stderr(), &unread.to_string());
            ExitCode::from(USAGE)
        }
        Ok((config, warnings)) => {
            for warning in &warnings {
                say(&mut stderr(), &warning.to_string());
            }
            let routes = config.routes.len();
            say(
                &mut stdout(),
                &format!("{}: good, {routes} route(s)", path.display()),
            );
            ExitCode::SUCCESS
        }
    }
}

fn run(path: &Path) -> ExitCode {
    let (config, warnings) = match read(path) {
        Ok(read) => read,
        Err(unread) => {
            say(&mut stderr(), &unread.to_string());
            return ExitCode::from(USAGE);
        }
    };
    if let Err(error) = telemetry::log(&config.log) {
        say(&mut stderr(), &error.to_string());
        return ExitCode::from(USAGE);
    }
    for warning in warnings {
        let (file, line) = (warning.remark().file(), warning.remark().line());
        warn!(at = %format!("{}:{line}", file.display()), "{}", warning.remark().what());
    }
    let path = path.to_owned();
    block_on(serve(config, Box::new(move || read(&path))))
}

async fn serve(config: Config, source: Source) -> ExitCode {
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        error!("the process cannot listen to signals");
        return ExitCode::from(UNAVAILABLE);
    };
    let shutdown = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    match Proxy::bind(config, source).await {
        Ok(proxy) => {
            let reload = proxy.reload();
            let listening = tokio::spawn(async move {
                while hup.recv().await.is_some() {
                    reload.notify_one();
                }
            });
            proxy.run(shutdown).await;
            listening.abort();
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(%error, "the proxy cannot start");
            ExitCode::from(UNAVAILABLE)
        }
    }
}

async fn health(address: SocketAddr) -> ExitCode {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(3))
        .build();
    let answer = match client {
        Ok(client) => client.get(format!("http://{address}/readyz")).send().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if answer.status().is_success() => ExitCode::SUCCESS,
        Ok(answer) => {
            say(
                &mut stderr(),
                &format!("{address}: not ready ({})", answer.status()),
            );
            ExitCode::from(UNAVAILABLE)
        }
        Err(_) => {
            say(&mut stderr(), &format!("{address}: nobody answers"));
            ExitCode::from(UNAVAILABLE)
        }
    }
}

fn read(path: &Path) -> Result<(Config, Vec<Warning>), Unread> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Unread::File(format!("{}: cannot be read: {error}", path.display())))?;
    Config::parse(&text, path, &System).map_err(Unread::Mistakes)
}

fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A name that is still being looked up must not hold up the exit.
            runtime.shutdown_timeout(Duration::from_secs(1));
            code
        }
        Err(error) => {
            say(&mut stderr(), &format!("no runtime: {error}"));
            ExitCode::from(UNAVAILABLE)
        }
    }
}

/// Nobody listening is no reason to fail.
fn say(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
}
