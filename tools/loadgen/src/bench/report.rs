//! What was measured, as a table and as JSON, and whether it is good enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde::Serialize;
use serde_json::{Value, json};

use super::Figures;
use super::rows::{Bar, Contender, Route, Row};

/// The report of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Value,
    pub(super) rows: Vec<Line>,
}

/// One row of it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) row: String,
    pub(super) unit: &'static str,
    /// The median, and the least and the most.
    pub(super) ours: f64,
    ours_range: [f64; 2],
    /// Medians.
    pub(super) peers: BTreeMap<&'static str, f64>,
    peers_range: BTreeMap<&'static str, [f64; 2]>,
    pub(super) best_peer: &'static str,
    /// To the best peer in the same round: the median, and the least and the most.
    pub(super) ratio: f64,
    ratio_range: [f64; 2],
    /// To each peer in the same round.
    ratios: BTreeMap<&'static str, f64>,
    /// nginx's twin to nginx, in the same way.
    twin: f64,
    twin_range: [f64; 2],
    bar: Option<f64>,
    bar_is_on: &'static str,
    pub(super) is_met: bool,
}

impl Report {
    pub(super) fn new(rows: &[Row], figures: &Figures) -> Self {
        Self {
            machine: machine(),
            rows: rows
                .iter()
                .filter_map(|row| Line::new(row, figures))
                .collect(),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.rows.iter().all(|line| line.is_met)
    }

    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// A Markdown table.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "\n{}\n\n",
            self.machine["text"].as_str().unwrap_or_default()
        );
        text.push_str("| row | unit | ours (min–max) | nginx | haproxy | envoy | to the best peer (min–max) | nginx to its twin | bar | |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
        for line in &self.rows {
            line.write(&mut text);
        }
        text
    }
}

impl Line {
    /// `None` when somebody was not measured.
    fn new(row: &Row, figures: &Figures) -> Option<Self> {
        let of = |contender, route| figures.get(&(contender, row.task, row.legs, route));
        let peer = |contender| of(contender, Route::Any);
        let ours = of(Contender::Ours, row.route)?;
        let peers: Option<Vec<_>> = Contender::PEERS
            .iter()
            .map(|one| Some((*one, peer(*one)?)))
            .collect();
        let peers = peers?;
        let (best, best_figures) = peers
            .iter()
            .copied()
            .min_by(|one, other| median(one.1).total_cmp(&median(other.1)))?;
        let pairs = paired(ours, best_figures);
        let twins = paired(peer(Contender::NginxTwin)?, peer(Contender::Nginx)?);
        let (bar, bar_is_on) = bar(row.bar, &twins);
        let ratio = median(&pairs);
        let measured = if bar_is_on == "ours" {
            median(ours)
        } else {
            ratio
        };
        Some(Self {
            row: row.name(),
            unit: row.unit(),
            ours: median(ours),
            ours_range: range(ours),
            peers: peers
                .iter()
                .map(|(peer, all)| (peer.label(), median(all)))
                .collect(),
            peers_range: peers
                .iter()
                .map(|(peer, all)| (peer.label(), range(all)))
                .collect(),
            best_peer: best.label(),
            ratio,
            ratio_range: range(&pairs),
            ratios: peers
                .iter()
                .map(|(peer, all)| (peer.label(), median(&paired(ours, all))))
                .collect(),
            twin: median(&twins),
            twin_range: range(&twins),
            bar,
            bar_is_on,
            is_met: bar.is_none_or(|bar| measured <= bar),
        })
    }

    fn write(&self, text: &mut String) {
        let peer = |name| {
            let (value, [least, most]) = (self.peers[name], self.peers_range[name]);
            format!(
                "{value:.2} ({least:.2}–{most:.2}) ×{:.2}",
                self.ratios[name]
            )
        };
        let bar = self
            .bar
            .map_or_else(|| "–".to_owned(), |bar| format!("{bar:.2}"));
        let bar = if self.bar_is_on == "ours" {
            format!("{bar} {}", self.unit)
        } else {
            bar
        };
        let _ = writeln!(
            text,
            "| {} | {} | **{:.2}** ({:.2}–{:.2}) | {} | {} | {} | {} **{:.2}** ({:.2}–{:.2}) | {:.2} ({:.2}–{:.2}) | {bar} | {} |",
            self.row,
            self.unit,
            self.ours,
            self.ours_range[0],
            self.ours_range[1],
            peer("nginx"),
            peer("haproxy"),
            peer("envoy"),
            self.best_peer,
            self.ratio,
            self.ratio_range[0],
            self.ratio_range[1],
            self.twin,
            self.twin_range[0],
            self.twin_range[1],
            if self.is_met { "ok" } else { "MISSED" },
        );
    }
}

/// The bar and what is held to it. Noise is the upper quartile of how far nginx and its twin were
/// apart in a round.
fn bar(bar: Bar, twins: &[f64]) -> (Option<f64>, &'static str) {
    match bar {
        Bar::Amount(amount) => (Some(amount), "ours"),
        Bar::None => (None, "nothing"),
        Bar::Ratio(ratio) => (Some(ratio), "ratio"),
        Bar::Noise => {
            let apart: Vec<f64> = twins.iter().map(|twin| twin.max(1.0 / twin)).collect();
            (Some(quantile(&apart, 3)), "ratio")
        }
    }
}

fn paired(ours: &[f64], others: &[f64]) -> Vec<f64> {
    ours.iter()
        .zip(others)
        .map(|(one, other)| one / other)
        .collect()
}

fn median(figures: &[f64]) -> f64 {
    quantile(figures, 2)
}

fn quantile(figures: &[f64], quarters: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let (place, part) = (last * quarters / 4, (last * quarters % 4) as f64 / 4.0);
    let at = |place: usize| sorted.get(place.min(last)).copied().unwrap_or(f64::NAN);
    at(place) + part * (at(place + 1) - at(place))
}

fn range(figures: &[f64]) -> [f64; 2] {
    [quantile(figures, 0), quantile(figures, 4)]
}

/// The machine and what ran on it.
fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default();
        line.split_once(':')
            .map_or("", |(_, value)| value)
            .trim()
            .to_owned()
    };
    let cores = read("/proc/cpuinfo")
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let cpu = after(&read("/proc/cpuinfo"), "model name");
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let peers = json!({
        "nginx": version("/usr/sbin/nginx", "-v"),
        "haproxy": version("/usr/sbin/haproxy", "-v"),
    });
    let text = format!(
        "{cores} × {cpu}, {memory}, Linux {kernel}; {}, {}",
        peers["nginx"], peers["haproxy"]
    );
    json!({"text": text, "cores": cores, "cpu": cpu, "memory": memory, "kernel": kernel, "peers": peers})
}

fn version(program: &str, flag: &str) -> String {
    let Ok(said) = Command::new(program).arg(flag).output() else {
        return String::new();
    };
    let said = [said.stdout, said.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or_default().to_owned()
}
