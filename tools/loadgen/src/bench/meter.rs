//! What a process and its children have used: CPU time and memory, as the kernel counts them.

use std::collections::HashMap;
use std::fs;

/// Processes and all their descendants.
#[derive(Clone, Debug)]
pub(super) struct Meter(Vec<u32>);

impl Meter {
    /// Of nothing.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Looks for the descendants that are there now.
    pub(super) fn of(roots: &[u32]) -> Self {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (process, parent) in processes() {
            children.entry(parent).or_default().push(process);
        }
        let (mut found, mut next) = (roots.to_vec(), 0);
        while let Some(process) = found.get(next) {
            found.extend(children.remove(process).unwrap_or_default());
            next += 1;
        }
        Self(found)
    }

    /// CPU time in nanoseconds, of every thread.
    pub(super) fn cpu(&self) -> u64 {
        let threads = self.0.iter().flat_map(|process| {
            let tasks = fs::read_dir(format!("/proc/{process}/task"));
            tasks.into_iter().flatten().flatten()
        });
        threads
            .filter_map(|thread| {
                first_number(&fs::read_to_string(thread.path().join("schedstat")).ok()?)
            })
            .sum()
    }

    /// Resident memory, in KiB.
    pub(super) fn resident(&self) -> u64 {
        let statuses = self
            .0
            .iter()
            .filter_map(|process| fs::read_to_string(format!("/proc/{process}/status")).ok());
        statuses
            .filter_map(|status| {
                let line = status
                    .lines()
                    .find_map(|line| line.strip_prefix("VmRSS:"))?;
                first_number(line)
            })
            .sum()
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Every process and its parent.
fn processes() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name, in brackets, may hold anything.
            let (_, rest) = stat.rsplit_once(") ")?;
            Some((process, rest.split(' ').nth(1)?.parse().ok()?))
        })
        .collect()
}
