//! `engine-sim core`: one port, and a key for bearers when there is one.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use engine_sim::core::Core;
use serde_json::json;

/// `ENGINE_SIM_CORE_SECRET` demands a bearer signed by that secret, and keeps it out of argv.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Demands a bearer signed by the other half of this public key or certificate, PEM.
    #[arg(long, value_name = "FILE")]
    jwt_key: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut builder = Core::builder();
    if let Ok(secret) = std::env::var("ENGINE_SIM_CORE_SECRET") {
        builder = builder.validate_by_secret(secret.as_bytes());
    }
    if let Some(path) = arguments.jwt_key {
        builder = builder.validate_by_key(&super::read(&path)?)?;
    }
    let core = builder.start(arguments.listen).await?;
    super::announce(&json!({ "listening": core.url() })).await?;
    core.stop().await;
    Ok(())
}
