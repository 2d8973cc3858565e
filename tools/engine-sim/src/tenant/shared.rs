//! What every connection of one tenant shares.

use std::{collections::HashMap, sync::Arc, time::Instant};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    builder::{ClientId, ClientKind},
    cloud::{self, Cloud},
    ledger::Ledger,
    script::{Script, Stage},
    vault::{User, Vault},
};
use crate::engine::Engine;

/// One stand-in: its settings, its memory, its script and its engine.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) vault: Vault,
    pub(crate) ledger: Ledger,
    pub(crate) stage: Stage,
    pub(crate) release: Notify,
    pub(crate) engine: Arc<Engine>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(settings: Settings, vault: Vault, engine: Arc<Engine>) -> Self {
        Self {
            ledger: Ledger::new(Instant::now(), settings.quiet),
            settings,
            vault,
            engine,
            stage: Stage::default(),
            release: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(crate) fn obey(&self, script: Script) {
        match script {
            Script::ExpireTokens => {
                self.vault.expire_all();
                cloud::forget(self);
            }
            script => self.stage.take(script),
        }
    }

    pub(crate) fn reset(&self) {
        self.stage.clear();
        self.ledger.clear();
    }
}

/// What was said before the tenant listened.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) clients: HashMap<ClientId, (String, ClientKind)>,
    pub(crate) api_keys: Vec<String>,
    pub(crate) users: Vec<User>,
    pub(crate) open: bool,
    pub(crate) quiet: bool,
    pub(super) cloud: Cloud,
}

impl Settings {
    /// Whether `bearer` is one of the API keys.
    pub(crate) fn knows_key(&self, bearer: &str) -> bool {
        self.api_keys.iter().any(|key| key == bearer)
    }
}
