//! Envoy's filters, from their sources in `xtask/peers/proxy-wasm`.

use std::path::PathBuf;

use crate::cargo::{cargo, must};
use crate::{Done, guests, place, step};

const TARGET: &str = "wasm32-wasip1";

/// Builds them; the folder where they are.
pub(super) fn build() -> Done<PathBuf> {
    guests::ensure_target(TARGET)?;
    step("filters of Envoy");
    let target = place::target().join("proxy-wasm");
    let mut build = cargo(&["build", "--release", "--locked", "--target", TARGET]);
    build
        .arg("--manifest-path")
        .arg(place::root().join("xtask/peers/proxy-wasm/Cargo.toml"));
    must(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join(TARGET).join("release"))
}
