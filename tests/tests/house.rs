//! The house: which crate may lean on which, and who alone may use what.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each of our crates and those of ours that it may name in `[dependencies]`.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "portcullis",
        &[
            "portcullis-admin",
            "portcullis-author",
            "portcullis-proxy",
            "portcullis-runtime",
            "portcullis-exchange",
            "portcullis-config",
            "portcullis-syntax",
            "portcullis-terminal",
        ],
    ),
    (
        "portcullis-admin",
        &[
            "portcullis-proxy",
            "portcullis-runtime",
            "portcullis-exchange",
            "portcullis-config",
        ],
    ),
    (
        "portcullis-author",
        &[
            "portcullis-proxy",
            "portcullis-runtime",
            "portcullis-exchange",
            "portcullis-config",
            "portcullis-terminal",
        ],
    ),
    (
        "portcullis-proxy",
        &[
            "portcullis-runtime",
            "portcullis-exchange",
            "portcullis-config",
            "portcullis-syntax",
        ],
    ),
    (
        "portcullis-runtime",
        &[
            "portcullis-crypto",
            "portcullis-exchange",
            "portcullis-syntax",
        ],
    ),
    ("portcullis-exchange", &["portcullis-syntax"]),
    ("portcullis-config", &["portcullis-syntax"]),
    ("portcullis-crypto", &[]),
    ("portcullis-syntax", &[]),
    ("portcullis-terminal", &[]),
    ("portcullis-sdk", &["portcullis-sdk-macros"]),
    ("portcullis-sdk-macros", &[]),
    ("shape", &["portcullis-sdk"]),
    ("telegram-auth", &["portcullis-sdk"]),
    ("rbac", &["portcullis-sdk"]),
    ("headers", &["portcullis-sdk"]),
    ("convert", &["portcullis-sdk"]),
    ("validate", &["portcullis-sdk"]),
    ("jwt-auth", &["portcullis-sdk"]),
    ("session", &["portcullis-sdk"]),
    ("api-key", &["portcullis-sdk"]),
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
    ("wasmtime-environ", &["portcullis-runtime"]),
    ("wasmparser", &["portcullis-runtime"]),
    ("jsonschema", &["portcullis-config", "validate"]),
    ("wit-bindgen", &["portcullis-sdk"]),
    ("aws-lc-rs", &["portcullis-crypto"]),
    ("notify", &["portcullis"]),
    (
        "clap",
        &[
            "portcullis",
            "portcullis-author",
            "portcullis-tests",
            "xtask",
        ],
    ),
    // portcullis-author: the cases of `plugin test`, which are no part of gateway.toml.
    (
        "toml",
        &[
            "portcullis-author",
            "portcullis-config",
            "portcullis-tests",
            "xtask",
        ],
    ),
    (
        "hyper",
        &["portcullis-admin", "portcullis-proxy", "portcullis-tests"],
    ),
    ("indicatif", &["portcullis-terminal", "xtask"]),
    ("matchit", &["portcullis-admin"]),
    (
        "schemars",
        &["portcullis-admin", "portcullis-proxy", "portcullis-sdk"],
    ),
    ("tracing-subscriber", &["portcullis", "portcullis-author"]),
    ("prometheus", &["portcullis-proxy"]),
    ("hickory-resolver", &["portcullis-proxy"]),
    ("opentelemetry-proto", &["portcullis-proxy"]),
    ("prost", &["portcullis-proxy"]),
    ("rustls", &["portcullis-proxy"]),
    ("h2", &["portcullis-proxy"]),
    ("tokio-rustls", &["portcullis-proxy", "portcullis-tests"]),
];

/// config has no async at all.
const NEVER: &[(&str, &[&str])] = &[
    ("portcullis-config", &["tokio", "hyper", "wasmtime"]),
    ("portcullis-runtime", &["hyper"]),
    ("portcullis-exchange", &["tokio", "hyper", "wasmtime"]),
    ("portcullis-syntax", &["tokio", "hyper", "toml"]),
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

#[test]
fn every_setting_of_a_shipped_plugin_is_in_the_table_of_its_readme() {
    let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut seen = 0;
    for folder in std::fs::read_dir(plugins).expect("the plugins") {
        let folder = folder.expect("an entry").path();
        let Ok(schema) = std::fs::read_to_string(folder.join("settings.schema.json")) else {
            continue;
        };
        let schema: Value = serde_json::from_str(&schema).expect("JSON");
        let readme = std::fs::read_to_string(folder.join("README.md")).expect("a README");
        let rows: Vec<&str> = readme
            .lines()
            .filter(|line| line.starts_with("| "))
            .collect();
        let settings = schema["properties"].as_object().expect("settings");
        for name in settings.keys() {
            let told = ["`", "."].iter().any(|end| {
                let name = format!("`{name}{end}");
                rows.iter().any(|row| row.contains(&name))
            });
            assert!(told, "{}: no row tells of `{name}`", folder.display());
        }
        seen += 1;
    }
    assert_eq!(seen, 10, "each shipped plugin");
}
