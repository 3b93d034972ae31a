//! `cargo xtask bench`: the gateway next to nginx and, with `--all`, its other peers. Same upstream, same machine, in
//! turn, so that figures can be compared.

mod chart;
mod check;
mod filters;
mod idle;
mod load;
mod machine;
mod page;
mod process;
mod programs;
mod reports;
mod results;
mod rows;
mod running;
mod tables;
mod targets;
mod templates;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cargo::{found, says};
use crate::children::{Children, Interrupt};
use crate::progress::Progress;
use crate::{Done, Failure, certificate, guests, peers, place, run, step};

use check::Credentials;
use load::Loads;
use programs::Program;
use results::{Results, Start};
use rows::{Group, ROWS, Row};
use running::Programs;
use templates::Values;

const TOKEN: &str = "7000000001:BENCH-token-0000000000000000000000000";
/// Of a row, before the first round.
const WARM_UP_SECONDS: u64 = 1;

/// What is asked of the command.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Next to every peer that is installed, not nginx alone.
    pub(crate) all: bool,
    /// Installs peers before.
    pub(crate) install: bool,
    /// These groups of rows alone; empty: all.
    pub(crate) only: Vec<String>,
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) seconds: u64,
    /// Writes the figures, the page and the chart.
    pub(crate) write: bool,
}

pub(crate) fn bench(choice: &Choice) -> Done {
    let groups = chosen(&choice.only)?;
    look_for_tools()?;
    if choice.install {
        peers::install_proxies()?;
    }
    let (programs, skipped) = programs(choice.all, &groups);
    for reason in &skipped {
        println!("not measured: {reason}");
    }
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| groups.contains(&row.group) && programs.contains(&row.program))
        .collect();
    let plugins = guests::provided()?;
    run::build_programs("gateway and load, built for release")?;
    let filters = if programs.contains(&Program::Envoy) {
        filters::build()?
    } else {
        PathBuf::new()
    };
    let folder = folder()?;
    guests::copy(&plugins, &folder.join("plugins.d"))?;
    idle::raise_limit()?;
    let interrupt = Interrupt::catch()?;
    let mut children = Children::default();
    let before = machine::load_average();
    step("start");
    let values = values(&folder, &filters);
    let running = running::start(&programs, &folder, values, &mut children, &interrupt)?;
    let bench = Bench {
        rows,
        programs: running,
        interrupt,
    };
    let measured = bench.measure(&folder, choice, &mut children);
    children.end()?;
    let results = Results {
        measured: machine::described(&before),
        versions: machine::versions(&programs),
        skipped,
        ..measured?
    };
    println!("{}", page::printed(&results));
    if choice.write {
        write(&results)
    } else {
        Ok(())
    }
}

/// The groups that were asked for.
fn chosen(only: &[String]) -> Done<Vec<Group>> {
    let named = |name: &String| Group::ALL.into_iter().find(|group| group.name() == name);
    if let Some(unknown) = only.iter().find(|name| named(name).is_none()) {
        return Err(Failure::new(format!(
            "there is no group {unknown}; there are {}",
            Group::ALL.map(Group::name).join(", ")
        )));
    }
    Ok(match only {
        [] => Group::ALL.to_vec(),
        only => only.iter().filter_map(named).collect(),
    })
}

/// What has to be installed before anything can be measured.
fn look_for_tools() -> Done {
    let tools = [
        ("nginx", "nginx-light"),
        ("wrk", "wrk"),
        ("h2load", "nghttp2-client"),
        ("openssl", "openssl"),
        ("curl", "curl"),
        ("taskset", "util-linux"),
    ];
    match tools.into_iter().find(|(tool, _)| !found(tool)) {
        None => Ok(()),
        Some((tool, package)) => Err(Failure::new(format!(
            "{tool} is not installed; on Debian: apt-get install {package}"
        ))),
    }
}

/// Those that have rows in the groups, and why some of them are left out.
fn programs(all: bool, groups: &[Group]) -> (Vec<Program>, Vec<String>) {
    let asked = |program: &Program| {
        let mut rows = ROWS.iter().filter(|row| groups.contains(&row.group));
        program.is_upstream() || rows.any(|row| row.program == *program)
    };
    let wanted = Program::ALL.into_iter().filter(asked);
    let mut wanted: Vec<Program> = wanted.filter(|program| all || !program.is_peer()).collect();
    let skipped = wanted
        .iter()
        .filter_map(|program| program.missing())
        .collect();
    wanted.retain(|program| program.missing().is_none());
    (wanted, skipped)
}

/// A folder of its own, without what earlier runs left.
fn folder() -> Done<PathBuf> {
    let folder = place::target().join("bench");
    // The first run has nothing to remove.
    let _none_yet = fs::remove_dir_all(&folder);
    let files = folder.join("files");
    fs::create_dir_all(&files).map_err(Failure::of(files.display()))?;
    let write = |name: &str, size: usize| {
        fs::write(files.join(name), "x".repeat(size)).map_err(Failure::of(name))
    };
    write("large.txt", Group::Large.body())?;
    write("page.txt", Group::Pages.body())?;
    certificate::write(&folder)?;
    Ok(folder)
}

/// What all templates share.
fn values(folder: &Path, filters: &Path) -> Values {
    let filter = |name: &str| filters.join(name).display().to_string();
    Values::from([
        ("folder", folder.display().to_string()),
        ("token", TOKEN.to_owned()),
        ("body", "x".repeat(Group::Plain.body())),
        ("headers-filter", filter("headers_filter.wasm")),
        ("telegram-filter", filter("telegram_filter.wasm")),
    ])
}

/// initData, signed now and long ago.
fn credentials() -> Done<Credentials> {
    let sign = |arguments: &[&str]| {
        let mut sign = Command::new(place::release("init-data"));
        let signed = says(sign.args(arguments).env("BOT_TOKEN", TOKEN));
        let signed = signed.ok_or_else(|| Failure::new("cannot sign initData"))?;
        Ok(format!("tma {signed}"))
    };
    Ok(Credentials {
        good: sign(&["42"])?,
        expired: sign(&["42", "1000000000"])?,
    })
}

fn write(results: &Results) -> Done {
    let put = |name: &str, text: String| {
        let file = place::root().join(name);
        fs::write(&file, text).map_err(Failure::of(file.display()))
    };
    let figures = results.text()?;
    // With the digits that are written, so that the page can be made from them again.
    let results = serde_json::from_str(&figures).map_err(Failure::of(results::FILE))?;
    put(results::FILE, figures)?;
    put(chart::CHART, chart::svg(&results))?;
    put(page::PAGE, page::text(&results)?)
}

/// All that a run needs while it measures.
struct Bench {
    rows: Vec<&'static Row>,
    programs: Programs,
    interrupt: Interrupt,
}

// === impl Bench ===

impl Bench {
    fn measure(&self, folder: &Path, choice: &Choice, children: &mut Children) -> Done<Results> {
        let credentials = credentials()?;
        step("check the responses");
        for row in &self.rows {
            check::check(row, &self.programs, &credentials)?;
        }
        let mut results = Results {
            seconds: choice.seconds,
            instructions: crate::instructions::committed_counts()?,
            ..Results::default()
        };
        for (program, running) in self.programs.iter().filter(|(p, _)| !p.is_upstream()) {
            let start = Start {
                milliseconds: running.start.as_secs_f64() * 1e3,
                memory: running.memory / 1024.0,
            };
            results.starts.insert(program.name().to_owned(), start);
        }
        step("measure");
        let (idle, loaded): (Vec<&Row>, Vec<&Row>) = self
            .rows
            .iter()
            .copied()
            .partition(|row| row.group == Group::Idle);
        // Before any load, which leaves memory behind that connections could use again.
        for row in idle {
            results
                .idle
                .insert(row.key(), idle::measure(row, &self.programs)?);
            self.goes_on(children)?;
        }
        self.rounds(
            &loaded,
            &Loads::new(folder, &credentials.good)?,
            choice,
            children,
            &mut results,
        )?;
        Ok(results)
    }

    /// All rows in turn, round after round, so that a loud neighbour is loud for all of them.
    fn rounds(
        &self,
        rows: &[&Row],
        loads: &Loads,
        choice: &Choice,
        children: &mut Children,
        results: &mut Results,
    ) -> Done {
        let progress = Progress::of((choice.rounds + 1) * rows.len());
        for round in 0..=choice.rounds {
            progress.aside(|| step(&format!("round {round} of {}", choice.rounds)));
            let seconds = if round == 0 {
                WARM_UP_SECONDS
            } else {
                choice.seconds
            };
            for row in rows {
                progress.next(row.about);
                let sample = loads.sample(row, &self.programs, seconds)?;
                progress.one_more();
                if round > 0 {
                    results.samples.entry(row.key()).or_default().push(sample);
                }
                self.goes_on(children)?;
            }
        }
        Ok(())
    }

    fn goes_on(&self, children: &mut Children) -> Done {
        children.all_run()?;
        if self.interrupt.came(Duration::ZERO) {
            return Err(Failure::new("interrupted"));
        }
        Ok(())
    }
}
