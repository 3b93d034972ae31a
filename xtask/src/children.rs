//! Processes that this one started and ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Done, Failure};

/// The gateway drains for 10 s at most (gateway.toml), then ends.
const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// Started in this order, ended in the reverse one, also when dropped.
#[derive(Debug, Default)]
pub(crate) struct Children(Vec<Named>);

/// Ctrl-C, SIGTERM or SIGHUP.
#[derive(Debug)]
pub(crate) struct Interrupt(Receiver<()>);

#[derive(Debug)]
struct Named {
    name: &'static str,
    child: Child,
}

// === impl Interrupt ===

impl Interrupt {
    /// From here on the signals end nothing by themselves.
    pub(crate) fn catch() -> Done<Self> {
        let (send, receive) = mpsc::channel();
        // The receiver is gone only when this process is on its way out already.
        ctrlc::set_handler(move || {
            let _leaving = send.send(());
        })
        .map_err(Failure::of("signals"))?;
        Ok(Self(receive))
    }

    /// True when one came within `patience`.
    pub(crate) fn came(&self, patience: Duration) -> bool {
        !matches!(
            self.0.recv_timeout(patience),
            Err(RecvTimeoutError::Timeout)
        )
    }
}

// === impl Children ===

impl Children {
    /// Starts one in a process group of its own: Ctrl-C reaches only this process, which ends them in order.
    pub(crate) fn start(&mut self, name: &'static str, command: &mut Command) -> Done<u32> {
        let child = command
            .process_group(0)
            .spawn()
            .map_err(Failure::of(name))?;
        let id = child.id();
        self.0.push(Named { name, child });
        Ok(id)
    }

    /// The process of one that was started.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        let named = self.0.iter().find(|child| child.name == name);
        named.map(|named| named.child.id())
    }

    /// A failure when one of them has ended.
    pub(crate) fn all_run(&mut self) -> Done {
        for Named { name, child } in &mut self.0 {
            if let Some(status) = child.try_wait().map_err(Failure::of(*name))? {
                return Err(Failure::new(format!("{name} ended by itself ({status})")));
            }
        }
        Ok(())
    }

    /// Waits for an interrupt; a child that ends first is a failure.
    pub(crate) fn until(&mut self, interrupt: &Interrupt) -> Done {
        while !interrupt.came(POLL) {
            self.all_run()?;
        }
        Ok(())
    }

    /// Ends all of them: SIGTERM, and SIGKILL for who ignores it.
    pub(crate) fn end(&mut self) -> Done {
        let mut done = Ok(());
        while let Some(Named { name, mut child }) = self.0.pop() {
            // It may be gone already; the wait below finds out.
            let _gone = kill_process(Pid::from_child(&child), Signal::TERM);
            if wait(&mut child, PATIENCE).is_none() {
                let _gone = child.kill();
                let _reaped = child.wait();
                done = Err(Failure::new(format!(
                    "{name} ignored SIGTERM for {PATIENCE:?} and was killed"
                )));
            }
        }
        done
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        if let Err(failure) = self.end() {
            eprintln!("xtask: {failure}");
        }
    }
}

/// Kills a process and all that came of it.
pub(crate) fn kill_tree(root: &Child) {
    let mut tree = vec![Pid::from_child(root)];
    let parents = parents();
    // Found before any is killed: orphans have another parent.
    let mut at = 0;
    while let Some(&parent) = tree.get(at) {
        let own = parents.iter().filter(|(_, of)| *of == parent);
        tree.extend(own.map(|(pid, _)| *pid));
        at += 1;
    }
    for pid in tree {
        // It may have ended meanwhile.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

/// Every process with its parent, which is the second word after the name (proc_pid_stat(5)).
fn parents() -> Vec<(Pid, Pid)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |text: &str| Pid::from_raw(text.parse().ok()?);
    let found = entries.filter_map(|entry| {
        let own = number(entry.file_name().to_str()?)?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        Some((own, number(rest.split(' ').nth(1)?)?))
    });
    found.collect()
}

/// How a process ended, if it did within `patience`.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(POLL / 5);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_killed_with_its_leaves() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & echo; wait"]);
        let mut root = shell
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut said = root.stdout.take().expect("piped");
        // The line says that the leaf is there.
        std::io::Read::read(&mut said, &mut [0]).expect("a line");
        kill_tree(&root);
        assert!(!root.wait().expect("it is ours").success());
        // Ends when the last who could write has.
        std::io::read_to_string(said).expect("the end");
    }
}
