//! The exact text people read: `ui/**/NAME.toml` and what it renders to, `NAME.err`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_config::parse;

const SECRET: &str = "hunter2";

fn files_below(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

fn rendered(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let env = |variable: &str| (variable == "SECRET").then(|| SECRET.to_owned());
    let plan = parse(
        name,
        &fs::read_to_string(path).unwrap(),
        path.parent().unwrap(),
        &env,
    );
    let Err(report) = plan else {
        panic!("{} has no mistake", path.display())
    };
    format!("{report}\n")
}

#[test]
fn every_mistake_reads_as_written_down() {
    let mut stale = Vec::new();
    for path in files_below(&ui(), "toml") {
        let seen = rendered(&path);
        assert!(!seen.contains(SECRET), "{} shows a secret", path.display());
        let wanted = path.with_extension("err");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&wanted, &seen).unwrap();
        }
        let want = fs::read_to_string(&wanted).unwrap_or_default();
        if want != seen {
            stale.push(format!(
                "--- {}, wanted:\n{want}--- seen:\n{seen}",
                path.display()
            ));
        }
    }
    assert!(
        stale.is_empty(),
        "{}\nUPDATE=1 cargo test writes what is seen",
        stale.join("\n")
    );
}

#[test]
fn every_wanted_text_has_its_file() {
    for path in files_below(&ui(), "err") {
        assert!(
            path.with_extension("toml").exists(),
            "{} is left over",
            path.display()
        );
    }
}
