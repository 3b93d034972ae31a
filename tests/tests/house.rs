//! The house: which crate may lean on which, and who alone may use what.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each of our crates and those of ours that it may name in `[dependencies]`.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "portcullis",
        &[
            "portcullis-proxy",
            "portcullis-runtime",
            "portcullis-config",
        ],
    ),
    (
        "portcullis-proxy",
        &["portcullis-runtime", "portcullis-config"],
    ),
    ("portcullis-runtime", &[]),
    ("portcullis-config", &[]),
    ("portcullis-sdk", &["portcullis-sdk-macros"]),
    ("portcullis-sdk-macros", &[]),
    ("telegram-auth", &["portcullis-sdk"]),
    ("rbac", &["portcullis-sdk"]),
    ("headers", &["portcullis-sdk"]),
    ("convert", &["portcullis-sdk"]),
    ("validate", &["portcullis-sdk"]),
    ("jwt-auth", &["portcullis-sdk"]),
    ("session", &["portcullis-sdk"]),
    ("api-key", &["portcullis-sdk"]),
    ("shape", &["portcullis-sdk"]),
    ("aggregate", &["portcullis-sdk", "shape"]),
    ("rewrite", &["portcullis-sdk", "shape"]),
    ("misdeeds", &[]),
    ("unruly", &["portcullis-sdk", "misdeeds"]),
    ("unruly-handler", &["portcullis-sdk", "misdeeds"]),
    ("unruly-authenticator", &["portcullis-sdk", "misdeeds"]),
    ("unruly-authorizer", &["portcullis-sdk", "misdeeds"]),
    ("relay", &["portcullis-sdk"]),
    ("standard", &[]),
    ("portcullis-tests", &["telegram-auth"]),
    ("xtask", &[]),
];

/// Libraries that only these of our crates may name.
const DOORS: &[(&str, &[&str])] = &[
    ("wasmtime", &["portcullis-runtime"]),
    ("wasmparser", &["portcullis-runtime"]),
    ("jsonschema", &["portcullis-config", "validate"]),
    ("wit-bindgen", &["portcullis-sdk"]),
    ("notify", &["portcullis"]),
    ("clap", &["portcullis", "portcullis-tests", "xtask"]),
    // portcullis: the cases of `plugin test`, which are no part of gateway.toml.
    (
        "toml",
        &[
            "portcullis",
            "portcullis-config",
            "portcullis-tests",
            "xtask",
        ],
    ),
    (
        "hyper",
        &["portcullis", "portcullis-proxy", "portcullis-tests"],
    ),
    ("prometheus", &["portcullis-proxy"]),
];

/// config has no async at all.
const NEVER: &[(&str, &[&str])] = &[
    ("portcullis-config", &["tokio", "hyper", "wasmtime"]),
    ("portcullis-runtime", &["hyper"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let normal = |package: &Value| -> BTreeSet<String> {
        let list = package["dependencies"].as_array().expect("dependencies");
        let names = list
            .iter()
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str());
        names.map(str::to_owned).collect()
    };
    packages
        .iter()
        .map(|p| (p["name"].as_str().expect("a name").to_owned(), normal(p)))
        .collect()
}

#[test]
fn every_crate_looks_only_down() {
    let crates = dependencies();
    let ours: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        ours, known,
        "every crate of the workspace has its place in ARROWS"
    );
    for (name, allowed) in ARROWS {
        for dependency in crates[*name].iter().filter(|d| ours.contains(d.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn each_heavy_library_has_one_door() {
    let crates = dependencies();
    for (library, doors) in DOORS {
        for (name, needs) in &crates {
            assert!(
                !needs.contains(*library) || doors.contains(&name.as_str()),
                "{name} must not use {library}"
            );
        }
    }
    for (name, forbidden) in NEVER {
        for library in *forbidden {
            assert!(
                !crates[*name].contains(*library),
                "{name} must not use {library}"
            );
        }
    }
}
