//! Tells the compiler's version to `portcullis_build_info`.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("--version").output();
    let told = told
        .ok()
        .and_then(|told| String::from_utf8(told.stdout).ok());
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    let version = told.as_deref().and_then(|told| told.split(' ').nth(1));
    println!(
        "cargo::rustc-env=PORTCULLIS_RUSTC={}",
        version.unwrap_or("unknown").trim()
    );
    println!("cargo::rerun-if-changed=build.rs");
}
