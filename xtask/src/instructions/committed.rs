//! The committed numbers, `xtask/instructions.json`, and what is compared with them.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Done, Failure, place};

use super::rows::{ROWS, Row};
use super::{Costs, page};

const NUMBERS: &str = "xtask/instructions.json";
pub(super) const PAGE: &str = "docs/instructions.md";
/// In per cent. Two runs differ by less than one.
const TOLERANCE: u64 = 3;
/// The row whose costliest functions are committed.
const PROFILED: &str = "plain";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Committed {
    /// When, where and with what.
    pub(super) measured: String,
    pub(super) rows: Costs,
}

// === impl Committed ===

impl Committed {
    /// What the file says; nothing where there is none.
    pub(super) fn read() -> Done<Self> {
        let file = place::root().join(NUMBERS);
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(Failure::of(file.display())),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Takes new rows in; those that were not measured stay.
    pub(super) fn take(&mut self, costs: Costs, measured: String) {
        self.rows.extend(costs);
        self.rows.retain(|name, _| Row::named(name).is_some());
        self.measured = measured;
        for (name, cost) in &mut self.rows {
            if name != PROFILED {
                cost.costliest.clear();
            }
        }
    }

    /// Writes the numbers and the page.
    pub(super) fn write(&self) -> Done {
        let mut text = serde_json::to_string_pretty(self).map_err(Failure::of(NUMBERS))?;
        text.push('\n');
        put(NUMBERS, &text)?;
        put(PAGE, &page::text(self))
    }
}

fn put(name: &str, text: &str) -> Done {
    let file: PathBuf = place::root().join(name);
    fs::write(&file, text).map_err(Failure::of(file.display()))
}

/// Instructions of a row: committed, and now.
#[derive(Debug, Clone, Copy)]
struct Pair {
    before: u64,
    now: u64,
}

impl Pair {
    fn of(row: &Row, committed: &Costs, costs: &Costs) -> Option<Self> {
        Some(Self {
            before: committed.get(row.name)?.instructions,
            now: costs.get(row.name)?.instructions,
        })
    }

    /// In per cent.
    fn change(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = self.now as f64 / self.before as f64;
        (ratio - 1.0) * 100.0
    }

    fn is_above(self) -> bool {
        self.now * 100 > self.before * (100 + TOLERANCE)
    }
}

/// The measured rows beside the committed ones.
pub(super) fn table(committed: &Costs, costs: &Costs) -> String {
    let mut out = String::from(
        "| instructions per request | committed | now | change |\n|---|---|---|---|\n",
    );
    for row in &ROWS {
        let Some(now) = costs.get(row.name) else {
            continue;
        };
        let before = committed.get(row.name);
        let before = before.map_or("none".into(), |cost| page::grouped(cost.instructions));
        let change = Pair::of(row, committed, costs)
            .map_or(String::new(), |pair| format!("{:+.1} %", pair.change()));
        let now = page::grouped(now.instructions);
        out.push_str(&format!("| {} | {before} | {now} | {change} |\n", row.name));
    }
    out
}

/// A failure where a row that was measured takes more than it may.
pub(super) fn judge(committed: &Costs, costs: &Costs) -> Done {
    let mut mistakes = Vec::new();
    for row in ROWS.iter().filter(|row| costs.contains_key(row.name)) {
        match Pair::of(row, committed, costs) {
            None => mistakes.push(format!("{} has no committed number", row.name)),
            Some(pair) if pair.is_above() => mistakes.push(format!(
                "{} takes {:.1} % more instructions than before",
                row.name,
                pair.change()
            )),
            Some(_) => {}
        }
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nAt most {TOLERANCE} % more is accepted. If it is meant, commit what \
         `cargo xtask instructions --write` writes.",
        mistakes.join("\n")
    )))
}

#[cfg(test)]
mod tests {
    use super::super::Cost;
    use super::*;

    fn costs(rows: &[(&str, u64)]) -> Costs {
        let cost = |instructions| Cost {
            instructions,
            counters: None,
            costliest: Vec::new(),
        };
        rows.iter()
            .map(|(name, count)| ((*name).to_owned(), cost(*count)))
            .collect()
    }

    #[test]
    fn three_per_cent_more_is_accepted_and_anything_above_is_named() {
        let committed = costs(&[("plain", 50_000), ("cached", 10_000), ("websocket", 10_000)]);
        let now = costs(&[("plain", 51_500), ("cached", 9_000)]);
        judge(&committed, &now).expect("within bounds");
        let now = costs(&[("plain", 51_501), ("cached", 10_400), ("websocket", 10_000)]);
        let text = judge(&committed, &now)
            .expect_err("two are above")
            .to_string();
        let named: Vec<&str> = text.lines().collect();
        assert_eq!(named[0], "plain takes 3.0 % more instructions than before");
        assert_eq!(named[1], "cached takes 4.0 % more instructions than before");
        assert!(
            named[2].contains("cargo xtask instructions --write"),
            "{text}"
        );
    }

    #[test]
    fn a_row_without_a_committed_number_fails() {
        let failure =
            judge(&Costs::new(), &costs(&[("plain", 1)])).expect_err("nothing is committed");
        assert!(
            failure
                .to_string()
                .starts_with("plain has no committed number")
        );
    }

    #[test]
    fn rows_that_were_not_measured_keep_their_numbers_if_they_exist() {
        let mut committed = Committed {
            measured: "once".into(),
            rows: costs(&[("plain", 1), ("cached", 2), ("of-old", 4)]),
        };
        committed.take(costs(&[("plain", 3)]), "now".into());
        assert_eq!(committed.rows, costs(&[("plain", 3), ("cached", 2)]));
        assert_eq!(committed.measured, "now");
    }

    #[test]
    fn the_committed_page_is_what_the_committed_numbers_make() {
        let committed = Committed::read().expect("JSON");
        let page = fs::read_to_string(place::root().join(PAGE)).expect("it is committed");
        assert!(
            page == page::text(&committed),
            "{PAGE} is not what {NUMBERS} makes; run `cargo xtask instructions --write`"
        );
    }

    #[test]
    fn the_table_has_both_numbers_and_the_change() {
        let table = table(
            &costs(&[("plain", 50_000)]),
            &costs(&[("plain", 49_000), ("cached", 1_200)]),
        );
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| plain | 50,000 | 49,000 | -2.0 % |",
                "| cached | none | 1,200 |  |"
            ]
        );
    }
}
