//! What is measured: nginx as the upstream, nginx as a proxy, and the gateway, each on its core.

mod files;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::files::Files;
use crate::cargo::says;
use crate::children::Children;
use crate::{Done, Failure, place, probe};

/// The proxy under test has one core, its upstream and the load the other.
const PROXY_CORE: &str = "0";
pub(super) const LOAD_CORE: &str = "1";

const UPSTREAM: &str = "127.0.0.1:18090";
const NGINX: &str = "127.0.0.1:18091";
const GATEWAY: &str = "127.0.0.1:18092";
const SOCKETS: &str = "127.0.0.1:18096";
const ADMIN: &str = "127.0.0.1:18093";
const NGINX_TLS: &str = "127.0.0.1:18094";
const GATEWAY_TLS: &str = "127.0.0.1:18095";
/// The same gateway with traces, by the share that is kept: name, clients, admin, share.
const TRACED: [(&str, &str, &str, &str); 2] = [
    (
        "gateway, 1 % of traces",
        "127.0.0.1:18097",
        "127.0.0.1:18098",
        "1%",
    ),
    (
        "gateway, all traces",
        "127.0.0.1:18099",
        "127.0.0.1:18100",
        "100%",
    ),
];
const TOKEN: &str = "7000000001:BENCH-token-0000000000000000000000000";
const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Peers {
    pub(super) subjects: Vec<Subject>,
}

/// One row of the table.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// The row that it is compared with.
    pub(super) beside: &'static str,
    pub(super) load: Load,
    pub(super) url: String,
    pub(super) headers: Vec<String>,
    /// What wrk asks for, where it is not the URL alone.
    pub(super) script: Option<PathBuf>,
    /// The process whose CPU, with that of its children, is counted.
    process: u32,
}

/// What asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// HTTP/1.1
    Wrk,
    /// HTTP/2
    H2load,
    /// WebSocket
    Sockets,
}

/// The processes that are measured, by their ids.
struct Processes {
    nginx: u32,
    gateway: u32,
    /// The gateways of `TRACED`: name, address, id.
    traced: Vec<(&'static str, &'static str, u32)>,
}

impl Peers {
    pub(super) fn start(directory: &Path, children: &mut Children) -> Done<Peers> {
        let files = Files::write(directory)?;
        let processes = Processes::start(&files, children)?;
        wait_ready(children)?;
        let subjects = rows::subjects(&processes, &files.pages, &credential()?);
        Ok(Peers { subjects })
    }
}

impl Processes {
    fn start(files: &Files, children: &mut Children) -> Done<Processes> {
        let mut start = |name, core, program: &Path, arguments: &[&str]| {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program).args(arguments);
            command.env("BOT_TOKEN", TOKEN).stdin(Stdio::null());
            children.start(name, &mut command)
        };
        let text = |path: &Path| path.display().to_string();
        let nginx = Path::new("nginx");
        let conf = text(&files.upstream);
        start("the upstream", LOAD_CORE, nginx, &["-c", &conf])?;
        let echo = place::release("echo-sockets");
        let serve = ["serve", SOCKETS];
        start("the upstream of WebSockets", LOAD_CORE, &echo, &serve)?;
        let conf = text(&files.nginx);
        let nginx = start("nginx", PROXY_CORE, nginx, &["-c", &conf])?;
        let portcullis = place::release("portcullis");
        let mut gateway = |name, config: &Path| {
            let run = ["run", "--config", &text(config)];
            start(name, PROXY_CORE, &portcullis, &run)
        };
        let plain = gateway("the gateway", &files.gateway)?;
        let mut traced = Vec::new();
        for ((name, address, ..), config) in TRACED.into_iter().zip(&files.traced) {
            traced.push((name, address, gateway(name, config)?));
        }
        Ok(Processes {
            nginx,
            gateway: plain,
            traced,
        })
    }
}

/// A header that telegram-auth takes.
fn credential() -> Done<String> {
    let mut sign = Command::new(place::release("init-data"));
    let init_data = says(sign.arg("42").env("BOT_TOKEN", TOKEN))
        .ok_or_else(|| Failure::new("cannot sign initData"))?;
    Ok(format!("Authorization: tma {init_data}"))
}

fn wait_ready(children: &mut Children) -> Done {
    let end = Instant::now() + READY_WITHIN;
    let answers = |address: &str, path: &str| {
        address
            .parse()
            .is_ok_and(|address| probe::status(address, path).is_ok_and(|status| status == 200))
    };
    while Instant::now() < end {
        children.all_run()?;
        let traced = TRACED
            .iter()
            .all(|(_, address, ..)| answers(address, "/plain"));
        let first = answers(ADMIN, "/readyz") && answers(GATEWAY, "/plain");
        if first && traced && answers(NGINX, "/plain") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::new(format!(
        "not everything answers after {READY_WITHIN:?}"
    )))
}

impl Subject {
    /// Asked with HTTP/1.1, and for one URL.
    fn new(name: &'static str, beside: &'static str, url: String, process: u32) -> Subject {
        Subject {
            name,
            beside,
            load: Load::Wrk,
            url,
            headers: Vec::new(),
            script: None,
            process,
        }
    }

    /// User and system time so far, in microseconds, of the process and its children (proc_pid_stat(5)).
    pub(super) fn cpu(&self) -> Done<f64> {
        let known: Vec<u64> = processes(self.process)
            .into_iter()
            .filter_map(ticks)
            .collect();
        if known.is_empty() {
            return Err(Failure::new(format!(
                "{}: process {} is gone",
                self.name, self.process
            )));
        }
        let ticks: u64 = known.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
    }
}

fn processes(parent: u32) -> Vec<u32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(file).unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .chain([parent])
        .collect()
}

fn ticks(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}
