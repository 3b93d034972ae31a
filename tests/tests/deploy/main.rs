//! What stands in `deploy/`: boards and rules name only what the gateway tells, every alert has its page, and the real
//! tools take the files as they are.

mod alerts;
mod answers;
mod boards;
mod book;
mod figures;
mod outage;
mod tools;
mod watchers;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use portcullis_tests::gateway::repository;
use portcullis_tests::peer;
use serde_json::Value;

fn deploy(path: &str) -> PathBuf {
    repository().join("deploy").join(path)
}

fn text(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    let output = Command::new("node")
        .arg(peer::script("yaml.cjs"))
        .arg(peer::node_modules())
        .arg(repository().join(path))
        .output()
        .expect("Node.js is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {said}");
    serde_json::from_slice(&output.stdout).expect("it answers with JSON")
}

/// The files of a folder of `deploy`, as paths from the repository, sorted.
fn files(folder: &str) -> Vec<String> {
    let names = fs::read_dir(deploy(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| format!("deploy/{folder}/{}", name.to_string_lossy()))
        .collect();
    names.sort_unstable();
    names
}

/// Every board, with its file.
fn boards() -> Vec<(String, Value)> {
    let boards = files("grafana/dashboards").into_iter().map(|file| {
        let board = serde_json::from_str(&text(&file));
        let board = board.unwrap_or_else(|error| panic!("{file}: {error}"));
        (file, board)
    });
    boards.collect()
}

/// Every rule, with its file.
fn rules() -> Vec<(String, Value)> {
    let groups = files("prometheus/rules").into_iter().flat_map(|file| {
        let groups = list(&yaml(&file)["groups"]).to_vec();
        groups.into_iter().map(move |group| (file.clone(), group))
    });
    groups
        .flat_map(|(file, group)| {
            let rules = list(&group["rules"]).to_vec();
            rules.into_iter().map(move |rule| (file.clone(), rule))
        })
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("a list, not {value}"))
}

fn word(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
}
