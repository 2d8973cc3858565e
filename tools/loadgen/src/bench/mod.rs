//! `qix-load bench`: the proxy as shipped beside its peers, in rounds, and a verdict by the bars.

mod keys;
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
use self::report::Report;
use self::rows::{Contender, Plan, Route, Row, Task};
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

/// What was measured: a figure a round.
type Figures = HashMap<(Contender, Task, Legs, Route), Vec<f64>>;

/// Running proxies, by who they are and how large their buffers are.
type Fleet = HashMap<(Contender, u32), Proxy>;

/// Runs the bench; the exit code says whether every bar was met.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let run = arguments.out.join("run");
    fs::create_dir_all(&run)?;
    let rows = picked(&arguments.rows);
    anyhow::ensure!(!rows.is_empty(), "no row has such a name");
    let mut bench = Bench::prepare(arguments, run.canonicalize()?)?;
    bench.run(&rows)?;
    let report = Report::new(&rows, &bench.figures);
    say(&report.table());
    say(&format!(
        "{} rounds in {} s",
        bench.stand.plan.rounds,
        began.elapsed().as_secs()
    ));
    let file = arguments.out.join("report.json");
    fs::write(&file, report.json()).with_context(|| file.display().to_string())?;
    if let Some(file) = &arguments.plot {
        fs::write(file, plot::draw(&report)).with_context(|| file.display().to_string())?;
    }
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn picked(parts: &[String]) -> Vec<Row> {
    let wanted = |row: &Row| parts.is_empty() || parts.iter().any(|part| row.name().contains(part));
    rows::all().into_iter().filter(wanted).collect()
}

fn plan(arguments: &Arguments) -> Plan {
    let (rounds, span, crowd) = if arguments.quick {
        (arguments.rounds.min(3), 200, 1000)
    } else {
        (arguments.rounds, 400, 9000)
    };
    Plan {
        rounds,
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
        let stand = Stand {
            rig,
            keys_trust: keys.trust.clone(),
            requests: Requests::new(&keys),
            plan: plan(arguments),
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
            figures: HashMap::new(),
            luck: 0x9E37_79B9_7F4A_7C15,
        })
    }

    fn run(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let mut loads: Vec<(Load, Legs, Vec<Route>)> = Vec::new();
        for row in rows {
            let load = Load::of(row);
            match loads
                .iter_mut()
                .find(|(known, legs, _)| (*known, *legs) == (load, row.legs))
            {
                Some((_, _, routes)) if routes.contains(&row.route) => {}
                Some((_, _, routes)) => routes.push(row.route),
                None => loads.push((load, row.legs, vec![row.route])),
            }
        }
        let kind = |wanted: fn(Load) -> bool| -> Vec<_> {
            loads
                .iter()
                .filter(|(load, ..)| wanted(*load))
                .cloned()
                .collect()
        };
        self.rounds(
            &kind(|load| matches!(load, Load::Relay(_) | Load::Upgrade | Load::Pace)),
            1,
            self.stand.plan.rounds,
        )?;
        self.rounds(
            &kind(|load| matches!(load, Load::TwoCores(_))),
            2,
            self.stand.plan.rounds.min(7),
        )?;
        self.rounds(
            &kind(|load| load == Load::Crowd),
            1,
            self.stand.plan.rounds.min(3),
        )?;
        for (load, legs, routes) in kind(|load| load == Load::Memory) {
            say(&format!("memory, {}", legs.label()));
            for contender in Contender::ALL {
                let proxy = self.site.start(order(contender, load, 1))?;
                self.measure(contender, &proxy, (load, legs, routes[0]))?;
            }
        }
        Ok(())
    }

    /// All contenders side by side, round after round, in an order that changes.
    fn rounds(
        &mut self,
        loads: &[(Load, Legs, Vec<Route>)],
        workers: u32,
        rounds: usize,
    ) -> anyhow::Result<()> {
        let fleet = self.fleet(loads, workers)?;
        for round in 1..=rounds {
            for (load, legs, routes) in loads {
                let legs_label = legs.label();
                say(&format!(
                    "round {round} of {rounds}: {load:?}, {legs_label}"
                ));
                self.everybody(&fleet, (*load, *legs), routes)?;
            }
        }
        Ok(())
    }

    /// One turn for everybody.
    fn everybody(
        &mut self,
        fleet: &Fleet,
        (load, legs): (Load, Legs),
        routes: &[Route],
    ) -> anyhow::Result<()> {
        for (contender, route) in self.shuffled(routes) {
            let buffer = order(contender, load, 1).buffer;
            let proxy = &fleet[&(contender, buffer)];
            self.measure(contender, proxy, (load, legs, route))?;
        }
        Ok(())
    }

    /// Starts whoever these loads are for.
    fn fleet(&self, loads: &[(Load, Legs, Vec<Route>)], workers: u32) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet::new();
        let everybody = loads
            .iter()
            .flat_map(|(load, ..)| Contender::ALL.map(|one| (one, *load)));
        for (contender, load) in everybody {
            let order = order(contender, load, workers);
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
    fn shuffled(&mut self, routes: &[Route]) -> Vec<(Contender, Route)> {
        let mut turns: Vec<_> = routes
            .iter()
            .map(|route| (Contender::Ours, *route))
            .collect();
        let others = Contender::ALL
            .into_iter()
            .filter(|it| *it != Contender::Ours);
        turns.extend(others.map(|peer| (peer, Route::Any)));
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

fn order(contender: Contender, load: Load, workers: u32) -> Order {
    // Ours has no such setting, so that one process serves all loads.
    let is_large = load.is_large() && contender != Contender::Ours;
    Order {
        make: contender.make(),
        buffer: contender.buffer(is_large),
        workers,
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
