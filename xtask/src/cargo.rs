//! Calls of cargo and its kin, in the repository.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::place;
use crate::{Done, Failure};

/// A cargo command that has yet to run.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // The cargo that runs this xtask, so that a chosen toolchain stays chosen.
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place::root());
    // This very build's directory, even when --target-dir named it.
    command.env("CARGO_TARGET_DIR", place::target());
    command
}

/// Runs a command whose failure ends everything.
pub(crate) fn must(command: &mut Command) -> Done {
    let line = shown(command);
    let status = command
        .status()
        .map_err(Failure::of(format!("`{line}` does not start")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{line}` failed ({status})")))
    }
}

/// What a command says on stdout; None when it fails or is not there.
pub(crate) fn says(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Whether a program is installed.
pub(crate) fn found(program: &str) -> bool {
    let line = format!("command -v {program}");
    says(Command::new("sh").args(["-c", &line])).is_some()
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}
