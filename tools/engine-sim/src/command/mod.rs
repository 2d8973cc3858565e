//! The kinds of Qlik, beside a tenant, that the process can stand in for.

pub(crate) mod cloud;
mod core;
mod windows;

use std::{
    fs,
    io::{Write, stdout},
    path::Path,
};

use anyhow::Context;
use clap::Subcommand;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// What to be instead of a tenant.
#[derive(Subcommand)]
pub(crate) enum Kind {
    /// Qlik Sense Enterprise on Windows: front door, proxy service and engine.
    Windows(windows::Arguments),
    /// A bare engine.
    Core(core::Arguments),
}

impl Kind {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Windows(arguments) => windows::run(arguments).await,
            Self::Core(arguments) => core::run(arguments).await,
        }
    }
}

/// Says where on stdout, and waits for SIGTERM or SIGINT.
pub(crate) async fn announce(ready: &Value) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    writeln!(stdout(), "{ready}")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
