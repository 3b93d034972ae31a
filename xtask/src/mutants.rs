//! `cargo xtask mutants`: changes the code that security rests on, one line at a time, and runs its tests on each change.
//!
//! A change that no test notices is a survivor. Each is listed in `xtask/mutants.toml` with the reason why it may
//! survive; what is not listed there needs a test. The command writes docs/contributing/mutants.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::cargo::{cargo, must, says, shown};
use crate::{Done, Failure, place, step};

/// What is changed.
struct Subject {
    package: &'static str,
    /// Files of it, by pattern; none given: all.
    files: &'static [&'static str],
}

const SUBJECTS: [Subject; 7] = [
    whole("portcullis-syntax"),
    whole("telegram-auth"),
    whole("rbac"),
    whole("api-key"),
    whole("session"),
    whole("jwt-auth"),
    Subject {
        package: "portcullis-proxy",
        files: &[
            "host/proxy/src/stages/forwarded.rs",
            "host/proxy/src/stages/forwarded/proxy_headers.rs",
            "host/proxy/src/ground/sift.rs",
            "host/proxy/src/stages/edge/addresses.rs",
            "host/proxy/src/stages/limits/rule/*.rs",
        ],
    },
];

/// Of the changes that compile, so many per cent have to be noticed.
const LEAST: f64 = 95.0;
const VERSION: &str = "27.1.0";
const PAGE: &str = "docs/contributing/mutants.md";
/// What the last run of each package came to.
const SCORES: &str = "xtask/mutants.json";

const fn whole(package: &'static str) -> Subject {
    Subject {
        package,
        files: &[],
    }
}

/// `xtask/mutants.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    file: String,
    /// As cargo-mutants names it.
    change: String,
    why: String,
}

/// How the changes of one subject ended.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Score {
    /// One change in so many was tried.
    sample: usize,
    caught: usize,
    missed: Vec<String>,
    /// They did not compile.
    unviable: usize,
}

/// Which changes are tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    /// One in so many.
    pub(crate) sample: usize,
    /// This package alone.
    pub(crate) only: Option<&'a str>,
    /// Writes the page.
    pub(crate) write: bool,
}

pub(crate) fn mutants(choice: Choice<'_>) -> Done {
    let only = choice.only;
    let tool = tool()?;
    let known = known()?;
    let mut scores = BTreeMap::new();
    for subject in &SUBJECTS {
        if only.is_none_or(|only| only == subject.package) {
            step(&format!("mutants: {}", subject.package));
            scores.insert(subject.package.to_owned(), subject.run(&tool, choice)?);
        }
    }
    println!("{}", page(&scores, &known));
    if choice.write {
        write(&scores, &known)?;
    }
    judge(&scores, &known)
}

/// Writes what these packages came to beside what the others did, and the page of all.
fn write(scores: &BTreeMap<String, Score>, known: &Known) -> Done {
    let path = place::root().join(SCORES);
    let mut all: BTreeMap<String, Score> = match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(Failure::of(path.display()))?,
        Err(_) => BTreeMap::new(),
    };
    for (package, score) in scores {
        all.insert(package.clone(), score.clone());
    }
    let text = serde_json::to_string_pretty(&all).map_err(Failure::of(path.display()))?;
    fs::write(&path, text + "\n").map_err(Failure::of(path.display()))?;
    let page_path = place::root().join(PAGE);
    fs::write(&page_path, page(&all, known)).map_err(Failure::of(page_path.display()))
}

/// cargo-mutants, installed below the target directory where it is missing.
fn tool() -> Done<PathBuf> {
    let folder = place::target().join("tools");
    let tool = folder.join("bin/cargo-mutants");
    let version = says(Command::new(&tool).args(["mutants", "--version"]));
    if !version.is_some_and(|version| version.ends_with(VERSION)) {
        step("cargo-mutants");
        let mut install = cargo(&[
            "install",
            "cargo-mutants",
            "--locked",
            "--force",
            "--version",
            VERSION,
        ]);
        must(install.arg("--root").arg(&folder))?;
    }
    Ok(tool)
}

fn known() -> Done<Known> {
    let path = place::root().join("xtask/mutants.toml");
    let text = fs::read_to_string(&path).map_err(Failure::of(path.display()))?;
    toml::from_str(&text).map_err(Failure::of(path.display()))
}

impl Subject {
    fn run(&self, tool: &Path, choice: Choice<'_>) -> Done<Score> {
        let out = place::target().join("mutants").join(self.package);
        fs::create_dir_all(&out).map_err(Failure::of(out.display()))?;
        let mut command = Command::new(tool);
        command
            .args([
                "mutants",
                "--package",
                self.package,
                "--no-shuffle",
                "--colors",
                "never",
            ])
            .args(["--timeout", "120", "--build-timeout", "900", "--output"])
            .arg(&out)
            .current_dir(place::root())
            .env("CARGO_TARGET_DIR", place::target().join("mutants/target"));
        for file in self.files {
            command.args(["--file", file]);
        }
        if choice.sample > 1 {
            let shard = format!("0/{}", choice.sample);
            command.args(["--shard", &shard, "--sharding", "round-robin"]);
        }
        if !self.files.is_empty() {
            // The tests beside the code: those through the binary are another package's.
            command.args(["--", "--lib"]);
        }
        let line = shown(&command);
        let status = command.status().map_err(Failure::of(&line))?;
        // 2: some were missed, 3: some took too long. Anything else is no result.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            return Err(Failure::new(format!("`{line}` failed ({status})")));
        }
        let score = Score::read(&out.join("mutants.out"))?;
        Ok(Score {
            sample: choice.sample.max(1),
            ..score
        })
    }
}

impl Score {
    fn read(folder: &Path) -> Done<Score> {
        let lines = |name: &str| -> Done<Vec<String>> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).map_err(Failure::of(path.display()))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        Ok(Score {
            sample: 1,
            // A change that makes a test run for ever is noticed.
            caught: lines("caught.txt")?.len() + lines("timeout.txt")?.len(),
            missed: lines("missed.txt")?,
            unviable: lines("unviable.txt")?.len(),
        })
    }

    fn viable(&self) -> usize {
        self.caught + self.missed.len()
    }

    /// Per cent; all of nothing.
    #[expect(clippy::cast_precision_loss, reason = "there are thousands at most")]
    fn share(&self) -> f64 {
        match self.viable() {
            0 => 100.0,
            viable => self.caught as f64 * 100.0 / viable as f64,
        }
    }
}

impl Known {
    /// Why a survivor `FILE:LINE:COLUMN: CHANGE` may survive. The line is not compared: it moves.
    fn why(&self, missed: &str) -> Option<&str> {
        let file = missed.split(':').next()?;
        let change = missed.splitn(4, ':').nth(3)?.trim();
        let fits = |known: &&Survivor| known.file == file && change.starts_with(&known.change);
        self.survivor
            .iter()
            .find(fits)
            .map(|known| known.why.as_str())
    }
}

fn page(scores: &BTreeMap<String, Score>, known: &Known) -> String {
    let mut page = String::from(
        "# How the tests are tested\n\n\
         `cargo xtask mutants` changes the code that security rests on, one expression at a time, and runs its tests on\n\
         each change (cargo-mutants). A change that no test notices survives. The command writes this page, with the last\n\
         run of each package.\n\n\
         | package | tried | that compile | noticed | share | did not compile |\n|---|---|---|---|---|---|\n",
    );
    for (package, score) in scores {
        let tried = match score.sample {
            0 | 1 => "every change".to_owned(),
            sample => format!("one in {sample}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {package} | {tried} | {} | {} | {:.1} % | {} |",
            score.viable(),
            score.caught,
            score.share(),
            score.unviable
        );
    }
    page.push_str("\n## Survivors\n\n| change | why it may survive |\n|---|---|\n");
    for missed in scores.values().flat_map(|score| &score.missed) {
        let why = known.why(missed).unwrap_or("**no reason is given**");
        let _ = writeln!(page, "| `{}` | {why} |", missed.replace('|', "\\|"));
    }
    page
}

fn judge(scores: &BTreeMap<String, Score>, known: &Known) -> Done {
    let mut wrong = Vec::new();
    for (package, score) in scores {
        if score.share() < LEAST {
            wrong.push(format!(
                "{package}: only {:.1} % were noticed",
                score.share()
            ));
        }
        let without = score
            .missed
            .iter()
            .filter(|missed| known.why(missed).is_none());
        wrong.extend(without.map(|missed| format!("no test notices: {missed}")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nWrite the test, or the reason into xtask/mutants.toml.",
        wrong.join("\n")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_needs_a_reason_and_a_package_its_share() {
        let known: Known = toml::from_str(
            "[[survivor]]\nfile = \"a.rs\"\nchange = \"replace f -> bool with true\"\nwhy = \"it is\"",
        )
        .expect("valid");
        let score = |missed: &[&str], caught| Score {
            caught,
            missed: missed.iter().map(|text| (*text).to_owned()).collect(),
            unviable: 0,
            sample: 1,
        };
        let of = |score| BTreeMap::from([("p".to_owned(), score)]);
        let named = "a.rs:7:3: replace f -> bool with true";
        assert!(judge(&of(score(&[named], 19)), &known).is_ok());
        assert!(judge(&of(score(&[named], 18)), &known).is_err(), "94.7 %");
        for other in [
            "b.rs:7:3: replace f -> bool with true",
            "a.rs:7:3: replace g -> bool with true",
        ] {
            assert!(judge(&of(score(&[other], 99)), &known).is_err(), "{other}");
        }
        assert!(judge(&of(Score::default()), &known).is_ok());
    }
}
