//! The real peers of the tests and the bench that come from PyPI and npm: installed below the target directory, by name and version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{found, must};
use crate::progress::Progress;
use crate::{Done, Failure, place, step};

/// Where a set of peers is listed, all that it needs included, and how it is installed.
struct Set {
    /// In `tests/peers`.
    lists: &'static [&'static str],
    /// In `target/peers`.
    folder: &'static str,
    install: fn(&[PathBuf], &Path) -> Done,
}

const SETS: [Set; 3] = [
    Set {
        lists: &["requirements.txt"],
        folder: "python",
        install: python,
    },
    Set {
        lists: &["schemathesis.txt"],
        folder: "schemathesis",
        install: python,
    },
    Set {
        lists: &["package.json", "package-lock.json"],
        folder: "node",
        install: node,
    },
];

/// Proxies that only `cargo xtask bench --all` needs.
const PROXIES: Set = Set {
    lists: &["proxies.txt"],
    folder: "proxies",
    install: python,
};

/// Installs the peers of the tests.
pub(crate) fn install() -> Done {
    SETS.iter().try_for_each(Set::install)
}

/// Installs the peers of the bench.
pub(crate) fn install_proxies() -> Done {
    PROXIES.install()
}

/// Where a peer of the bench is, if it is installed.
pub(crate) fn proxy(name: &str) -> Option<PathBuf> {
    let ours = place::target()
        .join("peers")
        .join(PROXIES.folder)
        .join("bin")
        .join(name);
    if ours.is_file() {
        return Some(ours);
    }
    found(name).then(|| name.into())
}

// === impl Set ===

impl Set {
    /// Installs what is listed, unless it is there already.
    fn install(&self) -> Done {
        let lists = place::root().join("tests/peers");
        let lists: Vec<_> = self.lists.iter().map(|list| lists.join(list)).collect();
        let folder = place::target().join("peers").join(self.folder);
        let mut wanted = Vec::new();
        for list in &lists {
            wanted.extend(fs::read(list).map_err(Failure::of(list.display()))?);
        }
        let stamp = folder.join("installed");
        if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        step(&format!("peers: {}", self.folder));
        fs::create_dir_all(&folder).map_err(Failure::of(folder.display()))?;
        let progress = Progress::wait(format!("packages for {}", self.folder));
        (self.install)(&lists, &folder)?;
        drop(progress);
        // Last: an installation that broke off is begun again.
        fs::write(&stamp, wanted).map_err(Failure::of(stamp.display()))
    }
}

fn python(lists: &[PathBuf], folder: &Path) -> Done {
    run(
        Command::new("python3").args(["-m", "venv"]).arg(folder),
        "Python 3 with venv (Debian: python3-venv)",
    )?;
    let pip = folder.join("bin/pip");
    let mut pip = Command::new(pip);
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    for list in lists {
        pip.arg("-r").arg(list);
    }
    run(&mut pip, "PyPI")
}

/// What the lock file says and nothing else. It names no registry, so that each takes its own; after a change of
/// package.json `npm install --package-lock-only --omit-lockfile-registry-resolved` writes it again.
fn node(lists: &[PathBuf], folder: &Path) -> Done {
    for list in lists {
        let copy = folder.join(list.file_name().unwrap_or_default());
        fs::copy(list, &copy).map_err(Failure::of(copy.display()))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--no-audit", "--no-fund"]);
    run(npm.current_dir(folder), "Node.js 20 with npm")
}

fn run(command: &mut Command, needs: &str) -> Done {
    must(command).map_err(|failure| {
        Failure::new(format!(
            "{failure}\nSome tests talk to real peers; for these you need {needs}."
        ))
    })
}
