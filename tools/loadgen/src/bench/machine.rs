//! The machine that a bench ran on, and the peers by their own words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::proxies::found;

/// Says what is known.
pub(super) fn describe(envoy: &Path) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let cores = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let cpu = after(&processors, "model name");
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control");
    let congestion = congestion.trim();
    let nginx = said(found("nginx").ok(), "-v");
    let haproxy = said(found("haproxy").ok(), "-v");
    let envoy = said(Some(envoy.to_owned()), "--version");
    let text = format!(
        "{cores} × {cpu}, {memory}, Linux {kernel}, the host's TCP by {congestion}; {nginx}, {haproxy}, Envoy {envoy}"
    );
    let peers = json!({"nginx": nginx, "haproxy": haproxy, "envoy": envoy});
    json!({"text": text, "cores": cores, "cpu": cpu, "memory": memory, "kernel": kernel, "congestion": congestion, "peers": peers})
}

fn after(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or("", |(_, value)| value).trim().to_owned()
}

fn said(program: Option<PathBuf>, flag: &str) -> String {
    let Some(Ok(said)) = program.map(|program| Command::new(program).arg(flag).output()) else {
        return String::new();
    };
    version(&String::from_utf8_lossy(
        &[said.stdout, said.stderr].concat(),
    ))
}

/// The first line that is none of the empty ones, without the program's own path.
fn version(said: &str) -> String {
    let line = said.lines().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or_default().trim();
    let (_, version) = line.rsplit_once("version: ").unwrap_or(("", line));
    version.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_taken_from_what_each_peer_says() {
        let nginx = "nginx version: nginx/1.22.1\n";
        let haproxy = "HAProxy version 2.6.12-1 2026/10/17 - https://haproxy.org/\nStatus: x\n";
        let envoy = "\n/a/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version(nginx), "nginx/1.22.1");
        assert_eq!(version(haproxy), haproxy.lines().next().unwrap());
        assert_eq!(version(envoy), "9e55/1.40.0/Clean/RELEASE/BoringSSL");
    }

    #[test]
    fn every_peer_is_named() {
        let machine = describe(Path::new("/bin/echo"));
        assert_eq!(
            machine["peers"]["envoy"],
            said(Some("/bin/echo".into()), "--version")
        );
        let text = machine["text"].as_str().unwrap();
        assert!(text.contains("Envoy ") && text.contains("Linux "), "{text}");
        assert!(text.contains("TCP by "), "{text}");
    }
}
