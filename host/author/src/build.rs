//! `plugin build`: the component of a crate, through cargo.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use portcullis_terminal::Failure;
use serde::Deserialize;

use crate::BuildOptions;

const TARGET: &str = "wasm32-wasip2";
/// The test that `#[portcullis_sdk::plugin]` adds; with UPDATE it writes the schema.
const SCHEMA_TEST: &str = "settings_schema_is_current";
const SCHEMA: &str = "settings.schema.json";

/// A line of `cargo build --message-format=json`.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// Builds, and prints where the component is.
pub(super) fn build(options: &BuildOptions) -> Result<(), Failure> {
    let component = component(&options.path)?;
    let size = fs::metadata(&component).map_or(0, |meta| meta.len());
    println!("{} ({} KiB)", component.display(), size.div_ceil(1024));
    Ok(())
}

/// The built component of the crate in `folder`.
pub(super) fn component(folder: &Path) -> Result<PathBuf, Failure> {
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().map_err(|_| {
        Failure::Mistake(format!(
            "error: {} has no Cargo.toml\n hint: go into the folder of the plugin or name it with --path; \
             `portcullis plugin new` begins one",
            folder.display()
        ))
    })?;
    ensure_target(folder)?;
    refresh_schema(&manifest)?;
    let mut build = cargo("build", &manifest);
    build.args([
        "--release",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    let built = output(build.stderr(Stdio::inherit()))?;
    if !built.status.success() {
        return Err(Failure::Mistake(
            "error: it does not build; cargo says why above".to_owned(),
        ));
    }
    artifact(&String::from_utf8_lossy(&built.stdout), &manifest).ok_or_else(|| {
        Failure::Mistake(format!(
            "error: {} makes no component\n hint: a plugin's Cargo.toml has [lib] with crate-type = [\"cdylib\", \"rlib\"]",
            manifest.display()
        ))
    })
}

/// The component that cargo's messages name.
fn artifact(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<CargoMessage>(line).ok());
    let ours = messages.filter(|message| {
        let library = message
            .target
            .as_ref()
            .is_some_and(|t| t.kind.iter().any(|kind| kind == "cdylib"));
        message.reason == "compiler-artifact"
            && library
            && message.manifest_path.as_deref() == Some(manifest)
    });
    let mut files = ours.flat_map(|message| message.filenames);
    files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

/// Asks rustc for the target's library and rustup for the target.
fn ensure_target(folder: &Path) -> Result<(), Failure> {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(folder);
    let libraries = rustc.output().ok().filter(|output| output.status.success());
    let there = libraries
        .is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    if there {
        return Ok(());
    }
    eprintln!("adding the target {TARGET}");
    let mut rustup = Command::new("rustup");
    let added = rustup
        .args(["target", "add", TARGET])
        .current_dir(folder)
        .stdout(Stdio::inherit())
        .status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::Trouble(format!(
            "the Rust target {TARGET} is missing and could not be added. With rustup it is one command: \
             rustup target add {TARGET}"
        ))),
    }
}

/// Rewrites settings.schema.json if the settings type changed.
fn refresh_schema(manifest: &Path) -> Result<(), Failure> {
    let file = manifest.with_file_name(SCHEMA);
    let was_there = file.is_file();
    let mut test = cargo("test", manifest);
    test.args(["--quiet", "--lib", "--", SCHEMA_TEST])
        .env("UPDATE", "1");
    let tested = output(test.stderr(Stdio::piped()))?;
    if !tested.status.success() {
        return Err(Failure::Mistake(format!(
            "{}{}error: {SCHEMA} cannot be made from the settings; what cargo says is above",
            String::from_utf8_lossy(&tested.stdout),
            String::from_utf8_lossy(&tested.stderr)
        )));
    }
    if !was_there && file.is_file() {
        // cargo does not see a file appear that the attribute looks for.
        let code = File::open(manifest.with_file_name("src/lib.rs"));
        let touched = code.and_then(|code| code.set_modified(SystemTime::now()));
        touched
            .map_err(|error| Failure::Trouble(format!("src/lib.rs cannot be touched: {error}")))?;
    }
    Ok(())
}

fn cargo(subcommand: &str, manifest: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand).arg("--manifest-path").arg(manifest);
    // Where the crate is, so that its rust-toolchain.toml and .cargo count.
    command.current_dir(manifest.parent().unwrap_or(Path::new(".")));
    command
}

fn output(command: &mut Command) -> Result<Output, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command
        .spawn()
        .and_then(std::process::Child::wait_with_output);
    child.map_err(|error| {
        Failure::Trouble(format!(
            "cargo does not start: {error}. Rust comes from https://rustup.rs"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_one_of_the_crate_itself() {
        let line = |manifest: &str, kind: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","target":{{"kind":["{kind}"]}},"filenames":["{file}"]}}"#
            )
        };
        let messages = [
            "no JSON".to_owned(),
            line("/dep/Cargo.toml", "cdylib", "/t/dep.wasm"),
            line("/a/Cargo.toml", "custom-build", "/t/build"),
            line("/a/Cargo.toml", "cdylib", "/t/a.wasm"),
        ];
        let found = artifact(&messages.join("\n"), Path::new("/a/Cargo.toml"));
        assert_eq!(found.as_deref(), Some(Path::new("/t/a.wasm")));
        assert_eq!(artifact("", Path::new("/a/Cargo.toml")), None);
    }
}
