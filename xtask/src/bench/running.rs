//! Starting the programs under test, and where they listen.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::children::{Children, Interrupt};
use crate::{Done, Failure, probe, scale};

use super::process;
use super::programs::Program;
use super::rows::{Door, Row};
use super::templates::{Values, filled};

/// The proxy under test has one core, its upstream and the load the other.
const PROXY_CORE: &str = "0";
pub(super) const LOAD_CORE: &str = "1";
/// The gateway compiles its plugins when it starts.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(2);
/// Of a page about plugins.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a program listens. Not every program has a listener at each address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doors {
    http: SocketAddr,
    https: SocketAddr,
    headers: SocketAddr,
    telegram: SocketAddr,
    admin: SocketAddr,
}

/// A program that answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) process: u32,
    doors: Doors,
    /// Until the first response.
    pub(super) start: Duration,
    /// Resident then, in KiB.
    pub(super) memory: f64,
}

pub(super) struct Programs(BTreeMap<Program, Running>);

/// Starts the programs one after the other, so that none has to share its core while it starts.
pub(super) fn start(
    programs: &[Program],
    folder: &Path,
    mut values: Values,
    children: &mut Children,
    interrupt: &Interrupt,
) -> Done<Programs> {
    let mut running = BTreeMap::new();
    let mut upstream = None;
    for program in programs {
        let doors = Doors::free()?;
        match program {
            Program::Upstream => {
                upstream = Some(doors.http);
                values.insert("upstream", doors.http.to_string());
                values.insert("upstream-port", doors.http.port().to_string());
            }
            Program::Echo => {
                values.insert("sockets", doors.http.to_string());
            }
            _ => doors.enter(&mut values),
        }
        values.insert("share", program.share().to_owned());
        for (name, template) in program.templates() {
            let mut text = filled(template, &values)?;
            if let (Program::Scale, Some(upstream)) = (program, upstream) {
                text += &scale::tables(upstream, &["headers_kept", "headers_fresh"]);
            }
            let file = folder.join(name);
            fs::write(&file, text).map_err(Failure::of(file.display()))?;
        }
        running.insert(*program, run(*program, folder, doors, children, interrupt)?);
    }
    Ok(Programs(running))
}

fn run(
    program: Program,
    folder: &Path,
    doors: Doors,
    children: &mut Children,
    interrupt: &Interrupt,
) -> Done<Running> {
    let name = program.name();
    let log = folder.join(format!("{name}.log"));
    let begin = Instant::now();
    let process = children.start(name, &mut command(program, folder, doors, &log)?)?;
    let ready = || match program {
        Program::Echo => TcpStream::connect(doors.http).is_ok(),
        _ => probe::status(doors.http, "/plain").is_ok_and(|status| status == 200),
    };
    let wait = |ready: &dyn Fn() -> bool, children: &mut Children| {
        wait(ready, children, interrupt)
            .map_err(|failure| Failure::new(format!("{name}: {failure}; see {}", log.display())))
    };
    wait(&ready, children)?;
    let start = begin.elapsed();
    let memory = process::memory(process)?;
    if program.is_gateway() {
        wait(&|| probe::settled(doors.admin, PATIENCE), children)?;
    }
    Ok(Running {
        process,
        doors,
        start,
        memory,
    })
}

fn command(program: Program, folder: &Path, doors: Doors, log: &Path) -> Done<Command> {
    let core = if program.is_upstream() {
        LOAD_CORE
    } else {
        PROXY_CORE
    };
    let (executable, arguments) = program.command();
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(executable).args(arguments);
    match program.templates().first() {
        Some((name, _)) => command.arg(folder.join(name)),
        None => command.arg(doors.http.to_string()),
    };
    // What Caddy keeps stays in the folder. Go has one thread for its code.
    command
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .env("GOMAXPROCS", "1");
    let file = File::create(log).map_err(Failure::of(log.display()))?;
    let other = file.try_clone().map_err(Failure::of(log.display()))?;
    command.stdin(Stdio::null()).stdout(file).stderr(other);
    Ok(command)
}

fn wait(ready: &dyn Fn() -> bool, children: &mut Children, interrupt: &Interrupt) -> Done {
    let end = Instant::now() + READY_WITHIN;
    while Instant::now() < end {
        children.all_run()?;
        if ready() {
            return Ok(());
        }
        if interrupt.came(POLL) {
            return Err(Failure::new("interrupted"));
        }
    }
    Err(Failure::new(format!("no answer after {READY_WITHIN:?}")))
}

// === impl Doors ===

impl Doors {
    /// Any that are free now; two worktrees may measure at the same time.
    fn free() -> Done<Self> {
        // All at once, so that they differ.
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = [bind(), bind(), bind(), bind(), bind()];
        let mut addresses = Vec::new();
        for listener in listeners {
            let address = listener.and_then(|listener| listener.local_addr());
            addresses.push(address.map_err(Failure::of("a free port"))?);
        }
        Ok(Self {
            http: addresses[0],
            https: addresses[1],
            headers: addresses[2],
            telegram: addresses[3],
            admin: addresses[4],
        })
    }

    fn enter(self, values: &mut Values) {
        values.insert("http", self.http.to_string());
        values.insert("https", self.https.to_string());
        values.insert("admin", self.admin.to_string());
        values.insert("http-port", self.http.port().to_string());
        values.insert("https-port", self.https.port().to_string());
        values.insert("headers-port", self.headers.port().to_string());
        values.insert("telegram-port", self.telegram.port().to_string());
        values.insert("admin-port", self.admin.port().to_string());
    }
}

// === impl Programs ===

impl Programs {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Program, &Running)> {
        self.0.iter()
    }

    pub(super) fn of(&self, row: &Row) -> Done<&Running> {
        let running = self.0.get(&row.program);
        running.ok_or_else(|| Failure::new(format!("{} does not run", row.program.name())))
    }
}

// === impl Running ===

impl Running {
    pub(super) fn address(&self, row: &Row) -> SocketAddr {
        match row.door {
            Door::Http => self.doors.http,
            Door::Https => self.doors.https,
            Door::Headers => self.doors.headers,
            Door::Telegram => self.doors.telegram,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_filled_and_the_gateways_are_toml() {
        let doors = Doors::free().expect("free ports");
        let mut values = super::super::values(Path::new("/f"), Path::new("/w"));
        doors.enter(&mut values);
        for name in ["upstream", "upstream-port", "sockets", "share"] {
            values.insert(name, "1%".to_owned());
        }
        for program in Program::ALL {
            for (name, template) in program.templates() {
                let text = filled(template, &values).expect(name);
                assert!(!text.contains("{{"), "{name}");
                if name.ends_with(".toml") {
                    text.parse::<toml::Table>().expect(name);
                }
            }
        }
    }

    #[test]
    fn addresses_differ() {
        let doors = Doors::free().expect("free ports");
        let all = [
            doors.http,
            doors.https,
            doors.headers,
            doors.telegram,
            doors.admin,
        ];
        let differ: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(differ.len(), all.len());
    }
}
