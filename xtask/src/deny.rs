//! The crates that we depend on, checked against `deny.toml`: licences, bans, sources and advisories. cargo-deny does
//! the work. What could not be checked is reported at the end of the run, so that nobody takes it for a success.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cargo::{cargo, must, says};
use crate::children::{kill_tree, wait};
use crate::{Done, Failure, place, step};

const INSTALL: &str = "cargo install --locked --debug cargo-deny@0.20.2";
/// To fetch the advisories.
const PATIENCE: Duration = Duration::from_secs(120);
/// From this age on, cargo-deny refuses a database of advisories; here it counts as none.
const STALE_DAYS: u64 = 90;

/// Fails where something is not as `deny.toml` wants it. Returns what could not be checked, and why.
pub(crate) fn check(full: bool) -> Done<Vec<String>> {
    step("crates");
    if says(&mut deny(&["--version"])).is_none() {
        let missing = format!(
            "licences, bans, sources and advisories of crates: cargo-deny is not installed ({INSTALL})"
        );
        return Ok(vec![missing]);
    }
    // A warning is an exception that nothing needs any longer.
    must(&mut deny(&[
        "--locked", "check", "-D", "warnings", "licenses", "bans", "sources",
    ]))?;
    if full {
        fetch()?;
    }
    if let Some(why) = obstacle() {
        return Ok(vec![format!("advisories of crates: {why}")]);
    }
    must(&mut deny(&[
        "--offline",
        "check",
        "-D",
        "warnings",
        "advisories",
    ]))?;
    Ok(Vec::new())
}

/// cargo-deny from the target directory, or from wherever cargo finds it.
fn deny(arguments: &[&str]) -> Command {
    let own = place::target().join("tools/bin/cargo-deny");
    let mut command = if own.exists() {
        Command::new(own)
    } else {
        cargo(&["deny"])
    };
    command.args(arguments).current_dir(place::root());
    command
}

/// Fetches the advisories. Where that fails, those of the last time remain.
fn fetch() -> Done {
    let mut command = deny(&["fetch", "db"]);
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(Failure::of("cargo-deny"))?;
    if wait(&mut child, PATIENCE).is_none() {
        kill_tree(&child);
        // Only so that nothing is left of it.
        let _killed = child.wait();
    }
    Ok(())
}

/// Why the advisories cannot be checked, if they cannot.
fn obstacle() -> Option<String> {
    let hint = "`cargo deny fetch db`, or `cargo xtask test --full`";
    let Some(database) = database() else {
        return Some(format!("there is no database of them here ({hint})"));
    };
    let git = |format: &str| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&database);
        says(git.args(["log", "-1", format]))
    };
    let written: Option<u64> = git("--format=%ct").and_then(|text| text.parse().ok());
    let Some(written) = written.map(Duration::from_secs) else {
        return Some(format!("{} is no git clone", database.display()));
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = now.unwrap_or_default().saturating_sub(written);
    let day = git("--format=%cs").unwrap_or_default();
    if age.as_secs() / 86_400 >= STALE_DAYS {
        return Some(format!(
            "the database is of {day}, {STALE_DAYS} days old or older ({hint})"
        ));
    }
    eprintln!("advisories of {day}");
    None
}

/// Where cargo-deny keeps the advisories.
fn database() -> Option<PathBuf> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(env::var_os("HOME")?).join(".cargo"),
    };
    let entries = fs::read_dir(home.join("advisory-dbs")).ok()?;
    let mut folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|folder| folder.join("crates").is_dir())
}
