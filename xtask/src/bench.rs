//! `cargo xtask bench`: the gateway beside nginx, same upstream, same machine, in turn, as ratios.

mod peers;
mod report;

use std::process::Command;

use crate::cargo::{found, says};
use crate::children::{Children, Interrupt};
use crate::progress::Progress;
use crate::{Done, Failure, guests, place, run, step};

use peers::{Load, Peers, Subject};

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
    let tools = [
        ("wrk", "wrk"),
        ("nginx", "nginx-light"),
        ("h2load", "nghttp2-client"),
        ("openssl", "openssl"),
    ];
    for (tool, package) in tools {
        // wrk has no way to say its version that ends well, so it is only looked for.
        if !found(tool) {
            return Err(Failure::new(format!(
                "{tool} is not installed; on Debian: apt-get install {package}"
            )));
        }
    }
    guests::build()?;
    run::build_programs("gateway")?;
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

/// `ROUNDS=1` in the environment is a look at whether all of it works.
fn rounds() -> usize {
    let given = std::env::var("ROUNDS").ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(ROUNDS)
}

/// All subjects in turn, round after round, so that a loud neighbour is loud for all of them.
fn measure(peers: &Peers, children: &mut Children, interrupt: &Interrupt) -> Done<Vec<Row>> {
    let row = |subject: &Subject| Row {
        name: subject.name,
        beside: subject.beside,
        samples: Vec::new(),
    };
    let mut measured: Vec<Row> = peers.subjects.iter().map(row).collect();
    let rounds = rounds();
    let progress = Progress::of((rounds + 1) * peers.subjects.len());
    for round in 0..=rounds {
        progress.aside(|| step(&format!("round {round} of {rounds}")));
        for (subject, Row { samples, .. }) in peers.subjects.iter().zip(&mut measured) {
            children.all_run()?;
            progress.next(subject.name);
            let sample = one(subject)?;
            progress.one_more();
            if round > 0 {
                samples.push(sample);
            }
            if interrupt.came(std::time::Duration::ZERO) {
                return Err(Failure::new("interrupted"));
            }
        }
    }
    Ok(measured)
}

fn one(subject: &Subject) -> Done<Sample> {
    match subject.load {
        Load::Wrk => wrk(subject),
        Load::H2load => h2load(subject),
        Load::Sockets => sockets(subject),
    }
}

/// Messages there and back on WebSockets; told in the words of wrk.
fn sockets(subject: &Subject) -> Done<Sample> {
    let mut load = Command::new("taskset");
    load.args(["-c", peers::LOAD_CORE])
        .arg(place::release("echo-sockets"))
        .args(["load", &subject.url])
        .args(["--connections", CONNECTIONS, "--seconds", SECONDS]);
    let before = subject.cpu()?;
    let said = says(&mut load).ok_or_else(|| Failure::new("echo-sockets failed"))?;
    let after = subject.cpu()?;
    report::sample(&said, after - before)
        .ok_or_else(|| Failure::new(format!("{}: echo-sockets said:\n{said}", subject.name)))
}

/// HTTP/2: as many requests at once as wrk has, on fewer connections.
fn h2load(subject: &Subject) -> Done<Sample> {
    let log = place::target().join("bench/h2load.log");
    // It appends.
    let _none_yet = std::fs::remove_file(&log);
    let before = subject.cpu()?;
    let mut h2load = Command::new("taskset");
    h2load.args([
        "-c",
        peers::LOAD_CORE,
        "h2load",
        "-t1",
        "-c",
        "8",
        "-m",
        "8",
    ]);
    h2load.args(["-D", SECONDS, "--log-file"]).arg(&log);
    let said = says(h2load.arg(&subject.url)).ok_or_else(|| Failure::new("h2load failed"))?;
    let after = subject.cpu()?;
    let log = std::fs::read_to_string(&log).map_err(Failure::of(log.display()))?;
    report::sample_of_h2load(&said, &log, after - before)
        .ok_or_else(|| Failure::new(format!("{}: h2load said:\n{said}", subject.name)))
}

fn wrk(subject: &Subject) -> Done<Sample> {
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
    if let Some(script) = &subject.script {
        wrk.arg("-s").arg(script);
    }
    let said = says(wrk.arg(&subject.url)).ok_or_else(|| Failure::new("wrk failed"))?;
    let after = subject.cpu()?;
    report::sample(&said, after - before)
        .ok_or_else(|| Failure::new(format!("{}: wrk said:\n{said}", subject.name)))
}
