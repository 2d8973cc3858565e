//! The command line: `qix-proxy run | check | schema | health`.

mod runtime;

use std::fmt::Display;
use std::io::{self, Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use qix_proxy::config::{Config, Sources, Steady, System, Warning, customer_schema, schema};
use qix_proxy::probe::{Outcome, Report, Somebody, Wish};
use qix_proxy::proxy::{Proxy, Source, Unread};
use qix_proxy::{telemetry, tls};
use secrecy::SecretString;
use serde_json::{Value, json};
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, warn};

// It gives back what a burst took, where glibc's allocator keeps it in pieces; `.cargo/config.toml` says
// how soon.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A bad command line or a bad config (`EX_USAGE`).
const USAGE: u8 = 64;
/// A door that could not be opened, or that nobody answers behind (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// Qlik, or the route's own rules, said no (`EX_NOPERM`).
const REFUSED: u8 = 77;
/// How often a config is read whose files are exchanged meanwhile, and the pause between.
const READINGS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

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
    Check(Check),
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

/// What to check. With `--live`, each route's way to Qlik is tried as well: a credential is fetched
/// and the engine opened, for whoever is named.
#[derive(Args, Debug)]
struct Check {
    /// The config file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Try the way to Qlik.
    #[arg(long)]
    live: bool,
    /// Of this route alone, by its name.
    #[arg(long, value_name = "NAME", requires = "live")]
    route: Option<String>,
    /// Of this customer alone, by its name.
    #[arg(long, value_name = "NAME", requires = "live")]
    customer: Option<String>,
    /// For the person of this subject.
    #[arg(long, requires = "live")]
    subject: Option<String>,
    /// For somebody with this claim; a value that is a JSON list, object or boolean is that.
    #[arg(long = "as", value_name = "CLAIM=VALUE", requires = "live", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// With the token of an app's session that this environment variable holds, for `token-exchange`
    /// and `passed-bearer`.
    #[arg(long, value_name = "VARIABLE", requires = "live")]
    bearer_env: Option<String>,
    /// Open this app, without its data.
    #[arg(long, value_name = "ID", requires = "live")]
    app: Option<String>,
    /// Print the outcome as JSON.
    #[arg(long, requires = "live")]
    json: bool,
}

fn main() -> ExitCode {
    // Before anything can want TLS, so that nothing picks a provider by itself.
    let _ = tls::provider().install_default();
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
        Command::Check(wanted) => check(wanted),
        Command::Health { address } => ended(runtime::block_on(health(address))),
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

fn check(wanted: Check) -> ExitCode {
    let (config, warnings) = match read(&wanted.config) {
        Ok(read) => read,
        Err(unread) => return complain(&unread.to_string()),
    };
    for warning in &warnings {
        say(&mut stderr(), &warning.to_string());
    }
    if wanted.live {
        return ended(runtime::block_on(rehearse(config, wanted)));
    }
    let (path, routes) = (wanted.config.display(), config.routes.len());
    say(&mut stdout(), &format!("{path}: good, {routes} route(s)"));
    ExitCode::SUCCESS
}

async fn rehearse(config: Config, wanted: Check) -> ExitCode {
    let rehearsal = match Proxy::rehearse(config) {
        Ok(rehearsal) => rehearsal,
        Err(error) => return complain(&error.to_string()),
    };
    let token = match wanted.bearer_env.as_deref().map(token_in).transpose() {
        Ok(token) => token,
        Err(unfit) => return complain(&unfit),
    };
    let wish = Wish {
        route: wanted.route,
        customer: wanted.customer,
        somebody: Somebody::new(wanted.subject, wanted.claims).bearing(token),
        app: wanted.app,
    };
    let tell = |report: &Report| {
        if !wanted.json {
            say(&mut stdout(), &report.to_string());
        }
    };
    let reports = match rehearsal.run(&wish, tell).await {
        Ok(reports) => reports,
        Err(nothing) => return complain(&nothing.to_string()),
    };
    let worst = reports.iter().map(Report::outcome).max();
    let worst = worst.unwrap_or(Outcome::Good);
    if wanted.json {
        let whole = summary(&reports, worst);
        say(&mut stdout(), &format!("{whole:#}"));
    }
    match worst {
        Outcome::Good => ExitCode::SUCCESS,
        Outcome::Unavailable => ExitCode::from(UNAVAILABLE),
        Outcome::Refused => ExitCode::from(REFUSED),
    }
}

/// All reports for a machine.
fn summary(reports: &[Report], worst: Outcome) -> Value {
    let (routes, others): (Vec<_>, Vec<_>) =
        reports.iter().partition(|report| report.is_of_route());
    let routes: Vec<Value> = routes.into_iter().map(Report::to_json).collect();
    let replicas = others.first().map(|report| report.to_json());
    json!({ "outcome": worst.label(), "replicas": replicas, "routes": routes })
}

/// The token that a variable holds.
fn token_in(variable: &str) -> Result<SecretString, String> {
    let token = std::env::var(variable).unwrap_or_default();
    match token.trim() {
        "" => Err(format!("--bearer-env: {variable} is not set, or empty")),
        token => Ok(token.into()),
    }
}

/// `claim=value`.
fn claim(text: &str) -> Result<(String, Value), &'static str> {
    let (claim, value) = text.split_once('=').ok_or("expected claim=value")?;
    let said = match serde_json::from_str(value) {
        Ok(said @ (Value::Array(_) | Value::Object(_) | Value::Bool(_))) => said,
        _ => Value::from(value),
    };
    Ok((claim.to_owned(), said))
}

fn complain(what: &str) -> ExitCode {
    say(&mut stderr(), what);
    ExitCode::from(USAGE)
}

fn run(path: &Path) -> ExitCode {
    let (config, warnings) = match read(path) {
        Ok(read) => read,
        Err(unread) => return complain(&unread.to_string()),
    };
    if let Err(error) = telemetry::log(&config.log) {
        return complain(&error.to_string());
    }
    for warning in warnings {
        let (file, line) = (warning.remark().file(), warning.remark().line());
        warn!(at = %format!("{}:{line}", file.display()), "{}", warning.remark().what());
    }
    let path = path.to_owned();
    ended(runtime::serve(serve(config, Box::new(move || read(&path)))))
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

/// The config, and all that it includes and names, as it was at one moment.
fn read(path: &Path) -> Result<(Config, Vec<Warning>), Unread> {
    for _ in 0..READINGS {
        let steady = Steady::new(&System);
        let read = read_from(path, &steady);
        if steady.holds() {
            return read;
        }
        sleep(PAUSE);
    }
    let path = path.display();
    let what = format!("{path}: its files are exchanged again and again while they are read");
    Err(Unread::File(what))
}

fn read_from(path: &Path, sources: &dyn Sources) -> Result<(Config, Vec<Warning>), Unread> {
    let unread = |why: &dyn Display| {
        let what = format!("{}: cannot be read: {why}", path.display());
        Unread::File(what)
    };
    let text = sources.file(path).map_err(|error| unread(&error))?;
    let text = String::from_utf8(text).map_err(|_| unread(&"it is not UTF-8"))?;
    Config::parse(&text, path, sources).map_err(Unread::Mistakes)
}

/// The outcome of what ran, if there was something to run it on.
fn ended(code: io::Result<ExitCode>) -> ExitCode {
    code.unwrap_or_else(|error| {
        say(&mut stderr(), &format!("no runtime: {error}"));
        ExitCode::from(UNAVAILABLE)
    })
}

/// Nobody listening is no reason to fail.
fn say(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
}
