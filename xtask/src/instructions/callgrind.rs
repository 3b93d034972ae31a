//! A program under callgrind, and the commands that it takes while it runs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{says, shown};
use crate::{Done, Failure};

use super::profile::Profile;

/// callgrind counts `rep movsb` by the byte, as if it were a loop. With these, the C library never uses it.
pub(super) const TUNABLES: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824",
);

/// A process under callgrind.
pub(super) struct Callgrind {
    process: u32,
    /// Dumps are beside it, with a number at the end.
    out: PathBuf,
}

/// The command that runs a program under callgrind. Nothing is counted until `begin`, so that it starts faster.
pub(super) fn around(program: &OsStr, out: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--instr-atstart=no"]);
    let mut option = OsStr::new("--callgrind-out-file=").to_owned();
    option.push(out);
    command.arg(option).arg(program);
    command
}

// === impl Callgrind ===

impl Callgrind {
    pub(super) fn of(process: u32, out: PathBuf) -> Self {
        Self { process, out }
    }

    /// From here on it counts.
    pub(super) fn begin(&self) -> Done {
        self.control(&["-i", "on"])
    }

    /// Counts from 0 again.
    pub(super) fn zero(&self) -> Done {
        self.control(&["-z"])
    }

    /// What was counted since; the dump stays in `file`.
    pub(super) fn dump(&self, file: &Path) -> Done<Profile> {
        let before = self.dumps()?;
        self.control(&["-d"])?;
        let dumps = self.dumps()?;
        let mut new = dumps.into_iter().filter(|dump| !before.contains(dump));
        let (Some(dump), None) = (new.next(), new.next()) else {
            return Err(Failure::new("callgrind did not write one dump"));
        };
        fs::rename(&dump, file).map_err(Failure::of(dump.display()))?;
        let text = fs::read_to_string(file).map_err(Failure::of(file.display()))?;
        Profile::read(&text).ok_or_else(|| {
            Failure::new(format!("{}: not as callgrind writes dumps", file.display()))
        })
    }

    fn control(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new("callgrind_control");
        command.args(arguments).arg(self.process.to_string());
        // It succeeds without having found the process.
        match says(&mut command) {
            Some(said) if !said.contains("Error") && said.contains("OK") => Ok(()),
            said => Err(Failure::new(format!(
                "`{}` failed: {}",
                shown(&command),
                said.unwrap_or_default()
            ))),
        }
    }

    fn dumps(&self) -> Done<Vec<PathBuf>> {
        let folder = self.out.parent().unwrap_or(Path::new("."));
        let entries = fs::read_dir(folder).map_err(Failure::of(folder.display()))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let ours = |path: &PathBuf| path.with_extension("") == self.out && *path != self.out;
        Ok(paths.filter(ours).collect())
    }
}
