//! The binary: what it says, how it ends, and what it never shows.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use engine_sim::engine::SALES_APP;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Files, Recipe, World, soon};

const BINARY: &str = env!("CARGO_BIN_EXE_qix-proxy");

fn proxy(arguments: &[&str]) -> Assert {
    let mut command = Command::new(BINARY);
    command.env_clear().timeout(Duration::from_secs(20));
    command.args(arguments).assert()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn check_takes_a_good_config() {
    let files = Files::new();
    let good = Recipe::default()
        .credential("kind = \"none\"")
        .toml("http://127.0.0.1:9076");
    let good = good.replace("{ env = \"QIX_IDENTITY_KEY\" }", "{ file = \"key\" }");
    let good = good.replace("{ env = \"SESSION_SECRET\" }", "{ file = \"key\" }");
    files.write("key", &"k".repeat(48));
    let path = files.write("proxy.toml", &good);
    let done = proxy(&["check", "--config", &path]).code(0);
    assert!(text(&done.get_output().stdout).contains("good, 1 route"));
    assert!(!text(&done.get_output().stderr).contains("kkkk"));
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let files = Files::new();
    let bad = "identity_key = \"inline-secret-of-somebody-0123456789\"\n[listen]\nadress = \
               \"x\"\n[[route]]\npath = \"qlik\"\norigins = [\"*\"]\n";
    let path = files.write("bad.toml", bad);
    let done = proxy(&["check", "--config", &path]).code(64);
    let said = text(&done.get_output().stderr);
    for place in [":1:16: ", ":3:1: ", ":5:8: ", ":6:12: "] {
        assert!(
            said.contains(&format!("{path}{place}")),
            "{place} in {said}"
        );
    }
    assert!(!said.contains("inline-secret"), "{said}");
    assert!(done.get_output().stdout.is_empty());
    proxy(&["run", "--config", &path]).code(64);
}

#[test]
fn a_bad_command_line_is_64() {
    for arguments in [
        &[][..],
        &["fly"],
        &["check"],
        &["run", "--config"],
        &["check", "--config", "/no/such/file.toml"],
        &["run", "--config", "/no/such/file.toml"],
        &["health", "--address", "nowhere"],
    ] {
        let done = proxy(arguments).code(64);
        assert!(!done.get_output().stderr.is_empty(), "{arguments:?}");
    }
    proxy(&["--help"]).code(0);
    proxy(&["--version"]).code(0);
}

#[test]
fn schema_prints_a_json_schema() {
    let done = proxy(&["schema"]).code(0);
    let schema: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(schema["type"], "object", "{schema}");
    assert!(schema["properties"]["route"].is_object(), "{schema}");
    let good = Recipe::default()
        .impersonating()
        .toml("https://tenant.example.com");
    let good: toml::Value = toml::from_str(&good).unwrap();
    let good = serde_json::to_value(good).unwrap();
    let errors = jsonschema::validate(&schema, &good);
    assert!(errors.is_ok(), "{errors:?}");
    let bad = json!({"listen": {"adress": "x"}});
    assert!(jsonschema::validate(&schema, &bad).is_err());
}

#[tokio::test]
async fn a_door_that_is_taken_is_69() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (world, files) = (World::start().await, Files::new());
    let config = Recipe::default().toml("http://127.0.0.1:9");
    let config = config.replacen("127.0.0.1:0", &address, 1);
    let path = files.write("proxy.toml", &config);
    let mut command = Command::new(BINARY);
    let command = with_secrets(&mut command, &world);
    let done = command.args(["run", "--config", &path]).assert().code(69);
    let said = text(&done.get_output().stdout).to_owned() + text(&done.get_output().stderr);
    assert!(said.contains("cannot be listened on"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_other_door() {
    let mut world = World::start().await;
    let address = world.proxy.admin.to_string();
    proxy(&["health", "--address", &address]).code(0);
    soon(world.stop()).await.unwrap();
    proxy(&["health", "--address", &address]).code(69);
}

fn with_secrets<'a>(command: &'a mut Command, world: &World) -> &'a mut Command {
    let names = [
        "QIX_IDENTITY_KEY",
        "SESSION_SECRET",
        "QLIK_API_KEY",
        "QLIK_CLIENT_SECRET",
    ];
    let known = names.map(|name| (name, world.secrets.variable(name).unwrap()));
    command.envs(known).timeout(Duration::from_secs(20))
}

/// A proxy in a process of its own, in front of a world's tenant.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: Vec<String>,
}

impl Process {
    pub(crate) fn run(world: &World, config: &str) -> Self {
        Self::start(world, std::process::Command::new(BINARY), config)
    }

    /// One that may use one core alone.
    fn run_on_one_core(world: &World, config: &str) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let (_, cores) = status.split_once("Cpus_allowed_list:").unwrap();
        let first = cores
            .trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next();
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", first.unwrap(), BINARY]);
        Self::start(world, command, config)
    }

    /// One that may open so many files.
    fn run_with_files(world: &World, config: &str, files: u32) -> Self {
        let mut command = std::process::Command::new("sh");
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited, BINARY]);
        Self::start(world, command, config)
    }

    fn start(world: &World, mut command: std::process::Command, config: &str) -> Self {
        for name in [
            "QIX_IDENTITY_KEY",
            "SESSION_SECRET",
            "QLIK_API_KEY",
            "QLIK_CLIENT_SECRET",
        ] {
            command.env(name, world.secrets.variable(name).unwrap());
        }
        command.args(["run", "--config", config]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = listen(child.stdout.take().unwrap());
        Self {
            child,
            lines,
            log: Vec::new(),
        }
    }

    /// Waits for the line of a door: where it is.
    pub(crate) fn door(&mut self, name: &str) -> SocketAddr {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            self.log.push(line);
            if said["door"] == name {
                return said["address"].as_str().unwrap().parse().unwrap();
            }
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end: its exit code, and all it ever said.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        let mut said = self.log.join("\n");
        said.extend(self.lines.iter().map(|line| format!("\n{line}")));
        let mut errors = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        (status.code(), said + &errors)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn run_serves_until_sigterm_and_shows_no_secret_at_any_level() {
    for signal in ["TERM", "INT"] {
        let world = World::start().await;
        let files = Files::new();
        let log = "[log]\nformat = \"json\"\nlevel = \"trace\"\n";
        let recipe = Recipe::default().impersonating().process(log);
        let path = files.write("proxy.toml", &recipe.toml(&world.tenant.url()));
        let mut process = Process::run(&world, &path);
        let (public, admin) = (process.door("public"), process.door("admin"));
        let mut ada = world.visit("ada", SALES_APP).at(public).open().await;
        ada.is_alive().await;
        assert_eq!(
            world.connect("/qlik/app/x").at(public).closed().await.0,
            4006
        );
        proxy(&["health", "--address", &admin.to_string()]).code(0);
        let id = process.child.id();
        let arguments = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();

        process.signal(signal);
        assert_eq!(ada.closed().await.0, 4003);
        let (code, said) = process.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains("socket opened") && said.contains("socket ended"),
            "{said}"
        );
        assert!(
            said.contains("\"level\":\"TRACE\""),
            "it was not asked for everything"
        );
        world.assert_blind(&arguments);
        world.assert_blind(&said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_core_it_is_one_thread() {
    let (world, files) = (World::start().await, Files::new());
    let recipe = Recipe::default().process("[log]\nformat = \"json\"\n");
    let path = files.write("proxy.toml", &recipe.toml(&world.tenant.url()));
    let mut process = Process::run_on_one_core(&world, &path);
    let (public, admin) = (process.door("public"), process.door("admin"));
    let mut ada = world.visit("ada", SALES_APP).at(public).open().await;
    ada.is_alive().await;
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.id()));
    assert_eq!(threads.unwrap().count(), 1);
    proxy(&["health", "--address", &admin.to_string()]).code(0);
    process.signal("TERM");
    assert_eq!(ada.closed().await.0, 4003);
    let (code, said) = process.end();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_files_for_what_may_come_are_told_at_the_start() {
    let (world, files) = (World::start().await, Files::new());
    let few = "connections = 100\n[limits]\nsockets = 100\n";
    for (listen, told) in [("", true), (few, false)] {
        let recipe = Recipe::default().process("[log]\nformat = \"json\"\n");
        let recipe = recipe.listen(listen);
        let path = files.write("proxy.toml", &recipe.toml(&world.tenant.url()));
        let mut process = Process::run_with_files(&world, &path, 1000);
        process.door("admin");
        process.signal("TERM");
        let (code, said) = process.end();
        assert_eq!(code, Some(0), "{said}");
        let warned = said.contains("\"files\":1000,\"needed\":22500");
        assert_eq!(warned, told, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_has_the_config_and_its_customers_read_anew() {
    let (world, files) = (World::start().await, Files::new());
    let customers = "[route.customers]\nclaim = \"sub\"\ninclude = \"*.customer\"\n";
    let log = "[log]\nformat = \"json\"\n";
    let recipe = Recipe::default().process(log).customers(customers);
    let path = files.write("proxy.toml", &recipe.toml(&world.tenant.url()));
    let customer = |name: &str| {
        let url = world.tenant.url();
        let key = "{ env = \"QLIK_API_KEY\" }";
        format!(
            "name = \"{name}\"\n[credential]\nkind = \"api-key\"\nshared = true\nkey = {key}\n[engine]\nurl = \
             \"{url}\"\n"
        )
    };
    files.write("ada.customer", &customer("ada"));
    let mut process = Process::run(&world, &path);
    let public = process.door("public");
    let admin = process.door("admin");
    let count = async |name: &str| {
        let metrics = world.http("GET", "/metrics").at(admin).refused().await.body;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value).unwrap_or(0_u64)
    };
    let mut ada = world.visit("ada", SALES_APP).at(public).open().await;
    let bob = || world.visit("bob", SALES_APP).at(public);
    assert_eq!(bob().closed().await.0, 4203);
    files.write("bob.customer", &customer("bob"));
    process.signal("HUP");
    soon(async { while count("qix_proxy_config_reloads_total").await == 0 {} }).await;
    ada.is_alive().await;
    let mut bobs = bob().open().await;
    bobs.is_alive().await;
    files.write("ada.customer", "name = \"bob\"\n");
    process.signal("HUP");
    soon(async { while count("qix_proxy_config_reload_failures_total").await == 0 {} }).await;
    ada.is_alive().await;
    process.signal("TERM");
    let (code, said) = process.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ada.customer:1:"), "{said}");
    world.assert_blind(&said);
}
