//! Opens websockets through a proxy and measures.
//!
//! `open` loads anybody's proxy, `answer` stands in for an engine that costs next to nothing, and
//! `bench` sets the proxy as it is shipped beside its peers. `train` shows the compiler what it does most.
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bench;
mod load;
mod open;
mod rig;

use std::io::{Write, stderr, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Opens websockets through a proxy and measures.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand in for an engine, and answer every call of `bench` or `open` with a few bytes.
    Answer {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:9076")]
        listen: SocketAddr,
    },
    /// Set the proxy beside its peers, on this machine.
    Bench(bench::Arguments),
    /// Open sockets through a proxy, call on them, and say how long it takes.
    Open(open::Arguments),
    /// Have the proxy do what `bench` measures, for a compiler that watches it.
    Train(bench::Training),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Answer { listen } => answer(listen),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Train(training) => bench::train(&training),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(stderr(), "{error:#}");
            ExitCode::from(2)
        }
    }
}

fn answer(listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let mut rig = rig::Rig::new()?;
    let address = rig.listen_at(listen, None)?;
    say(&format!("listening on {address}"));
    let mut happened = Vec::new();
    loop {
        rig.turn(Duration::from_secs(1), &mut happened)?;
    }
}

/// Nobody listening is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
