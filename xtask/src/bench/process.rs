//! What a process and its children have used so far.

use std::collections::BTreeMap;
use std::fs;

use crate::{Done, Failure};

/// Nanoseconds on a core, by thread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cpu(BTreeMap<u32, u64>);

impl Cpu {
    /// As the scheduler counts it, which is exact (proc_pid_schedstat(5)); the ticks of `stat` are 10 ms.
    pub(super) fn of(process: u32) -> Done<Self> {
        let mut threads = BTreeMap::new();
        for process in tree(process) {
            let folder = format!("/proc/{process}/task");
            for thread in numbers(&folder) {
                let file = format!("{folder}/{thread}/schedstat");
                // A thread may end in between.
                let text = fs::read_to_string(file).unwrap_or_default();
                let first = text.split_whitespace().next();
                threads.extend(first.and_then(|n| Some((thread, n.parse().ok()?))));
            }
        }
        if threads.is_empty() {
            return Err(Failure::new(format!("process {process} has no schedstat")));
        }
        Ok(Self(threads))
    }

    /// In microseconds, of all threads that still run. One that ended takes its last milliseconds along.
    pub(super) fn since(&self, before: &Self) -> f64 {
        let of = |thread| before.0.get(thread).copied().unwrap_or(0);
        let spent = self
            .0
            .iter()
            .map(|(thread, now)| now.saturating_sub(of(thread)));
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        let nanoseconds = spent.sum::<u64>() as f64;
        nanoseconds / 1e3
    }
}

/// Resident memory in KiB (proc_pid_status(5)).
pub(super) fn memory(process: u32) -> Done<f64> {
    let mut sum = None;
    for process in tree(process) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
        sum = number.map(|number| number + sum.unwrap_or(0.0)).or(sum);
    }
    sum.ok_or_else(|| Failure::new(format!("process {process} has no VmRSS")))
}

/// A process and its children.
fn tree(parent: u32) -> Vec<u32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(file).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    children.chain([parent]).collect()
}

/// The names in a folder that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_of_this_process_grows_and_its_memory_is_known() {
        let own = std::process::id();
        let before = Cpu::of(own).expect("schedstat");
        let mut now = before.clone();
        for _ in 0..10_000 {
            now = Cpu::of(own).expect("schedstat");
            if now.since(&before) > 0.0 {
                break;
            }
        }
        assert!(now.since(&before) > 0.0);
        assert!(memory(own).expect("VmRSS") > 100.0);
    }

    #[test]
    fn threads_that_came_count_and_those_that_went_do_not() {
        let before = Cpu(BTreeMap::from([(1, 5_000), (2, 9_000)]));
        let now = Cpu(BTreeMap::from([(1, 6_000), (3, 500)]));
        assert_eq!(now.since(&before), 1.5);
    }
}
