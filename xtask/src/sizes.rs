//! The five largest source files: the tail is the enemy.

use std::fs;
use std::process::Command;

use crate::cargo::says;
use crate::place;

const SHOWN: usize = 5;

pub(crate) fn print() {
    let Some(files) = says(
        Command::new("git")
            .args(["ls-files", "*.rs"])
            .current_dir(place::root()),
    ) else {
        return;
    };
    let lines = |file: &str| {
        fs::read_to_string(place::root().join(file)).map_or(0, |text| text.lines().count())
    };
    let mut sizes: Vec<_> = files.lines().map(|file| (lines(file), file)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    println!("The largest files (300 lines are enough):");
    for (lines, file) in sizes.into_iter().take(SHOWN) {
        println!("{lines:6} {file}");
    }
}
