//! Runs the programs: once as they are, for what the kernel counts, and once under callgrind.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cargo::says;
use crate::children::{Children, Interrupt};
use crate::{Done, Failure, certificate, place, probe, run};

use super::callgrind::{self, Callgrind};
use super::client::{self, Client};
use super::counters::{self, Counters};
use super::programs::{self, Setup, TOKEN, Upstreams};
use super::rows::{Ask, Program, Row};
use super::{COSTLIEST, Cost, Costs, upstream};

/// Requests that are counted, and those before, which fill caches and pools.
const REQUESTS: usize = 2000;
const WARM_UP: usize = 300;
/// Under valgrind the gateway compiles its plugins for minutes if the machine is busy.
const READY_WITHIN: Duration = Duration::from_secs(540);

/// What all measurements share.
pub(super) struct Bench {
    directory: PathBuf,
    upstreams: Upstreams,
    /// The value of an Authorization header.
    credential: String,
    /// The upstream of WebSockets.
    _echo: Children,
}

/// A program that answers.
struct Running {
    children: Children,
    process: u32,
    address: SocketAddr,
    secure: SocketAddr,
}

// === impl Bench ===

impl Bench {
    /// Starts the upstreams; `directory` has the plugins.
    pub(super) fn prepare(directory: PathBuf) -> Done<Self> {
        certificate::write(&directory)?;
        let upstreams = Upstreams {
            http: upstream::start()?,
            sockets: programs::free_address()?,
        };
        let mut echo = Children::default();
        let mut command = Command::new(place::release("echo-sockets"));
        command.args(["serve", &upstreams.sockets.to_string()]);
        echo.start("the upstream of WebSockets", command.stdin(Stdio::null()))?;
        let mut sign = Command::new(place::release("init-data"));
        let signed = says(sign.arg("42").env("BOT_TOKEN", TOKEN));
        let signed = signed.ok_or_else(|| Failure::new("cannot sign initData"))?;
        Ok(Self {
            directory,
            upstreams,
            credential: format!("tma {signed}"),
            _echo: echo,
        })
    }

    /// What some rows of one program cost.
    pub(super) fn measure(
        &self,
        program: Program,
        rows: &[&Row],
        with_counters: bool,
        interrupt: &Interrupt,
    ) -> Done<Costs> {
        let mut counters = Vec::new();
        if with_counters {
            let mut running = self.start(program, None, interrupt)?;
            for row in rows {
                counters.push(self.count(&running, row)?);
                running.goes_on(interrupt)?;
            }
            running.children.end()?;
        }
        let out = self.directory.join(format!("{}.out", program.command()));
        let mut running = self.start(program, Some(&out), interrupt)?;
        let callgrind = Callgrind::of(running.process, out);
        callgrind.begin()?;
        let mut costs = Costs::new();
        let mut counters = counters.into_iter();
        for row in rows {
            let counters = counters.next();
            let cost = Cost {
                counters,
                ..self.profile(&running, &callgrind, row)?
            };
            costs.insert(row.name.to_owned(), cost);
            running.goes_on(interrupt)?;
        }
        running.children.end()?;
        Ok(costs)
    }

    fn count(&self, running: &Running, row: &Row) -> Done<Counters> {
        let mut client = self.warm(running, row)?;
        let ask = |times| client.ask(times).map_err(Failure::of(row.name));
        let log = self.directory.join(format!("{}.strace", row.name));
        counters::count(running.process, REQUESTS, &log, ask)
    }

    fn profile(&self, running: &Running, callgrind: &Callgrind, row: &Row) -> Done<Cost> {
        let mut client = self.warm(running, row)?;
        let mut ask = |times| client.ask(times).map_err(Failure::of(row.name));
        let dump = self.directory.join(format!("{}.callgrind", row.name));
        // h2load opens a connection each time: what that costs is in both numbers, and goes with the difference.
        let (requests, besides) = match row.ask {
            Ask::Http2 => {
                callgrind.zero()?;
                ask(WARM_UP)?;
                (WARM_UP + REQUESTS, callgrind.dump(&dump)?.total)
            }
            _ => (REQUESTS, 0),
        };
        callgrind.zero()?;
        ask(requests)?;
        let profile = callgrind.dump(&dump)?;
        Ok(Cost {
            instructions: profile.total.saturating_sub(besides) / REQUESTS as u64,
            counters: None,
            costliest: profile.costliest(COSTLIEST),
        })
    }

    /// A client that has warmed the program up.
    fn warm(&self, running: &Running, row: &Row) -> Done<Client> {
        let warm = || {
            let address = match row.ask {
                Ask::Http2 => running.secure,
                _ => running.address,
            };
            let mut client = Client::open(address, row, &self.credential)?;
            client.ask(WARM_UP)?;
            client.prove()?;
            Ok(client)
        };
        warm().map_err(Failure::of::<std::io::Error>(row.name))
    }

    /// Starts a program, under callgrind if that has a file to write to, and waits until it answers.
    fn start(&self, program: Program, out: Option<&Path>, interrupt: &Interrupt) -> Done<Running> {
        let setup = Setup::of(program, &self.directory, self.upstreams)?;
        let mut command = match out {
            Some(out) => callgrind::around(&setup.program, out),
            None => Command::new(&setup.program),
        };
        let name = program.command();
        let log = self.directory.join(format!("{name}.log"));
        let log_file = || File::options().create(true).append(true).open(&log);
        let stdout = log_file().map_err(Failure::of(log.display()))?;
        let stderr = log_file().map_err(Failure::of(log.display()))?;
        let (tunables, values) = callgrind::TUNABLES;
        command.args(&setup.arguments).env(tunables, values);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mut children = Children::default();
        let process = children.start(name, &mut command)?;
        let ready = || answers(&setup);
        let ready = run::wait(name, READY_WITHIN, ready, &mut children, interrupt);
        if !ready.map_err(|failure| Failure::new(format!("{failure}: {}", log.display())))? {
            return Err(Failure::new("interrupted"));
        }
        Ok(Running {
            children,
            process,
            address: setup.address,
            secure: setup.secure,
        })
    }
}

/// Whether it answers and, the gateway, has all its snapshots.
fn answers(setup: &Setup) -> bool {
    let ok = |address, path| probe::status(address, path).is_ok_and(|status| status == 200);
    let settled = |admin| probe::settled(admin, client::PATIENCE);
    ok(setup.address, "/plain") && setup.admin.is_none_or(settled)
}

// === impl Running ===

impl Running {
    fn goes_on(&mut self, interrupt: &Interrupt) -> Done {
        self.children.all_run()?;
        if interrupt.came(Duration::ZERO) {
            return Err(Failure::new("interrupted"));
        }
        Ok(())
    }
}

/// A folder of its own for all that is written, without the dumps of earlier runs.
pub(super) fn folder() -> Done<PathBuf> {
    let folder = place::target().join("instructions");
    // The first run has nothing to remove.
    let _none_yet = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(Failure::of(folder.display()))?;
    Ok(folder)
}
