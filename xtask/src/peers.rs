//! The real peers of the tests that come from PyPI and npm: installed below the target directory, by name and version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::must;
use crate::progress::Progress;
use crate::{Done, Failure, place, step};

/// Where a set of peers is listed and how it is installed.
struct Set {
    /// In `tests/peers`.
    list: &'static str,
    /// In `target/peers`.
    folder: &'static str,
    install: fn(&Path, &Path) -> Done,
}

const SETS: [Set; 3] = [
    Set {
        list: "requirements.txt",
        folder: "python",
        install: python,
    },
    Set {
        list: "schemathesis.txt",
        folder: "schemathesis",
        install: python,
    },
    Set {
        list: "package.json",
        folder: "node",
        install: node,
    },
];

/// Installs what is listed, unless it stands there already.
pub(crate) fn install() -> Done {
    for set in SETS {
        let list = place::root().join("tests/peers").join(set.list);
        let folder = place::target().join("peers").join(set.folder);
        let wanted = fs::read(&list).map_err(Failure::of(list.display()))?;
        let stamp = folder.join("installed");
        if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            continue;
        }
        step(&format!("peers: {}", set.folder));
        fs::create_dir_all(&folder).map_err(Failure::of(folder.display()))?;
        let progress = Progress::wait(format!("packages for {}", set.folder));
        (set.install)(&list, &folder)?;
        drop(progress);
        // Last: an installation that broke off is begun anew.
        fs::write(&stamp, wanted).map_err(Failure::of(stamp.display()))?;
    }
    Ok(())
}

fn python(list: &Path, folder: &Path) -> Done {
    run(
        Command::new("python3").args(["-m", "venv"]).arg(folder),
        "Python 3 with venv (Debian: python3-venv)",
    )?;
    let pip = folder.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(pip).args(quiet).arg(list), "PyPI")
}

fn node(list: &Path, folder: &Path) -> Done {
    let copy: PathBuf = folder.join("package.json");
    fs::copy(list, &copy).map_err(Failure::of(copy.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
    run(npm.current_dir(folder), "Node.js 20 with npm")
}

fn run(command: &mut Command, needs: &str) -> Done {
    must(command).map_err(|failure| {
        Failure::new(format!(
            "{failure}\nSome tests talk to real peers; for these you need {needs}."
        ))
    })
}
