//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// Cargo's target directory: this executable is `<target>/<profile>/xtask`.
pub(crate) fn target() -> PathBuf {
    let executable = env::current_exe().expect("the system knows the executable");
    executable
        .ancestors()
        .nth(2)
        .expect("cargo puts executables two levels deep")
        .to_owned()
}

/// A program of a release build.
pub(crate) fn release(program: &str) -> PathBuf {
    target().join("release").join(program)
}
