//! The plugins: wasm32-wasip2 components, built apart from the workspace and dropped like any other.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{cargo, must, says};
use crate::{Done, Failure, place, step};

pub(crate) const TARGET: &str = "wasm32-wasip2";
pub(crate) const PACKAGES: [&str; 10] = [
    "telegram-auth",
    "rbac",
    "headers",
    "convert",
    "aggregate",
    "rewrite",
    "validate",
    "jwt-auth",
    "session",
    "api-key",
];

/// Components that only the tests use.
pub(crate) const FIXTURES: [&str; 6] = [
    "unruly",
    "unruly-handler",
    "unruly-authenticator",
    "unruly-authorizer",
    "relay",
    "standard",
];

/// Builds the components, adding the target when it is missing.
pub(crate) fn build() -> Done {
    ensure_target(TARGET)?;
    step("plugins");
    must(cargo(&["build", "--target", TARGET, "--profile", "guest"]).args(packages()))
}

/// `-p telegram-auth -p rbac …`
pub(crate) fn packages() -> impl Iterator<Item = &'static str> {
    PACKAGES
        .into_iter()
        .chain(FIXTURES)
        .flat_map(|package| ["-p", package])
}

/// The folder of the components: what `PORTCULLIS_GUESTS` names, as for the tests, else they are built.
pub(crate) fn provided() -> Done<PathBuf> {
    match env::var_os("PORTCULLIS_GUESTS") {
        Some(folder) => Ok(folder.into()),
        None => build().map(|()| built()),
    }
}

/// Puts the built components into a plugin folder.
pub(crate) fn install(folder: &Path) -> Done {
    copy(&built(), folder)
}

/// Puts components into a plugin folder.
pub(crate) fn copy(from: &Path, folder: &Path) -> Done {
    fs::create_dir_all(folder).map_err(Failure::of(folder.display()))?;
    for package in PACKAGES {
        let file = format!("{}.wasm", package.replace('-', "_"));
        let component = from.join(&file);
        drop_file(&component, &folder.join(&file)).map_err(Failure::of(component.display()))?;
    }
    Ok(())
}

/// Where cargo leaves the components.
fn built() -> PathBuf {
    place::target().join(TARGET).join("guest")
}

/// A temporary name, fsync, rename: a gateway that watches never sees half a file.
fn drop_file(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = to.with_extension("tmp");
    fs::copy(from, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, to)
}

/// Adds a target of the compiler when it is missing.
pub(crate) fn ensure_target(target: &str) -> Done {
    let mut rustc = Command::new("rustc");
    let libraries = says(
        rustc
            .args(["--print", "target-libdir", "--target", target])
            .current_dir(place::root()),
    );
    if libraries.is_some_and(|libraries| Path::new(&libraries).is_dir()) {
        return Ok(());
    }
    step(&format!("rustup target add {target}"));
    let mut rustup = Command::new("rustup");
    must(
        rustup
            .args(["target", "add", target])
            .current_dir(place::root()),
    )
    .map_err(|failure| {
        Failure::new(format!(
            "{failure}\nThis needs the Rust target {target}; with rustup it is one command."
        ))
    })
}
