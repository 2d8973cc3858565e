//! `check --live` in a process of its own, and what it says.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::{Files, World, soon};

const BINARY: &str = env!("CARGO_BIN_EXE_qix-proxy");
const SECRETS: [&str; 4] = [
    "QIX_IDENTITY_KEY",
    "SESSION_SECRET",
    "QLIK_API_KEY",
    "QLIK_CLIENT_SECRET",
];

/// What came of it.
pub(crate) struct Tried {
    pub(crate) code: i32,
    pub(crate) json: Value,
}

/// Tries the first route of a config; nothing secret may be in what is said.
pub(crate) async fn rehearse(world: &World, toml: &str, arguments: &[&str]) -> Tried {
    let (code, said) = check(world, toml, &[&["--live", "--json"], arguments].concat()).await;
    let json = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    Tried { code, json }
}

/// Runs `check`: its exit code, and all that it said, which the world's secrets are not in.
pub(crate) async fn check(world: &World, toml: &str, arguments: &[&str]) -> (i32, String) {
    let files = Files::new();
    let path = files.write("proxy.toml", toml);
    let mut command = Command::new(BINARY);
    for name in SECRETS {
        command.env(name, world.secrets.variable(name).unwrap());
    }
    command.env("APP_TOKEN", world.token("ada"));
    command.args(["check", "--config", &path]).args(arguments);
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = soon(command.output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    world.assert_blind(&said);
    world.assert_blind(&complaints);
    let code = output.status.code().unwrap();
    (code, if said.is_empty() { complaints } else { said })
}

impl Tried {
    pub(crate) fn steps(&self) -> &[Value] {
        self.json["routes"][0]["steps"].as_array().unwrap()
    }

    /// The step that failed, which is the last: its name, its code, and all its words.
    pub(crate) fn failure(&self) -> (&str, &str, String) {
        let step = self.steps().last().unwrap();
        assert_ne!(step["outcome"], "good", "{:#}", self.json);
        let words = ["saw", "cause", "mend"].map(|key| step[key].as_str().unwrap_or_default());
        let code = step["code"].as_str().unwrap_or_default();
        (step["step"].as_str().unwrap(), code, words.join(" | "))
    }
}
