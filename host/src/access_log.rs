//! Where the access log goes: stdout, or a file that is rotated when it is full and reopened on request.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_config::plan::{Log, LogFile, LogFormat, Plan};
use portcullis_proxy::{AccessLog, Look, Metrics, Writer};
use portcullis_terminal::Failure;

/// Asks for the file to be reopened before the next line. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reopen(Arc<AtomicBool>);

/// A file of lines.
#[derive(Debug)]
struct Turned {
    plan: LogFile,
    file: File,
    length: u64,
    reopen: Reopen,
}

/// Readable by the user of the gateway, and a group.
const MODE: u32 = 0o640;

/// None where there is to be no access log.
pub(crate) fn start(
    plan: &Plan,
    metrics: &Metrics,
    reopen: &Reopen,
) -> Result<Option<(AccessLog, Writer)>, Failure> {
    let log = &plan.log;
    if !log.access {
        return Ok(None);
    }
    // no-color.org
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let look = look(log, io::stdout().is_terminal(), no_colour);
    let out: Box<dyn Write + Send> = match &log.file {
        None => Box::new(io::stdout()),
        Some(file) => Box::new(Turned::open(file, reopen).map_err(|error| {
            Failure::Mistake(format!(
                "error: the access log cannot be written to {}: {error}\n hint: see `log.file`; its directory must be there and belong to who runs the gateway",
                file.path.display()
            ))
        })?),
    };
    let started = AccessLog::start(log, look, out, metrics.log.clone());
    started.map(Some).map_err(Failure::trouble)
}

/// What `check` can say without writing anything.
pub(crate) fn check(log: &Log) -> Result<(), Failure> {
    let Some(file) = log.file.as_ref().filter(|_| log.access) else {
        return Ok(());
    };
    let directory = directory(&file.path);
    if directory.is_dir() && !file.path.is_dir() {
        return Ok(());
    }
    Err(Failure::Mistake(format!(
        "error: the access log cannot be written to {}\n hint: make the directory {}, or name another file in `log.file`",
        file.path.display(),
        directory.display()
    )))
}

fn directory(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(Path::new("."));
    if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    }
}

/// Colours only at a terminal, unless they are switched off.
fn look(log: &Log, terminal: bool, no_colour: bool) -> Look {
    let terminal = terminal && log.file.is_none();
    match log.format {
        LogFormat::Json => Look::Json,
        LogFormat::Auto if !terminal => Look::Json,
        LogFormat::Auto | LogFormat::Text => Look::Text {
            colours: terminal && !no_colour,
        },
    }
}

// === impl Reopen ===

impl Reopen {
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_asked(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

// === impl Turned ===

impl Turned {
    fn open(plan: &LogFile, reopen: &Reopen) -> io::Result<Turned> {
        let (file, length) = open(&plan.path)?;
        Ok(Turned {
            plan: plan.clone(),
            file,
            length,
            reopen: reopen.clone(),
        })
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.length) = open(&self.plan.path)?;
        Ok(())
    }

    /// `access.log` becomes `access.log.1`, which became `.2`; the last is gone.
    fn turn_over(&mut self) -> io::Result<()> {
        let numbered = |number: usize| {
            let mut path = self.plan.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        for number in (1..self.plan.keep).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.plan.path, numbered(1))?;
        self.reopen()
    }

    /// How much of `lines` goes into the file as it is: whole lines only.
    fn fits(&self, lines: &[u8]) -> usize {
        let Some(limit) = self.plan.rotate else {
            return lines.len();
        };
        let room = limit.saturating_sub(self.length);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines.len();
        }
        let end = |lines: &[u8]| lines.iter().rposition(|byte| *byte == b'\n');
        match end(&lines[..room]) {
            Some(end) => end + 1,
            None if self.length > 0 => 0,
            // A line that no file can hold has one to itself.
            None => {
                let end = lines.iter().position(|byte| *byte == b'\n');
                end.map_or(lines.len(), |end| end + 1)
            }
        }
    }
}

impl Write for Turned {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    /// Whole lines, as the log hands them over.
    fn write_all(&mut self, mut lines: &[u8]) -> io::Result<()> {
        if self.reopen.is_asked() {
            self.reopen()?;
        }
        while !lines.is_empty() {
            let fits = self.fits(lines);
            if fits == 0 {
                self.turn_over()?;
                continue;
            }
            self.file.write_all(&lines[..fits])?;
            self.length += fits as u64;
            lines = &lines[fits..];
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(MODE).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Writes batches into a file that is not to pass `rotate` bytes; what the files hold then, newest first.
    fn files(name: &str, rotate: u64, keep: usize, batches: &[&str]) -> Vec<String> {
        let directory =
            std::env::temp_dir().join(format!("portcullis-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let plan = LogFile {
            path: directory.join("a.log"),
            rotate: Some(rotate),
            keep,
        };
        let mut file = Turned::open(&plan, &Reopen::default()).unwrap();
        for batch in batches {
            file.write_all(batch.as_bytes()).unwrap();
        }
        let numbered = (1..20).map(|number| directory.join(format!("a.log.{number}")));
        let all = std::iter::once(plan.path.clone()).chain(numbered);
        let texts = all.map_while(|path| std::fs::read_to_string(path).ok());
        let texts = texts.collect();
        std::fs::remove_dir_all(&directory).unwrap();
        texts
    }

    #[test]
    fn lines_are_for_people_and_in_colours_only_where_somebody_looks() {
        let text = |colours| Look::Text { colours };
        // (format, into a file, a terminal, NO_COLOR, how lines look)
        let table = [
            ("auto", false, true, false, text(true)),
            ("auto", false, true, true, text(false)),
            ("auto", false, false, false, Look::Json),
            ("auto", true, true, false, Look::Json),
            ("text", false, false, false, text(false)),
            ("text", false, true, false, text(true)),
            ("text", true, true, false, text(false)),
            ("json", false, true, false, Look::Json),
        ];
        for (format, to_file, terminal, no_colour, expected) in table {
            let file = if to_file {
                "file = { path = \"a.log\" }"
            } else {
                ""
            };
            let text = format!(
                "[log]\nformat = \"{format}\"\n{file}\n[[route]]\nname = \"a\"\npath = \"/\"\npublic = true\nrespond = {{ status = 204 }}\n"
            );
            let plan = portcullis_config::parse("a", &text, Path::new(""), &|_| None).unwrap();
            assert_eq!(
                look(&plan.log, terminal, no_colour),
                expected,
                "{format} {to_file} {terminal}"
            );
        }
    }

    #[test]
    fn no_line_is_split_and_no_file_passes_its_size() {
        let table: [(&str, usize, &[&str], &[&str]); 6] = [
            ("room", 3, &["aaa\n", "bbb\n"], &["aaa\nbbb\n"]),
            (
                "turned",
                3,
                &["aaa\nbbb\n", "ccc\n"],
                &["ccc\n", "aaa\nbbb\n"],
            ),
            (
                "one-batch",
                3,
                &["aaa\nbbb\nccc\n"],
                &["ccc\n", "aaa\nbbb\n"],
            ),
            (
                "kept",
                2,
                &["aaaaaa\n", "bbbbbb\n", "cccccc\n", "dddddd\n"],
                &["dddddd\n", "cccccc\n", "bbbbbb\n"],
            ),
            (
                "kept-one",
                1,
                &["aaaaaa\n", "bbbbbb\n", "cccccc\n"],
                &["cccccc\n", "bbbbbb\n"],
            ),
            (
                "long",
                3,
                &["aaa\n", "bbbbbbbbbbbb\n", "ccc\n"],
                &["ccc\n", "bbbbbbbbbbbb\n", "aaa\n"],
            ),
        ];
        for (name, keep, batches, expected) in table {
            assert_eq!(files(name, 8, keep, batches), expected, "{name}");
        }
    }
}
