//! `cargo xtask instructions`: what a request costs, counted in instructions by callgrind. Counts do not depend on what
//! else the machine does, so that a change of a few per cent shows on any of them.

mod callgrind;
mod client;
mod committed;
mod counters;
mod measure;
mod page;
mod profile;
mod programs;
mod rows;
mod upstream;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cargo::found;
use crate::children::Interrupt;
use crate::{Done, Failure, guests, run, step};

use committed::Committed;
use counters::Counters;
use measure::Bench;
use profile::Function;
pub(crate) use rows::SCALE;
use rows::{Program, ROWS, Row};

/// Functions that are printed of each row, and that the page has of the plain one.
const COSTLIEST: usize = 20;

/// What is asked of the command.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Compares with the committed numbers instead of measuring everything.
    pub(crate) check: bool,
    /// Writes what was measured to `xtask/instructions.json` and docs/instructions.md.
    pub(crate) write: bool,
    /// These rows alone; empty: all.
    pub(crate) only: Vec<String>,
}

/// What one row came to, per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cost {
    instructions: u64,
    /// From a run without valgrind; None where only instructions were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counters: Option<Counters>,
    /// By instructions of their own, callees not included; the costliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    costliest: Vec<Function>,
}

/// By the name of the row.
type Costs = BTreeMap<String, Cost>;

/// The committed counts, by the name of the row.
pub(crate) fn committed_counts() -> Done<BTreeMap<String, u64>> {
    let rows = Committed::read()?.rows;
    let count = |(name, cost): (String, Cost)| (name, cost.instructions);
    Ok(rows.into_iter().map(count).collect())
}

pub(crate) fn instructions(choice: &Choice) -> Done {
    let rows = chosen(choice)?;
    if let Some(missing) = missing() {
        if choice.check {
            println!("instructions: not checked; {missing}");
            return Ok(());
        }
        return Err(Failure::new(missing));
    }
    let committed = Committed::read()?;
    let plugins = guests::provided()?;
    run::build_programs("gateway, built for release")?;
    let folder = measure::folder()?;
    guests::copy(&plugins, &folder.join(programs::PLUGINS))?;
    let interrupt = Interrupt::catch()?;
    let bench = Bench::prepare(folder)?;
    let mut costs = Costs::new();
    for program in Program::ALL {
        let rows: Vec<&Row> = rows
            .iter()
            .copied()
            .filter(|r| r.program == program)
            .collect();
        if rows.is_empty() {
            continue;
        }
        if !program.is_gateway() && !found(program.command()) {
            println!("{}: not measured; it is not installed", program.command());
            continue;
        }
        step(&format!("measure {}", program.command()));
        costs.extend(bench.measure(program, &rows, !choice.check, &interrupt)?);
    }
    finish(choice, committed, costs)
}

fn finish(choice: &Choice, mut committed: Committed, costs: Costs) -> Done {
    if choice.check {
        println!("{}", committed::table(&committed.rows, &costs));
        return committed::judge(&committed.rows, &costs);
    }
    println!("{}", page::printed(&costs));
    if choice.write {
        committed.take(costs, page::machine());
        committed.write()?;
    }
    Ok(())
}

/// The rows that were asked for, in their order.
fn chosen(choice: &Choice) -> Done<Vec<&'static Row>> {
    if let Some(unknown) = choice.only.iter().find(|name| Row::named(name).is_none()) {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        return Err(Failure::new(format!(
            "there is no row {unknown}; there are {}",
            names.join(", ")
        )));
    }
    let wanted = |row: &&Row| match choice.only.as_slice() {
        [] => row.checked || !choice.check,
        only => only.iter().any(|name| name == row.name),
    };
    Ok(ROWS.iter().filter(wanted).collect())
}

/// What has to be installed before anything can be counted.
fn missing() -> Option<String> {
    let tools = [
        ("valgrind", "valgrind"),
        ("callgrind_control", "valgrind"),
        ("h2load", "nghttp2-client"),
        ("openssl", "openssl"),
    ];
    let (tool, package) = tools.into_iter().find(|(tool, _)| !found(tool))?;
    Some(format!(
        "{tool} is not installed; on Debian: apt-get install {package}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(choice: &Choice) -> Vec<&'static str> {
        let rows = chosen(choice).expect("they exist");
        rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn a_check_measures_only_what_is_compared() {
        let check = Choice {
            check: true,
            ..Choice::default()
        };
        let compared = [
            "plain",
            "plain-10000-routes",
            "headers-kept",
            "headers-fresh",
            "cached",
            "websocket",
            "h2-tls",
        ];
        assert_eq!(names(&check), compared);
        assert_eq!(names(&Choice::default()).len(), ROWS.len());
    }

    #[test]
    fn a_row_that_does_not_exist_is_named_with_those_that_do() {
        let only = vec!["plain".to_owned(), "plane".to_owned()];
        let failure = chosen(&Choice {
            only,
            ..Choice::default()
        });
        let text = failure.expect_err("it does not exist").to_string();
        assert!(
            text.starts_with("there is no row plane; there are plain, "),
            "{text}"
        );
    }
}
