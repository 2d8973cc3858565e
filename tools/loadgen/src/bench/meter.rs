//! What a process and its children have used: CPU time and memory, as the kernel counts them.
//!
//! CPU time is that of each process's own clock, which keeps what threads used that have ended. Who
//! belongs to a proxy is settled when it is ready. Whoever starts or ends later would be counted by
//! halves, so that a measurement asks afterwards whether they are still the same.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, ensure};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Threads that do less than one in so many parts of the work do not work.
const PARTS: u64 = 20;

/// Processes and all their descendants.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    roots: Vec<u32>,
    family: Vec<Process>,
}

/// CPU time in nanoseconds, by process and thread.
pub(super) type Threads = HashMap<(u32, u32), u64>;

/// A process, so that it cannot be taken for another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Process {
    id: u32,
    parent: u32,
    /// When it began, in the kernel's ticks.
    began: u64,
    /// CPU time of children that have ended, in ticks.
    buried: u64,
}

impl Meter {
    /// Of nothing.
    pub(super) const fn none() -> Self {
        Self {
            roots: Vec::new(),
            family: Vec::new(),
        }
    }

    /// Looks for the descendants that are there now.
    pub(super) fn of(roots: &[u32]) -> Self {
        Self {
            roots: roots.to_vec(),
            family: family(roots),
        }
    }

    /// How many processes it counts.
    pub(super) fn processes(&self) -> usize {
        self.family.len()
    }

    /// Whether they are the processes that are there now, and no child came and went.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let now = family(&self.roots);
        ensure!(
            now == self.family,
            "a process of the proxy began or ended while it was measured: {:?}, and now {now:?}",
            self.family
        );
        Ok(())
    }

    /// CPU time in nanoseconds, of every thread that is or was.
    pub(super) fn cpu(&self) -> anyhow::Result<u64> {
        self.family.iter().map(|process| clock(process.id)).sum()
    }

    /// CPU time of the threads that are there now.
    pub(super) fn threads(&self) -> Threads {
        let of = |process: &Process| {
            let id = process.id;
            let tasks = fs::read_dir(format!("/proc/{id}/task"));
            let tasks = tasks.into_iter().flatten().flatten();
            tasks.filter_map(move |task| {
                let thread = task.file_name().to_str()?.parse().ok()?;
                let used = fs::read_to_string(task.path().join("schedstat")).ok()?;
                Some(((id, thread), first_number(&used)?))
            })
        };
        self.family.iter().flat_map(of).collect()
    }

    /// Resident memory, in KiB.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        self.family.iter().map(|process| resident(process.id)).sum()
    }
}

/// How many threads did the work between two looks.
pub(super) fn at_work(before: &Threads, after: &Threads) -> usize {
    let rose = |(thread, used): (&(u32, u32), &u64)| {
        used.saturating_sub(before.get(thread).copied().unwrap_or_default())
    };
    let rises: Vec<u64> = after.iter().map(rose).collect();
    let all: u64 = rises.iter().sum();
    rises
        .into_iter()
        .filter(|rise| *rise > 0 && rise * PARTS >= all)
        .count()
}

fn clock(process: u32) -> anyhow::Result<u64> {
    let gone = || format!("process {process} of the proxy has ended");
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(process)?));
    let used = clock_gettime(clock.with_context(gone)?).with_context(gone)?;
    let (seconds, rest) = (
        u64::try_from(used.tv_sec())?,
        u64::try_from(used.tv_nsec())?,
    );
    Ok(seconds * 1_000_000_000 + rest)
}

fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.with_context(|| format!("process {process} of the proxy has ended"))?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(first_number)
        .with_context(|| format!("process {process} of the proxy has no memory"))
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// These processes and their descendants, in an order that does not change.
fn family(roots: &[u32]) -> Vec<Process> {
    let all = processes();
    let (mut found, mut next) = (roots.to_vec(), 0);
    while let Some(parent) = found.get(next).copied() {
        let children = all.iter().filter(|process| process.parent == parent);
        found.extend(children.map(|child| child.id));
        next += 1;
    }
    let mut family: Vec<_> = all
        .into_iter()
        .filter(|process| found.contains(&process.id))
        .collect();
    family.sort_unstable_by_key(|process| process.id);
    family
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            parse(id, &fs::read_to_string(entry.path().join("stat")).ok()?)
        })
        .collect()
}

/// `/proc/ID/stat`, by proc(5).
fn parse(id: u32, stat: &str) -> Option<Process> {
    // The name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // What follows the name begins with the third field.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Process {
        id,
        parent: u32::try_from(number(4)?).ok()?,
        buried: number(16)? + number(17)?,
        began: number(22)?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_an_ended_thread_used_still_counts() {
        let burnt = Duration::from_millis(50);
        let mut meter = Meter::of(&[std::process::id()]);
        // Other tests have children.
        meter.family.retain(|it| it.id == std::process::id());
        let before = meter.cpu().unwrap();
        let burn = move || {
            let began = Instant::now();
            let mut used = Duration::ZERO;
            while used < burnt {
                used = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
                assert!(began.elapsed() < Duration::from_mins(1));
            }
        };
        std::thread::spawn(burn).join().unwrap();
        let used = meter.cpu().unwrap() - before;
        assert!(u128::from(used) >= burnt.as_nanos(), "{used} ns");
    }

    #[test]
    fn a_child_that_comes_or_goes_is_noticed() {
        let script = "sleep 60 & echo; read x; kill $!; wait; echo; read x; sleep 60 & echo; read x; kill $!";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut orders, answers) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
        let mut answers = BufReader::new(answers);
        let mut step = || answers.read_line(&mut String::new()).unwrap();

        step();
        let two = Meter::of(&[shell.id()]);
        assert_eq!(two.processes(), 2);
        two.check().unwrap();
        let child = two.family.iter().find(|it| it.id != shell.id()).unwrap().id;

        orders.write_all(b"\n").unwrap();
        step();
        two.check().unwrap_err();
        two.resident().unwrap_err();
        clock(child).unwrap_err();
        let one = Meter::of(&[shell.id()]);
        one.check().unwrap();
        one.cpu().unwrap();

        orders.write_all(b"\n").unwrap();
        step();
        one.check().unwrap_err();
        orders.write_all(b"\n").unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn a_child_that_came_and_went_shows_in_its_parent() {
        let stat = |buried: u64| {
            format!(
                "7 (a) name (x)) S 3 7 7 0 -1 4194560 1 2 3 4 10 11 {buried} 1 20 0 1 0 4242 99"
            )
        };
        let process = parse(7, &stat(0)).unwrap();
        assert_eq!(
            (process.parent, process.began, process.buried),
            (3, 4242, 1)
        );
        assert_ne!(parse(7, &stat(5)), Some(process));
    }

    #[test]
    fn threads_that_hardly_moved_are_not_at_work() {
        let before = Threads::from([((1, 1), 1_000), ((1, 2), 50)]);
        let after = Threads::from([((1, 1), 1_020), ((1, 2), 550), ((1, 3), 500), ((1, 4), 0)]);
        assert_eq!(at_work(&before, &after), 2);
        assert_eq!(at_work(&after, &after), 0);
    }
}
