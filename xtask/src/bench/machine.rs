//! Where and with what it was measured.

use std::process::Command;

use crate::cargo::says;
use crate::peers;

use super::programs::Program;

/// A load average of a machine on which nothing else runs. Builds that this command waited for count, too.
const QUIET: f64 = 1.0;

/// The processes that wanted a core during the last minute.
pub(super) fn load_average() -> String {
    shell("cut -d' ' -f1 /proc/loadavg")
}

pub(super) fn described(load: &str) -> String {
    let warning = if load.parse().is_ok_and(|load: f64| load < QUIET) {
        ""
    } else {
        " (the machine was busy, so the figures of this run are not reliable)"
    };
    format!(
        "on {} at commit {}: {} cores ({}), kernel {}; load average before the run {load}{warning}",
        shell("date -u +%Y-%m-%d"),
        shell("git describe --always --dirty"),
        shell("nproc"),
        shell("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1"),
        shell("uname -r"),
    )
}

/// Of the programs that were measured and of those that asked.
pub(super) fn versions(programs: &[Program]) -> Vec<String> {
    let mut versions = vec![
        shell("nginx -v 2>&1"),
        shell("wrk -v 2>&1 | head -n 1 | cut -d' ' -f1,2"),
        shell("h2load --version"),
        shell("rustc --version"),
    ];
    versions.extend(programs.iter().filter_map(|program| {
        let path = peers::proxy(program.name())?.display().to_string();
        Some(match program {
            Program::Haproxy => shell("haproxy -v | head -n 1 | cut -d' ' -f1-3"),
            Program::Envoy => {
                let version = shell(&format!(
                    "'{path}' --version | sed -n 's/.*version: [0-9a-f]*.//p'"
                ));
                format!("Envoy {version}")
            }
            Program::Traefik => {
                let version = shell(&format!("'{path}' version | sed -n 's/^Version: *//p'"));
                format!("Traefik {version}")
            }
            Program::Caddy => format!(
                "Caddy {}",
                shell(&format!("'{path}' version | cut -d' ' -f1"))
            ),
            _ => return None,
        })
    }));
    versions
}

fn shell(line: &str) -> String {
    let said = says(Command::new("sh").args(["-c", line]));
    said.filter(|said| !said.is_empty())
        .unwrap_or_else(|| "?".into())
}
