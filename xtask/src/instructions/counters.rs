//! What the kernel is asked for: page faults and system calls, counted without valgrind, which has some of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cargo::found;
use crate::children::Children;
use crate::{Done, Failure};

const ATTACHED_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h; strace has no name for it yet.
const PAGEMAP_SCAN: &str = "0xc0606610";
/// Its name in the counts.
pub(super) const SCAN: &str = "PAGEMAP_SCAN";
/// The ticks of a thread that sleeps in between: they come with time, not with requests.
const SLEEP: &str = "clock_nanosleep";

/// Per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    /// Minor page faults.
    pub(super) faults: f64,
    /// System calls by name; None where strace is missing or may not attach.
    pub(super) calls: Option<BTreeMap<String, f64>>,
}

/// Counts what `ask` causes in a process; it is called once for the faults and once for the calls, with the number of
/// requests.
pub(super) fn count(
    process: u32,
    requests: usize,
    log: &Path,
    mut ask: impl FnMut(usize) -> Done,
) -> Done<Counters> {
    let before = faults(process)?;
    ask(requests)?;
    let faults = faults(process)? - before;
    let calls = traced(process, log, || ask(requests))?;
    let calls = calls.map(|calls| {
        let each = calls
            .into_iter()
            .map(|(name, count)| (name, per(count, requests)));
        each.filter(|(_, count)| *count > 0.0).collect()
    });
    Ok(Counters {
        faults: per(faults, requests),
        calls,
    })
}

/// With two digits: what happens a few times in thousands of requests was not caused by them.
fn per(count: u64, requests: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let each = count as f64 / requests as f64;
    (each * 100.0).round() / 100.0
}

/// Minor faults so far (proc_pid_stat(5)).
fn faults(process: u32) -> Done<u64> {
    let file = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&file).map_err(Failure::of(&file))?;
    // The name, in parentheses, may hold spaces.
    let field = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(7)?.parse().ok());
    field.ok_or_else(|| Failure::new(format!("{file} has no minflt")))
}

/// The system calls of all threads while `ask` runs.
fn traced(
    process: u32,
    log: &Path,
    ask: impl FnOnce() -> Done,
) -> Done<Option<BTreeMap<String, u64>>> {
    if !found("strace") {
        return Ok(None);
    }
    let mut children = Children::default();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "raw=all", "-o"]).arg(log);
    strace.args(["-p", &process.to_string()]);
    strace.stdin(Stdio::null()).stderr(Stdio::null());
    children.start("strace", &mut strace)?;
    if !attached(process, &mut children) {
        // It has ended already where it may not attach.
        return Ok(None);
    }
    ask()?;
    children.end()?;
    let text = fs::read_to_string(log).map_err(Failure::of(log.display()))?;
    Ok(Some(calls(&text)))
}

/// True once every thread is traced.
fn attached(process: u32, strace: &mut Children) -> bool {
    let end = Instant::now() + ATTACHED_WITHIN;
    while Instant::now() < end && strace.all_run().is_ok() {
        let threads = fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten();
        let mut states = threads
            .flatten()
            .map(|thread| fs::read_to_string(thread.path().join("status")).unwrap_or_default());
        let traced =
            |state: String| state.contains("TracerPid:") && !state.contains("TracerPid:\t0\n");
        if states.all(traced) {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

/// Counts the lines of strace by the name of the call.
fn calls(log: &str) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in log.lines() {
        // `123 read(0x3, …) = 5`; a call that another thread interrupts has a second line, `123 <... read resumed>`.
        let Some((front, arguments)) = line.split_once('(') else {
            continue;
        };
        let Some((_, name)) = front.split_once(' ') else {
            continue;
        };
        let name = name.trim_start();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name == SLEEP || name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        let name = match name {
            "ioctl" if arguments.contains(PAGEMAP_SCAN) => SCAN,
            name => name,
        };
        *calls.entry(name.to_owned()).or_default() += 1;
    }
    calls
}

// === impl Counters ===

impl Counters {
    /// All of them together.
    pub(super) fn system_calls(&self) -> Option<f64> {
        Some(self.calls.as_ref()?.values().sum())
    }

    pub(super) fn scans(&self) -> Option<f64> {
        Some(self.calls.as_ref()?.get(SCAN).copied().unwrap_or(0.0))
    }

    /// `2 recvfrom, 2 writev`: the most frequent first. Those of fewer than one request in ten are left out.
    pub(super) fn names(&self) -> String {
        let mut calls: Vec<_> = self.calls.iter().flatten().collect();
        calls.retain(|(_, count)| **count >= 0.1);
        calls.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
        let each = calls
            .into_iter()
            .map(|(name, count)| format!("{} {name}", (count * 10.0).round() / 10.0));
        each.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
7  recvfrom(0xb, 0x7f01, 0x2000, 0, 0, 0) = 0x1a
7  epoll_wait(0x5, 0x7f02, 0x400, 0x3e8 <unfinished ...>
8  clock_nanosleep(0, 0, 0x7f03, 0) = 0
8  ioctl(0x9, 0xc0606610, 0x7f04) = 0
7  <... epoll_wait resumed>)               = 0x1
7  ioctl(0x9, 0x5401, 0x7f04) = -1 ENOTTY (Inappropriate ioctl for device)
7  recvfrom(0xb, 0x7f01, 0x2000, 0, 0, 0) = -1 EAGAIN (Resource temporarily unavailable)
7  --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
8  +++ exited with 0 +++
";

    #[test]
    fn calls_are_counted_once_and_sleeping_is_not() {
        let calls = calls(LOG);
        let counted: Vec<_> = calls
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        let expected = [(SCAN, 1), ("epoll_wait", 1), ("ioctl", 1), ("recvfrom", 2)];
        assert_eq!(counted, expected);
    }

    #[test]
    fn frequent_calls_are_named_and_all_are_summed() {
        let calls = [
            ("recvfrom", 2.0),
            ("futex", 0.01),
            ("epoll_wait", 1.52),
            ("writev", 2.0),
        ];
        let counters = Counters {
            faults: 0.0,
            calls: Some(calls.map(|(name, count)| (name.to_owned(), count)).into()),
        };
        assert_eq!(counters.names(), "2 recvfrom, 2 writev, 1.5 epoll_wait");
        assert_eq!(counters.system_calls(), Some(5.53));
        assert_eq!(counters.scans(), Some(0.0));
    }

    #[test]
    fn the_faults_of_this_process_are_known() {
        assert!(faults(std::process::id()).expect("its own stat") > 0);
    }
}
