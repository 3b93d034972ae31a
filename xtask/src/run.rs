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
const POLL: Duration = Duration::from_millis(50);

/// What this command has to know of gateway.toml.
#[derive(Debug)]
struct Config {
    file: PathBuf,
    listen: Listeners,
    plugins: PathBuf,
}

pub(crate) fn run() -> Done {
    let config = Config::read()?;
    guests::build()?;
    step("gateway and demo services");
    must(&mut cargo(&[
        "build",
        "--release",
        "-p",
        "portcullis",
        "-p",
        "portcullis-tests",
        "--bins",
    ]))?;
    guests::install(&config.plugins)?;
    let credentials = tries::Credentials::sign()?;

    let interrupt = Interrupt::catch()?;
    let mut children = Children::default();
    step("start");
    children.start(
        "the demo services",
        Command::new(place::release("demo")).stdin(Stdio::null()),
    )?;
    let mut gateway = Command::new(place::release("portcullis"));
    gateway
        .args(["run", "--config"])
        .arg(&config.file)
        .stdin(Stdio::null());
    children.start("the gateway", &mut gateway)?;
    if !ready(&config, &mut children, &interrupt)? {
        return children.end();
    }
    println!("{}", tries::text(&config.listen, &credentials));
    children.until(&interrupt)?;
    step("stop");
    children.end()
}

/// True when /readyz says so, false when the person had enough of waiting.
fn ready(config: &Config, children: &mut Children, interrupt: &Interrupt) -> Done<bool> {
    let end = Instant::now() + READY_WITHIN;
    while Instant::now() < end {
        // First the children: on a port that another gateway holds, /readyz would answer too.
        children.all_run()?;
        if probe::status(config.listen.admin, "/readyz").is_ok_and(|status| status == 200) {
            children.all_run()?;
            return Ok(true);
        }
        if interrupt.came(POLL) {
            return Ok(false);
        }
    }
    Err(Failure::new(format!(
        "the gateway is not ready after {READY_WITHIN:?}; its messages are above"
    )))
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
