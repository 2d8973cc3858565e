//! What was measured, as a table and as JSON, and whether it is good enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use super::Figures;
use super::rows::{Bar, Contender, Route, Row, Task};

/// The report of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Value,
    depth: Depth,
    pub(super) rows: Vec<Line>,
}

/// Whether a run is long enough to be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Depth {
    /// It shows whether the bench works; bars are named, and nothing is held to them.
    Glance,
    /// Every bar counts.
    Verdict,
}

/// One row of it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) row: String,
    pub(super) unit: &'static str,
    /// How many rounds ours had, and in how many of them the best peer took part.
    rounds: usize,
    pairs: usize,
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
    /// nginx's twin to nginx, in the same way, where it took part.
    twin: Option<f64>,
    twin_range: Option<[f64; 2]>,
    bar: Option<f64>,
    bar_is_on: &'static str,
    /// `None` when it was not judged.
    is_met: Option<bool>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    throughput: Option<Throughput>,
}

/// What a row of two cores has besides; medians, ours among them.
#[derive(Debug, Serialize)]
struct Throughput {
    round_trips_a_second: BTreeMap<&'static str, f64>,
    threads_at_work: BTreeMap<&'static str, f64>,
}

impl Report {
    pub(super) fn new(
        depth: Depth,
        machine: Value,
        rows: &[Row],
        figures: &Figures,
    ) -> anyhow::Result<Self> {
        let lines = rows.iter().map(|row| Line::new(row, figures, depth));
        Ok(Self {
            machine,
            depth,
            rows: lines.collect::<Result<_, _>>()?,
        })
    }

    /// What the program ends with.
    pub(super) fn verdict(&self) -> ExitCode {
        let is_missed = |line: &Line| line.is_met == Some(false);
        if self.rows.iter().any(is_missed) || self.is_lopsided() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Markdown tables.
    pub(super) fn table(&self) -> String {
        let machine = self.machine["text"].as_str().unwrap_or_default();
        let mut text = format!("\n{machine}\n\n");
        text.push_str("| row | unit | rounds | ours (min–max) | nginx | haproxy | envoy | to the best peer (min–max) | nginx to its twin | bar | |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
        for line in &self.rows {
            line.write(&mut text);
        }
        self.write_throughput(&mut text);
        if self.is_lopsided() {
            text.push_str("\nSomebody used one of two cores: what is said of two is WRONG.\n");
        }
        if self.depth == Depth::Glance {
            text.push_str(
                "\nA glance: whether it works, not how fast. Nothing was held to a bar.\n",
            );
        }
        text
    }

    /// Whether somebody who was given two cores used one.
    fn is_lopsided(&self) -> bool {
        let all = self.rows.iter().filter_map(|line| line.throughput.as_ref());
        let mut threads = all.flat_map(|throughput| throughput.threads_at_work.values());
        threads.any(|threads| *threads < 2.0)
    }

    fn write_throughput(&self, text: &mut String) {
        let lines = self.rows.iter();
        let lines = lines.filter_map(|line| Some((&line.row, line.throughput.as_ref()?)));
        for (number, (row, throughput)) in lines.enumerate() {
            if number == 0 {
                text.push_str("\n| round trips a second (threads at work) | ours | nginx | haproxy | envoy |\n|---|---|---|---|---|\n");
            }
            let of = |name| {
                let trips = throughput.round_trips_a_second[name];
                format!("{trips:.0} ({})", throughput.threads_at_work[name])
            };
            let everybody = ["qix-proxy", "nginx", "haproxy", "envoy"].map(of);
            let _ = writeln!(text, "| {row} | {} |", everybody.join(" | "));
        }
    }
}

impl Line {
    /// An error when somebody was not measured.
    fn new(row: &Row, figures: &Figures, depth: Depth) -> anyhow::Result<Self> {
        let of = |contender, route| of(figures, row, (contender, row.task, route));
        let ours = of(Contender::Ours, row.route)?;
        let nginx = of(Contender::Nginx, Route::Any)?;
        let peers = Contender::PEERS.map(|peer| Ok((peer.label(), of(peer, Route::Any)?)));
        let peers: Vec<_> = peers.into_iter().collect::<anyhow::Result<_>>()?;
        let by_peer = |figure: &dyn Fn(&[f64]) -> f64| -> BTreeMap<_, _> {
            peers
                .iter()
                .map(|(peer, all)| (*peer, figure(all)))
                .collect()
        };
        let (best_peer, best) = peers
            .iter()
            .min_by(|one, other| median(one.1).total_cmp(&median(other.1)))
            .context("there are no peers")?;
        let pairs = paired(ours, best);
        let twins = of(Contender::NginxTwin, Route::Any);
        let twins = twins.map(|twin| paired(twin, nginx)).ok();
        let (bar, bar_is_on) = bar(row.bar, twins.as_deref())?;
        let measured = if bar_is_on == "ours" {
            median(ours)
        } else {
            median(&pairs)
        };
        Ok(Self {
            row: row.name(),
            unit: row.unit(),
            rounds: ours.len(),
            pairs: pairs.len(),
            ours: median(ours),
            ours_range: range(ours),
            peers: by_peer(&median),
            peers_range: peers
                .iter()
                .map(|(peer, all)| (*peer, range(all)))
                .collect(),
            best_peer,
            ratio: median(&pairs),
            ratio_range: range(&pairs),
            ratios: by_peer(&|all| median(&paired(ours, all))),
            twin: twins.as_deref().map(median),
            twin_range: twins.as_deref().map(range),
            bar,
            bar_is_on,
            is_met: bar
                .filter(|_| depth == Depth::Verdict)
                .map(|bar| measured <= bar),
            throughput: Throughput::new(row, figures)?,
        })
    }

    fn write(&self, text: &mut String) {
        let spread =
            |value: f64, [least, most]: [f64; 2]| format!("{value:.2} ({least:.2}–{most:.2})");
        let peer = |name| {
            let spread = spread(self.peers[name], self.peers_range[name]);
            format!("{spread} ×{:.2}", self.ratios[name])
        };
        let dash = || "–".to_owned();
        let twin = self.twin.zip(self.twin_range);
        let bar = match (self.bar, self.bar_is_on) {
            (None, _) => dash(),
            (Some(bar), "ours") => format!("{bar:.2} {}", self.unit),
            (Some(bar), _) => format!("{bar:.2}"),
        };
        let cells = [
            self.row.clone(),
            self.unit.to_owned(),
            self.rounds.to_string(),
            format!("**{}**", spread(self.ours, self.ours_range)),
            peer("nginx"),
            peer("haproxy"),
            peer("envoy"),
            format!(
                "{} **{}**",
                self.best_peer,
                spread(self.ratio, self.ratio_range)
            ),
            twin.map_or_else(dash, |(twin, range)| spread(twin, range)),
            bar,
            match self.is_met {
                Some(true) => "ok".to_owned(),
                Some(false) => "MISSED".to_owned(),
                None => dash(),
            },
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

impl Throughput {
    /// Nothing where a row is not about it.
    fn new(row: &Row, figures: &Figures) -> anyhow::Result<Option<Self>> {
        let Task::TwoCores(size) = row.task else {
            return Ok(None);
        };
        let mut all = Self {
            round_trips_a_second: BTreeMap::new(),
            threads_at_work: BTreeMap::new(),
        };
        let routes = Contender::PEERS.map(|peer| (peer, Route::Any));
        for (contender, route) in routes.into_iter().chain([(Contender::Ours, row.route)]) {
            let micros = median(of(figures, row, (contender, row.task, route))?);
            let threads = median(of(figures, row, (contender, Task::AtWork(size), route))?);
            let name = contender.label();
            all.round_trips_a_second.insert(name, 1e6 / micros);
            all.threads_at_work.insert(name, threads);
        }
        Ok(Some(all))
    }
}

/// The figures of somebody's, on a row's legs.
fn of<'a>(
    figures: &'a Figures,
    row: &Row,
    (contender, task, route): (Contender, Task, Route),
) -> anyhow::Result<&'a [f64]> {
    let found = figures.get(&(contender, task, row.legs, route));
    let found = found.filter(|figures| !figures.is_empty());
    let found = found.with_context(|| {
        let (row, contender) = (row.name(), contender.label());
        format!("{row}: {contender} was not measured")
    })?;
    Ok(found)
}

/// The bar and what is held to it. Noise is the upper quartile of how far nginx and its twin were
/// apart in a round.
fn bar(bar: Bar, twins: Option<&[f64]>) -> anyhow::Result<(Option<f64>, &'static str)> {
    Ok(match bar {
        Bar::Amount(amount) => (Some(amount), "ours"),
        Bar::None => (None, "nothing"),
        Bar::Ratio(ratio) => (Some(ratio), "ratio"),
        Bar::Noise => {
            let twins = twins.context("nobody was nginx's twin")?;
            let apart: Vec<f64> = twins.iter().map(|twin| twin.max(1.0 / twin)).collect();
            (Some(quantile(&apart, 3)), "ratio")
        }
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::proxies::Legs;
    use crate::bench::rows::Percentile;
    use crate::rig::Size;

    const CPU: Task = Task::Relay(Size::Small);

    fn row(task: Task, bar: Bar) -> Row {
        Row {
            task,
            legs: Legs::Plain,
            route: Route::Any,
            bar,
        }
    }

    /// Figures of a task: as the contenders are listed.
    fn figures(task: Task, all: [&[f64]; 5]) -> Figures {
        let key = |contender| (contender, task, Legs::Plain, Route::Any);
        let all = Contender::ALL.into_iter().zip(all);
        all.map(|(contender, all)| (key(contender), all.to_vec()))
            .collect()
    }

    fn report(row: Row, figures: &Figures, depth: Depth) -> Report {
        Report::new(depth, json!({"text": "a machine"}), &[row], figures).unwrap()
    }

    fn judged(bar: Bar, task: Task, all: [&[f64]; 5]) -> Report {
        report(row(task, bar), &figures(task, all), Depth::Verdict)
    }

    fn is_close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    const STEADY: [&[f64]; 5] = [&[4.0], &[4.0], &[5.0], &[8.0], &[2.0]];

    #[test]
    fn json_has_the_shape_that_readers_expect() {
        let report = judged(Bar::Ratio(0.5), CPU, STEADY);
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["machine"], json!({"text": "a machine"}));
        assert_eq!(value["depth"], "verdict");
        assert_eq!(value["rows"].as_array().unwrap().len(), 1);
        let row = &value["rows"][0];
        let wanted = json!({
            "row": "plain 200 B, any route", "unit": "us CPU a message", "rounds": 1,
            "ours": 2.0, "peers": {"nginx": 4.0, "haproxy": 5.0, "envoy": 8.0},
            "best_peer": "nginx", "ratio": 0.5, "bar": 0.5, "is_met": true,
        });
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(&row[key], value, "{key}");
        }
        let barless = judged(Bar::None, CPU, STEADY);
        let value: Value = serde_json::from_str(&barless.json()).unwrap();
        assert!(value["rows"][0]["bar"].is_null());
        assert!(value["rows"][0]["is_met"].is_null());
    }

    #[test]
    fn the_best_peer_is_the_one_with_the_least_median() {
        // HAProxy has the least figure of all, and the least mean.
        let peers: [&[f64]; 5] = [
            &[9.0, 3.0, 3.0],
            &[1.0, 1.0, 1.0],
            &[0.1, 4.0, 4.0],
            &[5.0, 5.0, 5.0],
            &[6.0, 6.0, 6.0],
        ];
        let report = judged(Bar::None, CPU, peers);
        assert_eq!(report.rows[0].best_peer, "nginx");
        assert!(report.rows[0].peers.len() == 3, "the twin is no peer");
    }

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_own_ratios() {
        // The machine's speed changes by the round: the medians' own ratio would be 30 / 20.
        let ours: &[f64] = &[10.0, 60.0, 30.0];
        let nginx: &[f64] = &[20.0, 80.0, 10.0];
        let report = judged(
            Bar::None,
            CPU,
            [nginx, nginx, &[900.0; 3], &[900.0; 3], ours],
        );
        let line = &report.rows[0];
        assert!(is_close(line.ratio, 0.75), "{}", line.ratio);
        assert!(is_close(line.ratio_range[0], 0.5) && is_close(line.ratio_range[1], 3.0));
        assert!(is_close(line.ours, 30.0) && is_close(line.peers["nginx"], 20.0));
        assert_eq!(line.rounds, 3);
    }

    #[test]
    fn one_missed_bar_fails_the_run() {
        let figures = figures(CPU, STEADY);
        let rows = |bars: [f64; 2]| bars.map(|bar| row(CPU, Bar::Ratio(bar)));
        let verdict = |bars| {
            let report = Report::new(Depth::Verdict, Value::Null, &rows(bars), &figures);
            report.unwrap().verdict()
        };
        assert_eq!(verdict([0.5, 0.5]), ExitCode::SUCCESS);
        assert_eq!(verdict([0.5, 0.49]), ExitCode::FAILURE);
        assert_eq!(verdict([0.49, 0.5]), ExitCode::FAILURE);
    }

    #[test]
    fn a_missed_bar_shows_in_the_table() {
        assert!(
            judged(Bar::Ratio(0.5), CPU, STEADY)
                .table()
                .contains("| 0.50 | ok |")
        );
        let missed = judged(Bar::Ratio(0.49), CPU, STEADY).table();
        assert!(missed.contains("| 0.49 | MISSED |"), "{missed}");
    }

    #[test]
    fn what_is_no_number_meets_no_bar() {
        let none: [&[f64]; 5] = [&[0.0], &[1.0], &[0.0], &[0.0], &[0.0]];
        assert_eq!(
            judged(Bar::Ratio(9.0), CPU, none).verdict(),
            ExitCode::FAILURE
        );
    }

    #[test]
    fn a_bar_in_kib_is_on_our_own_figure() {
        // A tenth of the best peer's, but more than the bar; and ten times it, but less.
        let much: [&[f64]; 5] = [&[31.0], &[31.0], &[31.0], &[31.0], &[3.1]];
        let little: [&[f64]; 5] = [&[0.3], &[0.3], &[0.3], &[0.3], &[3.0]];
        let bar = Bar::Amount(3.0);
        assert_eq!(judged(bar, Task::Idle, much).verdict(), ExitCode::FAILURE);
        let report = judged(bar, Task::Idle, little);
        assert_eq!(report.verdict(), ExitCode::SUCCESS);
        assert!(report.table().contains("| 3.00 KiB a connection | ok |"));
    }

    #[test]
    fn noise_is_the_upper_quartile_of_how_far_twins_are_apart() {
        let task = Task::Pace(Percentile::NinetyNinth);
        let nginx: &[f64] = &[100.0; 5];
        // 1.0, 1.1, 1.25, 1.6 and 2.0 apart, to either side.
        let twin: &[f64] = &[100.0, 110.0, 80.0, 160.0, 50.0];
        let others: &[f64] = &[900.0; 5];
        let with = |ours: &[f64]| judged(Bar::Noise, task, [nginx, twin, others, others, ours]);
        let report = with(&[160.0; 5]);
        assert!(is_close(report.rows[0].bar.unwrap(), 1.6));
        assert_eq!(report.verdict(), ExitCode::SUCCESS);
        assert_eq!(with(&[161.0; 5]).verdict(), ExitCode::FAILURE);
    }

    #[test]
    fn noise_without_a_twin_is_an_error() {
        let task = Task::Pace(Percentile::NinetyNinth);
        let mut figures = figures(task, STEADY);
        figures.retain(|(contender, ..), _| *contender != Contender::NginxTwin);
        let rows = |bar| [row(task, bar)];
        let report = |bar| Report::new(Depth::Verdict, Value::Null, &rows(bar), &figures);
        report(Bar::Noise).unwrap_err();
        assert!(report(Bar::None).unwrap().rows[0].twin.is_none());
    }

    #[test]
    fn a_glance_judges_nothing_and_says_so() {
        let report = report(
            row(CPU, Bar::Ratio(0.1)),
            &figures(CPU, STEADY),
            Depth::Glance,
        );
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["depth"], "glance");
        assert!(value["rows"][0]["is_met"].is_null());
        assert_eq!(value["rows"][0]["bar"], 0.1);
        let table = report.table();
        assert!(table.contains("A glance") && !table.contains("ok") && !table.contains("MISSED"));
        assert_eq!(report.verdict(), ExitCode::SUCCESS);
    }

    #[test]
    fn a_row_that_somebody_is_missing_from_is_an_error() {
        for absent in [Contender::Ours, Contender::Nginx, Contender::Envoy] {
            let mut figures = figures(CPU, STEADY);
            figures.retain(|(contender, ..), _| *contender != absent);
            let rows = [row(CPU, Bar::Ratio(1.0))];
            let error = Report::new(Depth::Verdict, Value::Null, &rows, &figures).unwrap_err();
            assert!(error.to_string().contains(absent.label()), "{error}");
        }
    }

    #[test]
    fn two_cores_are_told_as_throughput_and_both_have_to_be_used() {
        let task = Task::TwoCores(Size::Small);
        let row = row(task, Bar::None);
        let with = |threads: &[f64]| {
            let mut all = figures(task, STEADY);
            all.extend(figures(
                Task::AtWork(Size::Small),
                [&[2.0], &[2.0], &[2.0], threads, &[3.0]],
            ));
            report(row, &all, Depth::Glance)
        };
        let report = with(&[2.0]);
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        let line = &value["rows"][0];
        assert_eq!(line["round_trips_a_second"]["qix-proxy"], 500_000.0);
        assert_eq!(line["round_trips_a_second"]["envoy"], 125_000.0);
        assert_eq!(line["threads_at_work"]["qix-proxy"], 3.0);
        assert!(
            report
                .table()
                .contains("| 500000 (3) | 250000 (2) | 200000 (2) | 125000 (2) |")
        );
        assert_eq!(report.verdict(), ExitCode::SUCCESS);
        let lopsided = with(&[1.0]);
        assert!(lopsided.table().contains("WRONG"));
        assert_eq!(lopsided.verdict(), ExitCode::FAILURE);
    }
}
