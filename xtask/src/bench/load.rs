//! The programs that ask: wrk, h2load, and our own for WebSockets. Each says how often and how fast it was answered.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::says;
use crate::{Done, Failure, place};

use super::process::Cpu;
use super::reports::{self, Report};
use super::results::Sample;
use super::rows::{Door, Group, Row};
use super::running::{LOAD_CORE, Programs};

pub(super) const CONNECTIONS: &str = "64";
/// With HTTP/2; as many requests at once as with HTTP/1.1.
pub(super) const STREAMS: [&str; 2] = ["8", "8"];
/// A connection that the machine was too busy for spoils a sample, not the run.
const TRIES: usize = 3;
/// For wrk: one page after the other.
const PAGES: &str = "local page = 0\nrequest = function()\n  page = (page + 1) % 10000\n  \
    return wrk.format(\"GET\", \"/pages/\" .. page)\nend\n";

/// What asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// HTTP/1.1
    Wrk,
    /// HTTP/2
    H2load,
    /// WebSocket
    Sockets,
}

/// What all of them need.
pub(super) struct Loads {
    /// A header that telegram-auth takes.
    credential: String,
    script: PathBuf,
    log: PathBuf,
}

impl Loads {
    pub(super) fn new(folder: &Path, credential: &str) -> Done<Self> {
        let script = folder.join("pages.lua");
        std::fs::write(&script, PAGES).map_err(Failure::of(script.display()))?;
        Ok(Self {
            credential: format!("Authorization: {credential}"),
            script,
            log: folder.join("h2load.txt"),
        })
    }

    /// One measurement.
    pub(super) fn sample(&self, row: &Row, programs: &Programs, seconds: u64) -> Done<Sample> {
        let mut tried = self.once(row, programs, seconds);
        for _ in 1..TRIES {
            if tried.is_ok() {
                break;
            }
            tried = self.once(row, programs, seconds);
        }
        tried
    }

    fn once(&self, row: &Row, programs: &Programs, seconds: u64) -> Done<Sample> {
        let running = programs.of(row)?;
        let load = row
            .group
            .load()
            .ok_or_else(|| Failure::new(format!("{} has no load", row.key())))?;
        let mut command = self.command(row, load, &url(row, programs)?, seconds);
        // h2load appends.
        let _none_yet = std::fs::remove_file(&self.log);
        let before = Cpu::of(running.process)?;
        let said = says(&mut command)
            .ok_or_else(|| Failure::new(format!("{}: the load generator failed", row.key())))?;
        let cpu = Cpu::of(running.process)?.since(&before);
        let report = match load {
            Load::H2load => {
                let log = std::fs::read_to_string(&self.log).map_err(Failure::of("h2load"))?;
                reports::of_h2load(&said, &log)
            }
            Load::Wrk | Load::Sockets => reports::of_wrk(&said),
        };
        let report = report.ok_or_else(|| {
            Failure::new(format!("{}: the load generator said:\n{said}", row.key()))
        })?;
        Ok(sample(&report, cpu))
    }

    fn command(&self, row: &Row, load: Load, url: &str, seconds: u64) -> Command {
        let seconds = seconds.to_string();
        let mut command = Command::new("taskset");
        command.args(["-c", LOAD_CORE]);
        match load {
            Load::Wrk => {
                command.args(["wrk", "-t1", "--latency", "-c", CONNECTIONS, "-d", &seconds]);
                match row.group {
                    Group::Telegram => command.args(["-H", &self.credential]),
                    Group::Handshake => command.args(["-H", "Connection: close"]),
                    Group::Pages => command.arg("-s").arg(&self.script),
                    _ => &mut command,
                };
            }
            Load::H2load => {
                let [connections, streams] = STREAMS;
                command.args(["h2load", "-t1", "-c", connections, "-m", streams]);
                command.args(["-D", &seconds, "--log-file"]).arg(&self.log);
            }
            Load::Sockets => {
                command
                    .arg(place::release("echo-sockets"))
                    .args(["load", url]);
                command.args(["--connections", CONNECTIONS, "--seconds", &seconds]);
                return command;
            }
        }
        command.arg(url);
        command
    }
}

/// What a row asks for.
pub(super) fn url(row: &Row, programs: &Programs) -> Done<String> {
    let scheme = match (row.door, row.group.load()) {
        (Door::Https, _) => "https",
        (_, Some(Load::Sockets)) => "ws",
        _ => "http",
    };
    let address = programs.of(row)?.address(row);
    Ok(format!("{scheme}://{address}{}", row.path))
}

fn sample(report: &Report, cpu: f64) -> Sample {
    Sample {
        per_second: report.per_second,
        cpu: cpu / report.requests,
        p50: report.p50,
        p99: report.p99,
    }
}
