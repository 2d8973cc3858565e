//! What a tenant has besides tokens for secrets, by words and by the environment.

use std::{env, path::PathBuf};

use clap::Args;
use engine_sim::tenant::{Builder, ClientKind};

/// `ENGINE_SIM_APP_SECRET` exchanges what an app signs with it, and `ENGINE_SIM_ANONYMOUS`
/// (`id=code`) lets that code in anonymously; both keep secrets out of argv.
#[derive(Args)]
#[group(id = "cloud")]
pub(crate) struct Arguments {
    /// An OAuth client, `id=secret`, that may administer users.
    #[arg(long)]
    admin_client: Vec<String>,
    /// An OAuth client, `id=FILE`, that may impersonate and proves itself by JWTs: its public key.
    #[arg(long)]
    client_key: Vec<String>,
    /// Knows its users: nobody else can be impersonated.
    #[arg(long)]
    knows_users: bool,
    /// The issuer of an identity provider that vouches for people by JWTs.
    #[arg(long, requires = "provider_key")]
    provider: Option<String>,
    /// The name of its key.
    #[arg(long, default_value = "key-1")]
    provider_key_id: String,
    /// Its public key, PEM.
    #[arg(long, requires = "provider", value_name = "FILE")]
    provider_key: Option<PathBuf>,
    /// The public key, PEM, of the tokens of an app that are exchanged.
    #[arg(long, value_name = "FILE")]
    app_key: Option<PathBuf>,
}

impl Arguments {
    /// Sets a tenant up further.
    pub(crate) fn apply(self, mut builder: Builder) -> anyhow::Result<Builder> {
        for client in &self.admin_client {
            let (id, secret) = crate::pair(client)?;
            builder = builder.client(id, secret, ClientKind::Admin);
        }
        for client in &self.client_key {
            let (id, file) = crate::pair(client)?;
            let pem = super::read(file.as_ref())?;
            builder = builder.client_with_key(id, &pem, ClientKind::Trusted)?;
        }
        if let (Some(issuer), Some(file)) = (&self.provider, &self.provider_key) {
            let pem = super::read(file)?;
            builder = builder.identity_provider(issuer, &self.provider_key_id, &pem)?;
        }
        if let Some(file) = &self.app_key {
            builder = builder.exchanging_by_key(&super::read(file)?)?;
        }
        if let Ok(secret) = env::var("ENGINE_SIM_APP_SECRET") {
            builder = builder.exchanging_for(&secret);
        }
        if let Ok(anonymous) = env::var("ENGINE_SIM_ANONYMOUS") {
            let (id, code) = crate::pair(&anonymous)?;
            builder = builder.anonymous(id, code);
        }
        Ok(if self.knows_users {
            builder.knowing_users()
        } else {
            builder
        })
    }
}
