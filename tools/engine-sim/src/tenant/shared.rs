//! What every connection of one tenant shares.

use std::{collections::HashMap, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    builder::{ClientId, ClientKind},
    ledger::Ledger,
    script::{Script, Stage},
    vault::{User, Vault},
};
use crate::engine::Engine;

/// One tenant: its settings, its memory, its script and its engine.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) vault: Vault,
    pub(super) ledger: Ledger,
    pub(super) stage: Stage,
    pub(super) engine: Arc<Engine>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Shared {
    pub(super) fn obey(&self, script: Script) {
        match script {
            Script::ExpireTokens => self.vault.expire_all(),
            script => self.stage.take(script),
        }
    }

    pub(super) fn reset(&self) {
        self.stage.clear();
        self.ledger.clear();
    }
}

/// What was said before the tenant listened.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) clients: HashMap<ClientId, (String, ClientKind)>,
    pub(super) api_keys: Vec<String>,
    pub(super) users: Vec<User>,
    pub(super) open: bool,
    pub(super) quiet: bool,
}

impl Settings {
    /// Whether `bearer` is one of the API keys.
    pub(super) fn knows_key(&self, bearer: &str) -> bool {
        self.api_keys.iter().any(|key| key == bearer)
    }
}
