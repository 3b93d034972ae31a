//! `cargo xtask test`: every test there is, in the order in which failing is cheapest.

use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cargo::{cargo, must, says, shown};
use crate::children::kill_tree;
use crate::{Done, Failure, deny, guests, instructions, mutants, peers, sizes, step};

/// Without nextest, which has a limit for each test (tests/nextest.toml), nothing else ends one that hangs.
const SILENCE: Duration = Duration::from_secs(600);

/// What the runners counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// One in so many changes of the code is tried with the tests; `cargo xtask mutants` tries all.
const SAMPLE: usize = 20;

pub(crate) fn test(full: bool) -> Done {
    step("formatting");
    must(&mut cargo(&["fmt", "--all", "--check"]))?;
    let unchecked = deny::check(full)?;
    for what in &unchecked {
        eprintln!("not checked: {what}");
    }
    peers::install()?;
    guests::build()?;
    step("clippy");
    must(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let for_guests = ["--target", guests::TARGET, "--", "-D", "warnings"];
    must(cargo(&["clippy"]).args(guests::packages()).args(for_guests))?;
    step("gateway and tests");
    // All at once: a build of the gateway alone would choose other features and compile wasmtime twice.
    must(&mut cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    step("tests");
    let mut tally = Tally::default();
    let mut done = run(&mut tally, full);
    if full {
        done = done.and(mutants::mutants(mutants::Choice {
            sample: SAMPLE,
            only: None,
            write: false,
        }));
        step("instructions");
        done = done.and(instructions::instructions(&instructions::Choice {
            check: true,
            ..instructions::Choice::default()
        }));
    }
    println!();
    sizes::print();
    let Tally {
        passed,
        failed,
        skipped,
    } = tally;
    let hint = if full || skipped == 0 {
        ""
    } else {
        " (the rest: cargo xtask test --full)"
    };
    println!("\n{passed} passed, {failed} failed, {skipped} skipped{hint}");
    for what in unchecked {
        println!("not checked: {what}");
    }
    done
}

fn run(tally: &mut Tally, full: bool) -> Done {
    if says(&mut cargo(&["nextest", "--version"])).is_none() {
        // In turn: some of them load or measure the machine, and only nextest can keep those apart.
        let mut command = cargo(&[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--test-threads=1",
        ]);
        let ignored: &[&str] = if full { &["--include-ignored"] } else { &[] };
        return counted(tally, command.args(ignored));
    }
    let settings = [
        "nextest",
        "run",
        "--workspace",
        "--no-fail-fast",
        "--config-file",
        "tests/nextest.toml",
    ];
    let ignored: &[&str] = if full { &["--run-ignored", "all"] } else { &[] };
    let done = counted(tally, cargo(&settings).args(ignored));
    // The one kind of test that nextest does not run.
    done.and(counted(
        tally,
        &mut cargo(&["test", "--workspace", "--doc"]),
    ))
}

/// Runs a command, shows what it says and adds what it counted.
fn counted(tally: &mut Tally, command: &mut Command) -> Done {
    let line = shown(command);
    // Both streams into one pipe: the runners differ in where they count.
    let (reader, writer) = std::io::pipe().map_err(Failure::of("pipe"))?;
    let twin = writer.try_clone().map_err(Failure::of("pipe"))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(twin);
    let mut child = command
        .spawn()
        .map_err(Failure::of(format!("`{line}` does not start")))?;
    // The command keeps its ends of the pipe open, and the reader below would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let lines = lines(reader);
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(text) => {
                println!("{text}");
                tally.add(&text);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                kill_tree(&child);
                // Only so that nothing is left of it.
                let _killed = child.wait();
                return Err(Failure::new(format!(
                    "`{line}` said nothing for {SILENCE:?} and was killed"
                )));
            }
        }
    }
    let status = child.wait().map_err(Failure::of(&line))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{line}` failed ({status})")))
    }
}

/// The lines that come out of a pipe, until its end.
fn lines(reader: PipeReader) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for text in BufReader::new(reader).lines().map_while(Result::ok) {
            if send.send(text).is_err() {
                break;
            }
        }
    });
    receive
}

// === impl Tally ===

impl Tally {
    /// Adds a line such as `Summary [  3.2s] 12 tests run: 11 passed, 1 failed, 2 skipped` of nextest or
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; …` of cargo test.
    fn add(&mut self, line: &str) {
        let line = line.trim_start();
        let counts = match line.strip_prefix("test result: ") {
            Some(counts) => counts,
            None if line.starts_with("Summary [") => line,
            None => return,
        };
        let words: Vec<_> = counts
            .split([' ', ',', ';', '(', ')'])
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<usize>() else {
                continue;
            };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "timed" => self.failed += count,
                "skipped" | "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_are_counted() {
        let mut tally = Tally::default();
        tally.add("     Summary [  12.403s] 66 tests run: 65 passed (1 slow), 1 failed, 3 skipped");
        tally.add("test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        tally.add("test a::b ... FAILED 7 passed");
        assert_eq!(
            tally,
            Tally {
                passed: 69,
                failed: 1,
                skipped: 4
            }
        );
    }
}
