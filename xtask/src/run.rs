//! `cargo xtask run`: from sources to a gateway that answers, in one command.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cargo::{cargo, must};
use crate::children::{Children, Interrupt};
use crate::tries::Listeners;
use crate::{Done, Failure, guests, place, probe, step, tries};

/// Loading compiles every plugin.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Among the children.
pub(crate) const SERVICES: &str = "the demo services";
const POLL: Duration = Duration::from_millis(50);
/// Not xtask itself, which would be linked again after each change of it.
const PROGRAMS: [&str; 6] = [
    "portcullis",
    "demo",
    "echo-sockets",
    "init-data",
    "load",
    "pager",
];

/// What this command has to know of gateway.toml.
#[derive(Debug)]
pub(crate) struct Config {
    file: PathBuf,
    pub(crate) listen: Listeners,
    plugins: PathBuf,
}

/// The demo, built.
#[derive(Debug)]
pub(crate) struct Demo {
    pub(crate) config: Config,
}

pub(crate) fn run() -> Done {
    let demo = Demo::build()?;
    let credentials = tries::Credentials::sign()?;
    let interrupt = Interrupt::catch()?;
    let mut children = Children::default();
    step("start");
    if demo.start(&mut children, &interrupt, Stdio::inherit())? {
        println!("{}", tries::text(&demo.config.listen, &credentials));
        children.until(&interrupt)?;
        step("stop");
    }
    children.end()
}

/// True when it is ready, false when the person had enough of waiting.
pub(crate) fn wait(
    name: &str,
    patience: Duration,
    ready: impl Fn() -> bool,
    children: &mut Children,
    interrupt: &Interrupt,
) -> Done<bool> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        // First the children: on a port that another program holds, that one would answer.
        children.all_run()?;
        if ready() {
            children.all_run()?;
            return Ok(true);
        }
        if interrupt.came(POLL) {
            return Ok(false);
        }
    }
    Err(Failure::new(format!(
        "{name} is not ready after {patience:?}; its messages are above"
    )))
}

/// Builds the gateway and the programs that these commands start, for release.
pub(crate) fn build_programs(what: &str) -> Done {
    step(what);
    // Of the whole workspace: a part of it would choose other features and compile wasmtime once more.
    let mut build = cargo(&["build", "--release", "--workspace"]);
    must(build.args(PROGRAMS.into_iter().flat_map(|program| ["--bin", program])))
}

// === impl Demo ===

impl Demo {
    pub(crate) fn build() -> Done<Self> {
        let config = Config::read()?;
        guests::build()?;
        build_programs("gateway and demo services")?;
        guests::install(&config.plugins)?;
        Ok(Self { config })
    }

    /// Starts services and gateway; false when the person had enough of waiting.
    pub(crate) fn start(
        &self,
        children: &mut Children,
        interrupt: &Interrupt,
        access_log: Stdio,
    ) -> Done<bool> {
        children.start(
            SERVICES,
            Command::new(place::release("demo")).stdin(Stdio::null()),
        )?;
        let mut gateway = Command::new(place::release("portcullis"));
        gateway
            .args(["run", "--config"])
            .arg(&self.config.file)
            .stdin(Stdio::null())
            .stdout(access_log);
        children.start("the gateway", &mut gateway)?;
        let admin = self.config.listen.admin;
        let ready = || probe::status(admin, "/readyz").is_ok_and(|status| status == 200);
        wait("the gateway", READY_WITHIN, ready, children, interrupt)
    }
}

// === impl Config ===

impl Config {
    fn read() -> Done<Self> {
        let file = place::root().join("gateway.toml");
        let text = fs::read_to_string(&file).map_err(Failure::of(file.display()))?;
        let table: toml::Table = text.parse().map_err(Failure::of(file.display()))?;
        let key = |section: &str, key: &str| {
            let value = table
                .get(section)
                .and_then(|section| section.get(key))
                .and_then(toml::Value::as_str);
            value.ok_or_else(|| Failure::new(format!("gateway.toml has no {section}.{key}")))
        };
        let address = |name: &str| {
            let text = key("listen", name)?;
            text.parse()
                .map_err(Failure::of(format!("listen.{name} = {text:?}")))
        };
        Ok(Self {
            listen: Listeners {
                http: address("http")?,
                https: address("https")?,
                admin: address("admin")?,
            },
            plugins: place::root().join(key("plugins", "folder")?),
            file,
        })
    }
}
