//! `cargo xtask boards`: the boards of Grafana, made from `deploy/grafana/boards/*.toml`. What an author writes is what
//! differs between panels; how they all look is written once, in `look` and `kinds`.

mod description;
mod kinds;
mod look;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use self::description::Board;
use crate::{Done, Failure, place, step};

/// In the order in which an operator looks.
const BOARDS: [&str; 6] = [
    "overview",
    "route",
    "upstream",
    "plugin",
    "cache-and-limits",
    "instance",
];

/// Writes `deploy/grafana/dashboards/*.json`.
pub(crate) fn write() -> Done {
    step("boards");
    for name in BOARDS {
        let file = committed(name);
        let mut text =
            serde_json::to_string_pretty(&made(name)?).map_err(Failure::of(file.display()))?;
        text.push('\n');
        fs::write(&file, text).map_err(Failure::of(file.display()))?;
    }
    Ok(())
}

fn made(name: &str) -> Done<Value> {
    let file = folder("boards").join(format!("{name}.toml"));
    let text = fs::read_to_string(&file).map_err(Failure::of(file.display()))?;
    let board: Board = toml::from_str(&text).map_err(Failure::of(file.display()))?;
    let mut json = look::board(name, &board);
    // The order of keys must not depend on the features that serde_json was built with.
    json.sort_all_objects();
    Ok(json)
}

fn committed(name: &str) -> PathBuf {
    folder("dashboards").join(format!("{name}.json"))
}

fn folder(name: &str) -> PathBuf {
    place::root().join("deploy/grafana").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_boards_are_those_that_the_descriptions_make() {
        for name in BOARDS {
            let text = fs::read_to_string(committed(name)).expect("it is committed");
            let committed: Value = serde_json::from_str(&text).expect("JSON");
            let made = made(name).expect("a description");
            assert!(
                committed == made,
                "{name}.json is not what {name}.toml makes; run `cargo xtask boards`"
            );
        }
    }

    #[test]
    fn every_description_is_a_board() {
        let mut names: Vec<_> = fs::read_dir(folder("boards"))
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").path())
            .map(|file| {
                file.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort_unstable();
        let mut boards = BOARDS.map(str::to_owned).to_vec();
        boards.sort_unstable();
        assert_eq!(names, boards);
    }
}
