//! Real peers that are not Rust: where `cargo xtask peers` put them.

use std::path::PathBuf;

use crate::gateway::{repository, target};

/// A Python that has the packages of `tests/peers/requirements.txt`.
pub fn python() -> PathBuf {
    installed("python/bin/python")
}

/// Schemathesis, which asks an API whatever its OpenAPI document allows, and what it does not.
pub fn schemathesis() -> PathBuf {
    installed("schemathesis/bin/schemathesis")
}

/// The folder with the packages of `tests/peers/package.json`.
pub fn node_modules() -> PathBuf {
    installed("node/node_modules")
}

fn installed(path: &str) -> PathBuf {
    let path = target().join("peers").join(path);
    assert!(
        path.exists(),
        "{} is not there; install it with `cargo xtask peers`",
        path.display()
    );
    path
}

/// A script of `tests/peers`, to be run by [`python`].
pub fn script(name: &str) -> PathBuf {
    repository().join("tests/peers").join(name)
}
