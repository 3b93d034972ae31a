//! The boards are what Grafana loads.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;

use portcullis_tests::gateway::repository;
use portcullis_tests::peer;
use serde_json::Value;

use crate::{boards, deploy, files, list, text, word, yaml};

#[test]
fn boards_and_panels_have_names_of_their_own_and_say_what_they_show() {
    let mut uids = BTreeSet::new();
    for (file, board) in boards() {
        let uid = word(&board["uid"]).to_owned();
        assert!(uids.insert(uid), "{file}: its uid is another board's");
        assert!(!word(&board["description"]).is_empty(), "{file}");
        let mut ids = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for panel in list(&board["panels"]) {
            let title = word(&panel["title"]);
            let place = format!("{file}: {title}");
            assert!(
                ids.insert(panel["id"].as_u64()),
                "{place}: its id is another panel's"
            );
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                titles.insert(title),
                "{place}: its title is another panel's"
            );
            assert!(
                word(&panel["description"]).len() > 20,
                "{place}: say what it shows"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
            assert!(!list(&panel["targets"]).is_empty(), "{place}");
            has_units(&place, panel);
        }
    }
    assert_eq!(uids.len(), 6, "each board");
}

fn has_units(place: &str, panel: &Value) {
    if panel["type"] == "table" {
        let columns = list(&panel["fieldConfig"]["overrides"]).iter();
        let units = columns.filter(|column| column["properties"][0]["id"] == "unit");
        assert_eq!(
            units.count(),
            list(&panel["targets"]).len(),
            "{place}: each column has a unit"
        );
    } else {
        assert!(
            panel["fieldConfig"]["defaults"]["unit"].is_string(),
            "{place}: it has no unit"
        );
    }
}

#[test]
fn no_panel_lies_on_another() {
    for (file, board) in boards() {
        let mut taken = BTreeSet::new();
        for panel in list(&board["panels"]) {
            let at = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
            assert!(
                at("x") + at("w") <= 24,
                "{file}: {} is too wide",
                panel["title"]
            );
            for y in at("y")..at("y") + at("h") {
                for x in at("x")..at("x") + at("w") {
                    assert!(
                        taken.insert((x, y)),
                        "{file}: {} lies on another",
                        panel["title"]
                    );
                }
            }
        }
    }
}

#[test]
fn links_between_boards_lead_to_boards() {
    let boards = boards();
    let uids: BTreeSet<&str> = boards
        .iter()
        .map(|(_, board)| word(&board["uid"]))
        .collect();
    let mut links = 0;
    for (file, _) in &boards {
        let text = text(file);
        for link in text.split("\"/d/").skip(1) {
            let uid = link.split(['?', '"']).next().unwrap_or_default();
            assert!(uids.contains(uid), "{file}: there is no board {uid:?}");
            links += 1;
        }
    }
    assert!(links >= 3, "the overview leads to the others");
}

/// What Grafana's schema has against boards: nothing, or a line for each fault that begins with its file.
fn judged(files: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let mut command = Command::new("node");
    command
        .arg(peer::script("boards.cjs"))
        .arg(peer::node_modules())
        .args(files)
        .current_dir(repository());
    let output = command.output().expect("Node.js is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn boards_keep_to_grafanas_own_schema() {
    assert_eq!(judged(files("grafana/dashboards")), "");
}

#[test]
fn what_is_wrong_by_grafanas_schema_is_found() {
    let (_, board) = boards().swap_remove(0);
    let panels = list(&board["panels"]);
    let lines = panels.iter().position(|p| p["type"] == "timeseries");
    let lines = lines.expect("it has lines");
    let wrongs: [(&str, Value); 4] = [
        ("/refresh", 15.into()),
        ("/options/tooltip/mode", "all".into()),
        ("/fieldConfig/defaults/custom/lineWidth", "1".into()),
        ("/gridPos/h", Value::Null),
    ];
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut files = Vec::new();
    for (number, (at, value)) in wrongs.into_iter().enumerate() {
        let mut board = board.clone();
        let of_panel = format!("/panels/{lines}{at}");
        let at = if at == "/refresh" { at } else { &of_panel };
        *board.pointer_mut(at).expect("it is there") = value;
        let file = folder.path().join(format!("wrong-{number}.json"));
        std::fs::write(&file, board.to_string()).expect("it is writable");
        files.push(file);
    }
    let said = judged(&files);
    for file in &files {
        let named = file.to_string_lossy();
        assert!(said.contains(&*named), "{named} has a fault:\n{said}");
    }
}

#[test]
fn provisioning_names_the_folder_and_the_data_source_of_the_boards() {
    let sources = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    let [source] = list(&sources["datasources"]) else {
        panic!("one data source, not {sources}");
    };
    assert_eq!(source["type"], "prometheus");
    let providers = yaml("deploy/grafana/provisioning/dashboards/portcullis.yml");
    let [provider] = list(&providers["providers"]) else {
        panic!("one provider, not {providers}");
    };
    assert_eq!(provider["type"], "file");
    assert_eq!(
        provider["options"]["path"],
        "$PORTCULLIS_DEPLOY/grafana/dashboards"
    );
    assert!(deploy("grafana/dashboards").is_dir());
}
