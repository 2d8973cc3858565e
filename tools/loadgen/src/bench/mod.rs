//! `qix-load bench`: the proxy as shipped beside its peers, in rounds, and a verdict by the bars.

mod keys;
mod machine;
mod measure;
mod meter;
mod plot;
mod proxies;
mod report;
mod rows;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_setaffinity};

use self::keys::Keys;
use self::measure::{Load, Requests, Stand, Target};
use self::proxies::{Legs, Order, Proxy, Site};
use self::report::{Depth, Report};
use self::rows::{Contender, Plan, Route, Row, Stage, Task};
use crate::rig::Rig;
use crate::say;

/// How the bench is run.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How many rounds; in each, every contender gets its turn.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Few and short rounds, to see whether it works.
    #[arg(long)]
    quick: bool,
    /// Only the rows whose name contains one of these.
    #[arg(long, value_name = "PART")]
    rows: Vec<String>,
    /// The proxy, built for release.
    #[arg(long, value_name = "FILE", default_value = "target/release/qix-proxy")]
    ours: PathBuf,
    /// Envoy.
    #[arg(long, value_name = "FILE")]
    envoy: PathBuf,
    /// The peers' configs.
    #[arg(long, value_name = "FOLDER", default_value = "bench")]
    templates: PathBuf,
    /// Where reports and logs go.
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
    /// Where to draw the ratios.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Whom a compiler watches at work, so that it knows which ways are gone most.
#[derive(clap::Args, Debug)]
pub(crate) struct Training {
    /// The proxy, built to be watched.
    #[arg(long, value_name = "FILE")]
    ours: PathBuf,
    /// Its config.
    #[arg(long, value_name = "FOLDER", default_value = "bench")]
    templates: PathBuf,
    /// Where its logs go.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// What was measured: a figure a round.
type Figures = HashMap<(Contender, Task, Legs, Route), Vec<f64>>;

/// A load, the legs it is on, and the routes of ours that have it.
type Turn = (Load, Legs, Vec<Route>);

/// Running proxies, by who they are and how large their buffers are.
type Fleet = HashMap<(Contender, u32), Proxy>;

/// Runs the bench; the exit code says whether every bar was met.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let run = arguments.out.join("run");
    fs::create_dir_all(&run)?;
    let rows = picked(&arguments.rows)?;
    let mut bench = Bench::prepare(arguments, run.canonicalize()?)?;
    bench.run(&rows)?;
    let machine = machine::describe(&arguments.envoy);
    let report = Report::new(depth(arguments), machine, &rows, &bench.figures)?;
    say(&report.table());
    say(&format!("it took {} s", began.elapsed().as_secs()));
    let file = arguments.out.join("report.json");
    fs::write(&file, report.json()).with_context(|| file.display().to_string())?;
    if let Some(file) = &arguments.plot {
        fs::write(file, plot::draw(&report)).with_context(|| file.display().to_string())?;
    }
    Ok(report.verdict())
}

/// Has the proxy alone do whatever is measured in the short rounds of a bench, and measures nothing.
pub(crate) fn train(training: &Training) -> anyhow::Result<ExitCode> {
    let arguments = Arguments {
        rounds: 1,
        quick: true,
        rows: Vec::new(),
        ours: training.ours.clone(),
        envoy: PathBuf::new(),
        templates: training.templates.clone(),
        out: training.out.clone(),
        plot: None,
    };
    let run = arguments.out.join("run");
    fs::create_dir_all(&run)?;
    let mut bench = Bench::prepare(&arguments, run.canonicalize()?)?;
    bench.contenders = &[Contender::Ours];
    let mut turns = turns(&rows::all());
    turns.retain(|(load, ..)| load.stage() == Stage::Short);
    bench.rounds(Stage::Short, &turns)?;
    Ok(ExitCode::SUCCESS)
}

fn depth(arguments: &Arguments) -> Depth {
    if arguments.quick {
        Depth::Glance
    } else {
        Depth::Verdict
    }
}

/// Every part has to be of some row's name.
fn picked(parts: &[String]) -> anyhow::Result<Vec<Row>> {
    let has = |row: &Row, part: &String| row.name().contains(part);
    for part in parts {
        let is_known = rows::all().iter().any(|row| has(row, part));
        anyhow::ensure!(is_known, "no row has {part:?} in its name");
    }
    let wanted = |row: &Row| parts.is_empty() || parts.iter().any(|part| has(row, part));
    Ok(rows::all().into_iter().filter(wanted).collect())
}

fn plan(arguments: &Arguments) -> Plan {
    let (rounds, memory_rounds, span, crowd) = match depth(arguments) {
        Depth::Glance => (arguments.rounds.min(3), 1, 200, 1000),
        Depth::Verdict => (arguments.rounds, 3, 400, 9000),
    };
    Plan {
        rounds,
        memory_rounds,
        warm_up: Duration::from_millis(60),
        span: Duration::from_millis(span),
        sockets: 64,
        crowd,
    }
}

/// A bench that is set up.
struct Bench {
    site: Site,
    stand: Stand,
    contenders: &'static [Contender],
    figures: Figures,
    luck: u64,
}

impl Bench {
    fn prepare(arguments: &Arguments, run: PathBuf) -> anyhow::Result<Self> {
        raise_file_limit()?;
        let cores = std::thread::available_parallelism()?.get();
        if cores > 1 {
            hold_to(0)?;
        }
        let keys = Keys::make(&run)?;
        let mut rig = Rig::new()?;
        let engine = rig.listen(None)?;
        let engine_tls = rig.listen(Some(keys.engine.clone()))?;
        let plan = plan(arguments);
        let stand = Stand {
            rig,
            keys_trust: keys.trust.clone(),
            requests: Requests::new(&keys, plan.crowd)?,
            plan,
        };
        let site = Site {
            templates: arguments.templates.clone(),
            run,
            ours: arguments
                .ours
                .canonicalize()
                .context("build the proxy for release first")?,
            envoy: arguments.envoy.clone(),
            keys,
            engine,
            engine_tls,
            core: (cores > 1).then_some(1),
        };
        Ok(Self {
            site,
            stand,
            contenders: &Contender::ALL,
            figures: HashMap::new(),
            luck: 0x9E37_79B9_7F4A_7C15,
        })
    }

    fn run(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let turns = turns(rows);
        for stage in Stage::ALL {
            let of_stage = turns.iter().filter(|(load, ..)| load.stage() == stage);
            self.rounds(stage, &of_stage.cloned().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// All contenders side by side, round after round, in an order that changes.
    fn rounds(&mut self, stage: Stage, turns: &[Turn]) -> anyhow::Result<()> {
        let fleet = match stage {
            Stage::Memory => Fleet::new(),
            _ => self.fleet(turns)?,
        };
        let rounds = self.stand.plan.rounds(stage);
        for round in 1..=rounds {
            for turn in turns {
                let (load, legs, _) = turn;
                let legs = legs.label();
                say(&format!("round {round} of {rounds}: {load:?}, {legs}"));
                self.everybody(&fleet, turn, round)?;
            }
        }
        Ok(())
    }

    /// One turn for everybody. Who is not in the fleet is started for it.
    fn everybody(&mut self, fleet: &Fleet, turn: &Turn, round: usize) -> anyhow::Result<()> {
        let (load, legs, _) = turn;
        for (contender, route) in self.shuffled(turn, round) {
            let what = (*load, *legs, route);
            let order = order(contender, *load);
            if let Some(proxy) = fleet.get(&(contender, order.buffer)) {
                self.measure(contender, proxy, what)?;
            } else {
                let fresh = self.site.start(order)?;
                self.measure(contender, &fresh, what)?;
            }
        }
        Ok(())
    }

    /// Starts whoever these turns are for.
    fn fleet(&self, turns: &[Turn]) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet::new();
        let everybody = turns
            .iter()
            .flat_map(|(load, ..)| self.contenders.iter().map(|one| (*one, *load)));
        for (contender, load) in everybody {
            let order = order(contender, load);
            if let Entry::Vacant(place) = fleet.entry((contender, order.buffer)) {
                place.insert(self.site.start(order)?);
            }
        }
        Ok(fleet)
    }

    fn measure(
        &mut self,
        contender: Contender,
        proxy: &Proxy,
        what: (Load, Legs, Route),
    ) -> anyhow::Result<()> {
        let (load, legs, route) = what;
        let target = Target { proxy, legs, route };
        let measured = self.stand.measure(load, target);
        let measured = measured
            .with_context(|| format!("{load:?}, {}, on {}", legs.label(), contender.label()))?;
        for (task, figure) in measured {
            let key = (contender, task, legs, route);
            self.figures.entry(key).or_default().push(figure);
        }
        Ok(())
    }

    /// Everybody's turns: ours has one on every route.
    fn shuffled(&mut self, (load, _, routes): &Turn, round: usize) -> Vec<(Contender, Route)> {
        let asked = |contender| match contender {
            Contender::Ours => routes.clone(),
            _ => vec![Route::Any],
        };
        let takers = self.contenders.iter().copied();
        let takers = takers.filter(|it| load.has(*it, round));
        let mut turns: Vec<_> = takers
            .flat_map(|one| asked(one).into_iter().map(move |route| (one, route)))
            .collect();
        for place in (1..turns.len()).rev() {
            self.luck ^= self.luck << 13;
            self.luck ^= self.luck >> 7;
            self.luck ^= self.luck << 17;
            let other = usize::try_from(self.luck % (place as u64 + 1)).unwrap_or_default();
            turns.swap(place, other);
        }
        turns
    }
}

/// What is measured in one go: a load, and the routes of ours that have it.
fn turns(rows: &[Row]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for row in rows {
        let load = Load::of(row);
        let is_this = |turn: &&mut Turn| (turn.0, turn.1) == (load, row.legs);
        match turns.iter_mut().find(is_this) {
            Some((_, _, routes)) if routes.contains(&row.route) => {}
            Some((_, _, routes)) => routes.push(row.route),
            None => turns.push((load, row.legs, vec![row.route])),
        }
    }
    turns
}

fn order(contender: Contender, load: Load) -> Order {
    // Ours has no such setting, so that one process serves all loads.
    let is_large = load.is_large() && contender != Contender::Ours;
    Order {
        make: contender.make(),
        buffer: contender.buffer(is_large),
        workers: load.stage().cores(),
    }
}

fn raise_file_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn hold_to(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parts: &[&str]) -> anyhow::Result<Vec<String>> {
        let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        Ok(picked(&parts)?.iter().map(Row::name).collect())
    }

    #[test]
    fn rows_are_picked_by_parts_of_their_names() {
        assert_eq!(names(&[]).unwrap().len(), rows::all().len());
        let small = ["plain 200 B, reading route", "plain 200 B, any route"];
        assert_eq!(names(&["plain 200 B"]).unwrap(), small);
        names(&["plain 200 B", "plain 300 B"]).unwrap_err();
    }

    #[test]
    fn rows_that_one_load_gives_are_measured_in_one_turn() {
        let of = |part: &str| turns(&picked(&[part.to_owned()]).unwrap());
        let small = (Load::Relay(crate::rig::Size::Small), Legs::Plain);
        let both = vec![Route::Reading, Route::Any];
        assert_eq!(of("plain 200 B"), [(small.0, small.1, both)]);
        assert_eq!(of("plain paced").len(), 1);
        let memory = vec![Route::Any, Route::Strangers];
        assert_eq!(of("plain memory"), [(Load::Memory, Legs::Plain, memory)]);
    }

    #[test]
    fn peers_have_one_round_of_memory_and_all_of_the_rest() {
        let takers = |load: Load, round| Contender::ALL.map(|it| load.has(it, round));
        let small = Load::Relay(crate::rig::Size::Small);
        assert_eq!(takers(small, 1), [true; 5]);
        assert_eq!(takers(small, 9), [true; 5]);
        assert_eq!(takers(Load::Memory, 1), [true, false, true, true, true]);
        assert_eq!(takers(Load::Memory, 2), [false, false, false, false, true]);
    }
}
