//! `cargo xtask observe`: the demo with everything that watches it: a gentle load, Prometheus with the shipped rules,
//! Alertmanager with the shipped routing, a pager that prints what it sends, and Grafana where it is installed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::children::{Children, Interrupt};
use crate::run::{self, Demo};
use crate::{Done, Failure, place, probe, step};

/// A program that is not ours.
struct Tool {
    /// As packages call it.
    names: &'static [&'static str],
    package: &'static str,
}

const PROMETHEUS: Tool = Tool {
    names: &["prometheus"],
    package: "prometheus",
};
const ALERTMANAGER: Tool = Tool {
    names: &["prometheus-alertmanager", "alertmanager"],
    package: "prometheus-alertmanager",
};
const GRAFANA: Tool = Tool {
    names: &["grafana-server"],
    package: "grafana",
};

/// Where Grafana's packages put what its server needs.
const GRAFANA_HOME: &str = "/usr/share/grafana";
/// As deploy/prometheus/prometheus.yml and deploy/alertmanager/alertmanager.yml name them.
const PROMETHEUS_AT: &str = "127.0.0.1:9090";
const ALERTMANAGER_AT: &str = "127.0.0.1:9093";
const PAGER_AT: &str = "127.0.0.1:9095";
const GRAFANA_AT: &str = "127.0.0.1:3000";
/// Who listens where, and where it says that it is ready.
type Listening = (&'static str, &'static str, &'static str);
const LISTENING: [Listening; 4] = [
    ("the pager", PAGER_AT, ""),
    ("Alertmanager", ALERTMANAGER_AT, "/-/ready"),
    ("Prometheus", PROMETHEUS_AT, "/-/ready"),
    ("Grafana", GRAFANA_AT, "/api/health"),
];
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What watches, where it was found.
struct Watchers {
    prometheus: PathBuf,
    alertmanager: PathBuf,
    grafana: Option<PathBuf>,
}

pub(crate) fn observe() -> Done {
    // First what may be missing or in the way: a build takes minutes.
    let watchers = Watchers::find()?;
    watchers.ports_are_free()?;
    let demo = Demo::build()?;
    let interrupt = Interrupt::catch()?;
    let mut children = Children::default();
    step("start");
    let data = place::target().join("observe");
    fs::create_dir_all(&data).map_err(Failure::of(data.display()))?;
    let log = data.join("access.log");
    let log = File::create(&log).map_err(Failure::of(log.display()))?;
    if demo.start(&mut children, &interrupt, log.into())?
        && watchers.start(&mut children, &demo, &data, &interrupt)?
    {
        let services = children.id(run::SERVICES).unwrap_or_default();
        println!("{}", addresses(&demo, services, watchers.grafana.is_some()));
        children.until(&interrupt)?;
    }
    step("stop");
    children.end()
}

fn addresses(demo: &Demo, services: u32, grafana: bool) -> String {
    let (http, admin) = (demo.config.listen.http, demo.config.listen.admin);
    let boards = if grafana {
        format!("http://{GRAFANA_AT}/dashboards (no password)")
    } else {
        "Grafana is not installed (https://grafana.com/docs/grafana/latest/setup-grafana/installation): run this again \
         once `grafana-server` is there"
            .into()
    };
    format!(
        "
The gate stands, and is watched:

  gateway        http://{http}, asked 20 times a second
  metrics        http://{admin}/metrics
  Prometheus     http://{PROMETHEUS_AT}/alerts
  Alertmanager   http://{ALERTMANAGER_AT}
  boards         {boards}
  access log     target/observe/access.log

Alerts are printed here as `pager: …`; docs/operations.md says what to do about each. To see one, let the services hang
for two minutes, from another terminal:

  kill -STOP {services}; sleep 120; kill -CONT {services}

Ctrl-C ends everything.
"
    )
}

// === impl Watchers ===

impl Watchers {
    fn find() -> Done<Watchers> {
        let (prometheus, alertmanager) = (PROMETHEUS.find(), ALERTMANAGER.find());
        let missing: Vec<&str> = [(&PROMETHEUS, &prometheus), (&ALERTMANAGER, &alertmanager)]
            .into_iter()
            .filter(|(_, found)| found.is_none())
            .map(|(tool, _)| tool.package)
            .collect();
        match (prometheus, alertmanager) {
            (Some(prometheus), Some(alertmanager)) => Ok(Watchers {
                prometheus,
                alertmanager,
                grafana: GRAFANA.find(),
            }),
            _ => Err(Failure::new(format!(
                "{} is missing; on Debian and Ubuntu: sudo apt-get install {}",
                missing.join(" and "),
                missing.join(" ")
            ))),
        }
    }

    fn listening(&self) -> impl Iterator<Item = Listening> {
        let grafana = self.grafana.is_some();
        LISTENING
            .into_iter()
            .filter(move |(name, ..)| grafana || *name != "Grafana")
    }

    /// Packages like to start what they bring.
    fn ports_are_free(&self) -> Done {
        for (name, address, _) in self.listening() {
            TcpListener::bind(address).map_err(|error| {
                Failure::new(format!(
                    "{address} is for {name} here: {error}. If it is the package's own, end it: \
                     sudo systemctl disable --now prometheus prometheus-alertmanager grafana-server"
                ))
            })?;
        }
        Ok(())
    }

    /// False when the person had enough of waiting.
    fn start(
        &self,
        children: &mut Children,
        demo: &Demo,
        data: &Path,
        interrupt: &Interrupt,
    ) -> Done<bool> {
        let deploy = place::root().join("deploy");
        let mut pager = quiet(&place::release("pager"));
        children.start("the pager", pager.arg("--listen").arg(PAGER_AT))?;
        let mut load = quiet(&place::release("load"));
        let gateway = demo.config.listen.http.to_string();
        children.start("the load", load.arg("--gateway").arg(gateway))?;
        let mut alertmanager = server(
            &self.alertmanager,
            deploy.join("alertmanager/alertmanager.yml"),
            ("storage.path", data.join("alertmanager")),
            ALERTMANAGER_AT,
        );
        alertmanager.arg("--cluster.listen-address=");
        children.start("Alertmanager", &mut alertmanager)?;
        let mut prometheus = server(
            &self.prometheus,
            deploy.join("prometheus/prometheus.yml"),
            ("storage.tsdb.path", data.join("prometheus")),
            PROMETHEUS_AT,
        );
        children.start("Prometheus", &mut prometheus)?;
        if let Some(grafana) = &self.grafana {
            children.start("Grafana", &mut serve_boards(grafana, &deploy, data))?;
        }
        for (name, address, path) in self.listening().filter(|(.., path)| !path.is_empty()) {
            let address: SocketAddr = address.parse().map_err(Failure::of(address))?;
            let ready = || probe::status(address, path).is_ok_and(|status| status == 200);
            if !run::wait(name, READY_WITHIN, ready, children, interrupt)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Everybody who can reach it may look: it listens on loopback.
fn serve_boards(grafana: &Path, deploy: &Path, data: &Path) -> Command {
    let provisioning = deploy.join("grafana/provisioning");
    let (address, port) = GRAFANA_AT.split_once(':').unwrap_or((GRAFANA_AT, "3000"));
    let mut command = quiet(grafana);
    command
        .args(["--homepath", GRAFANA_HOME])
        .env("PORTCULLIS_DEPLOY", deploy)
        .env("PROMETHEUS_URL", format!("http://{PROMETHEUS_AT}"))
        .env("GF_SERVER_HTTP_ADDR", address)
        .env("GF_SERVER_HTTP_PORT", port)
        .env("GF_PATHS_DATA", data.join("grafana"))
        .env("GF_PATHS_LOGS", data.join("grafana/log"))
        .env("GF_PATHS_PROVISIONING", provisioning)
        .env("GF_AUTH_ANONYMOUS_ENABLED", "true")
        .env("GF_ANALYTICS_REPORTING_ENABLED", "false")
        .env("GF_ANALYTICS_CHECK_FOR_UPDATES", "false")
        .env("GF_LOG_LEVEL", "warn")
        .stdout(Stdio::null());
    command
}

/// Prometheus and Alertmanager have most of their options in common.
fn server(program: &Path, config: PathBuf, data: (&str, PathBuf), at: &str) -> Command {
    let mut command = quiet(program);
    command
        .arg(option("config.file", config))
        .arg(option(data.0, data.1))
        .arg(option("web.listen-address", at))
        .arg("--log.level=warn");
    command
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(value);
    option
}

// === impl Tool ===

impl Tool {
    fn find(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        // Where Debian puts servers, which is not in everybody's PATH.
        let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let files = folders.flat_map(|folder| self.names.iter().map(move |name| folder.join(name)));
        files.into_iter().find(|file| file.is_file())
    }
}
