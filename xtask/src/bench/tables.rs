//! The tables of the page.

use std::fmt::Write as _;

use super::results::{CPU, Figure, Results};
use super::rows::{Group, ROWS, Row};
use super::targets::{TARGETS, instructions, more, number};

pub(super) fn targets(results: &Results) -> String {
    let mut out = String::from("| | before | now | must | beyond |\n|---|---|---|---|---|\n");
    for target in TARGETS {
        let now = (target.now)(results);
        let _ = writeln!(
            out,
            "| {} | {} | **{now}** | {} | {} |",
            target.about, target.before, target.must, target.beyond
        );
    }
    out
}

/// The small configuration and the large one.
pub(super) fn scale(results: &Results) -> String {
    let mut out = String::from(
        "| | CPU µs/request | instructions/request | ms until the first response | MiB then |\n|---|---|---|---|---|\n",
    );
    let rows = [
        ("a few routes", "plain/gateway", "plain", "gateway"),
        (
            "10,000 routes, 1,000 upstreams, 1,000 uses of plugins",
            "plain/scale",
            crate::instructions::SCALE,
            "gateway-scale",
        ),
    ];
    for (name, key, row, program) in rows {
        let count = results.instructions.get(row);
        let start = results.starts.get(program);
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} |",
            number(results.median(key, CPU), 1),
            count.map_or("–".into(), ToString::to_string),
            number(start.map(|start| start.milliseconds), 0),
            number(start.map(|start| start.memory), 0),
        );
    }
    let cpu = results.ratio("plain/scale", "plain/gateway", CPU);
    let _ = writeln!(
        out,
        "| more | {} | {} | | |",
        more(cpu),
        more(instructions(results))
    );
    out
}

pub(super) fn starts(results: &Results) -> String {
    let mut out = String::from("| | ms until the first response | MiB then |\n|---|---|---|\n");
    for (name, start) in &results.starts {
        let _ = writeln!(
            out,
            "| {name} | {:.0} | {:.0} |",
            start.milliseconds, start.memory
        );
    }
    out
}

/// A table for each group that was measured.
pub(super) fn rows(results: &Results) -> String {
    let mut out = String::new();
    for group in Group::ALL {
        let rows = ROWS.iter().filter(|row| row.group == group);
        let lines: String = match group {
            Group::Idle => rows.filter_map(|row| idle_line(results, row)).collect(),
            _ => rows.filter_map(|row| line(results, row)).collect(),
        };
        if lines.is_empty() {
            continue;
        }
        let columns = match group {
            Group::Idle => "| | KiB per connection |\n|---|---|\n",
            _ => {
                "| | requests/s | CPU µs/request | p50 µs | p99 µs | × nginx: CPU | requests/s | p99 | core busy |\n\
                 |---|---|---|---|---|---|---|---|---|\n"
            }
        };
        let _ = write!(out, "\n### {}\n\n{columns}{lines}", group.title());
    }
    out
}

fn line(results: &Results, row: &Row) -> Option<String> {
    const PER_SECOND: Figure = |sample| sample.per_second;
    const P50: Figure = |sample| sample.p50;
    const P99: Figure = |sample| sample.p99;
    const BUSY: Figure = |sample| sample.cpu * sample.per_second / 1e6;
    let key = row.key();
    let median = |figure, digits| number(results.median(&key, figure), digits);
    let ratio = |figure| number(results.ratio(&key, &row.group.base(), figure), 2);
    let busy = results.median(&key, BUSY)?;
    Some(format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.0} % |\n",
        row.about,
        median(PER_SECOND, 0),
        median(CPU, 1),
        median(P50, 0),
        median(P99, 0),
        ratio(CPU),
        ratio(PER_SECOND),
        ratio(P99),
        busy * 100.0,
    ))
}

fn idle_line(results: &Results, row: &Row) -> Option<String> {
    let each = results.idle.get(&row.key())?;
    Some(format!("| {} | {each:.1} |\n", row.about))
}

#[cfg(test)]
mod tests {
    use super::super::results::example;
    use super::*;

    #[test]
    fn targets_have_what_was_measured_and_dashes_for_the_rest() {
        let table = targets(&example());
        let now: Vec<&str> = table
            .lines()
            .skip(2)
            .filter_map(|line| line.split(" | ").nth(2))
            .collect();
        assert_eq!(
            now,
            [
                "**1.50**",
                "**23.5; –**",
                "**19.5**",
                "**–**",
                "**–; –**",
                "**–, –; –**",
                "**24.6**",
                "**+1.0 %; +1.0 %**",
            ]
        );
    }

    #[test]
    fn a_row_has_its_medians_its_ratios_and_how_busy_its_core_was() {
        let rows = rows(&example());
        let line = "| **Portcullis** | 40000 | 22.5 | 900 | 2000 | 1.50 | 1.00 | 1.00 | 90 % |";
        assert!(rows.lines().any(|has| has == line), "{rows}");
        assert!(
            rows.contains("### Idle connections\n\n| | KiB per connection |"),
            "{rows}"
        );
        assert!(
            !rows.contains("Caddy") && !rows.contains("WebSocket"),
            "{rows}"
        );
    }
}
