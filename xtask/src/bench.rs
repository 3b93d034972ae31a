//! `cargo xtask bench`: the gateway beside nginx, same upstream, same machine, in turn, as ratios.

mod peers;
mod report;

use std::process::Command;

use crate::cargo::{cargo, must, says};
use crate::children::{Children, Interrupt};
use crate::{Done, Failure, guests, place, step};

use peers::{Peers, Subject};

/// Rounds in which every subject is measured once, after one that is not counted.
const ROUNDS: usize = 7;
const SECONDS: &str = "3";
const CONNECTIONS: &str = "64";

/// What was measured of one subject.
struct Row {
    name: &'static str,
    /// The row that it is compared with.
    beside: &'static str,
    samples: Vec<Sample>,
}

/// One measurement of one subject.
#[derive(Debug, Clone, Copy)]
struct Sample {
    per_second: f64,
    /// CPU of the proxy's processes, microseconds per request.
    cpu: f64,
    p50: f64,
    p99: f64,
}

pub(crate) fn bench() -> Done {
    for (tool, package) in [("wrk", "wrk"), ("nginx", "nginx-light")] {
        // wrk has no way to say its version that ends well, so it is only looked for.
        if says(Command::new("sh").args(["-c", &format!("command -v {tool}")])).is_none() {
            return Err(Failure::new(format!(
                "{tool} is not installed; on Debian: apt-get install {package}"
            )));
        }
    }
    guests::build()?;
    step("gateway");
    let parts = [
        "build",
        "--release",
        "-p",
        "portcullis",
        "-p",
        "portcullis-tests",
        "--bins",
    ];
    must(&mut cargo(&parts))?;
    let directory = place::target().join("bench");
    guests::install(&directory.join("plugins.d"))?;

    let interrupt = Interrupt::catch()?;
    let mut children = Children::default();
    step("start");
    let peers = Peers::start(&directory, &mut children)?;
    let measured = measure(&peers, &mut children, &interrupt);
    children.end()?;
    let text = report::text(&measured?);
    println!("{text}");
    let file = place::root().join("docs/bench.md");
    std::fs::write(&file, text).map_err(Failure::of(file.display()))
}

/// All subjects in turn, round after round, so that a loud neighbour is loud for all of them.
fn measure(peers: &Peers, children: &mut Children, interrupt: &Interrupt) -> Done<Vec<Row>> {
    let row = |subject: &Subject| Row {
        name: subject.name,
        beside: subject.beside,
        samples: Vec::new(),
    };
    let mut measured: Vec<Row> = peers.subjects.iter().map(row).collect();
    for round in 0..=ROUNDS {
        step(&format!("round {round} of {ROUNDS}"));
        for (subject, row) in peers.subjects.iter().zip(&mut measured) {
            children.all_run()?;
            let sample = one(subject)?;
            if round > 0 {
                row.samples.push(sample);
            }
            if interrupt.came(std::time::Duration::ZERO) {
                return Err(Failure::new("interrupted"));
            }
        }
    }
    Ok(measured)
}

fn one(subject: &Subject) -> Done<Sample> {
    let before = subject.cpu()?;
    let mut wrk = Command::new("taskset");
    wrk.args([
        "-c",
        peers::LOAD_CORE,
        "wrk",
        "-t1",
        "-c",
        CONNECTIONS,
        "-d",
        SECONDS,
        "--latency",
    ]);
    for header in &subject.headers {
        wrk.args(["-H", header]);
    }
    let said = says(wrk.arg(&subject.url)).ok_or_else(|| Failure::new("wrk failed"))?;
    let after = subject.cpu()?;
    report::sample(&said, after - before)
        .ok_or_else(|| Failure::new(format!("{}: wrk said:\n{said}", subject.name)))
}
