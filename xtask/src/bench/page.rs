//! What is printed, and docs/performance.md.

use std::fmt::Write as _;

use crate::Done;

use super::results::{CPU, Figure, Results};
use super::rows::{Group, ROWS, Row};
use super::targets::{TARGETS, instructions, more, number};
use super::templates::{Values, filled};
use super::{idle, load};

pub(super) const PAGE: &str = "docs/performance.md";
/// Texts that people write, with names where the figures go.
const TEXT: &str = include_str!("performance.md");

/// The columns of the first table.
const COLUMNS: [(&str, Group); 7] = [
    ("plain", Group::Plain),
    ("headers", Group::Headers),
    ("HMAC", Group::Telegram),
    ("TLS kept", Group::Tls),
    ("TLS new", Group::Handshake),
    ("HTTP/2", Group::Http2),
    ("64 KiB", Group::Large),
];

/// Its rows: a name, and what the keys of its figures end with.
const PROGRAMS: [(&str, &[&str]); 7] = [
    ("nginx", &["nginx"]),
    ("haproxy", &["haproxy"]),
    (
        "**Portcullis**, instances kept",
        &["gateway", "gateway-kept"],
    ),
    (
        "**Portcullis**, a fresh instance per request",
        &["gateway-fresh"],
    ),
    ("Envoy, proxy-wasm filters", &["envoy"]),
    ("Traefik", &["traefik"]),
    ("Caddy", &["caddy"]),
];

pub(super) fn text(results: &Results) -> Done<String> {
    let [connections, streams] = load::STREAMS;
    let values = Values::from([
        ("summary", summary(results)),
        ("targets", targets(results)),
        ("scale", scale(results)),
        ("starts", starts(results)),
        ("rows", rows(results)),
        ("floor", floor(results)),
        ("rounds", results.rounds().to_string()),
        ("seconds", results.seconds.to_string()),
        ("connections", load::CONNECTIONS.to_owned()),
        ("h2-connections", connections.to_owned()),
        ("h2-streams", streams.to_owned()),
        ("idle-connections", idle::CONNECTIONS.to_string()),
        ("measured", results.measured.clone()),
        ("versions", list(&results.versions)),
        ("skipped", skipped(results)),
    ]);
    filled(TEXT, &values)
}

/// What the command prints: the tables alone.
pub(super) fn printed(results: &Results) -> String {
    let mut out = rows(results);
    let _ = write!(out, "\n{}\n{}", scale(results), starts(results));
    let _ = write!(out, "\n{}", targets(results));
    out
}

/// One row for each program: CPU per request, and as a multiple of nginx's.
fn summary(results: &Results) -> String {
    let mut out = String::from("|");
    for (title, _) in COLUMNS {
        let _ = write!(out, " | {title}");
    }
    out.push_str(" | KiB per idle connection |\n|---|");
    out.push_str(&"---|".repeat(COLUMNS.len() + 1));
    out.push('\n');
    for (name, ends) in PROGRAMS {
        let cell = |group: Group| {
            let mut keys = ends.iter().map(|end| format!("{}/{end}", group.name()));
            let key = keys.find(|key| results.samples.contains_key(key));
            let cpu = key.as_ref().and_then(|key| results.median(key, CPU))?;
            let ratio = results.ratio(&key?, &group.base(), CPU);
            Some(format!("{cpu:.1} ({})", number(ratio, 2)))
        };
        let cells: Vec<_> = COLUMNS.iter().map(|(_, group)| cell(*group)).collect();
        let idle = results.idle.get(&format!("idle/{}", ends[0])).copied();
        if cells.iter().all(Option::is_none) && idle.is_none() {
            continue;
        }
        let _ = write!(out, "| {name}");
        for cell in cells {
            let _ = write!(out, " | {}", cell.unwrap_or_default());
        }
        let _ = writeln!(
            out,
            " | {} |",
            idle.map_or(String::new(), |idle| format!("{idle:.1}"))
        );
    }
    out
}

fn targets(results: &Results) -> String {
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
fn scale(results: &Results) -> String {
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

fn starts(results: &Results) -> String {
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
fn rows(results: &Results) -> String {
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

/// A proxy does at least what the upstream does, twice.
fn floor(results: &Results) -> String {
    number(
        results.median("plain/upstream", CPU).map(|cpu| cpu * 2.0),
        1,
    )
}

fn list(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("- {line}")).collect();
    lines.join("\n")
}

fn skipped(results: &Results) -> String {
    if results.skipped.is_empty() {
        return "Every program was measured.".into();
    }
    format!("Not measured: {}.", results.skipped.join("; "))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::place;

    use super::super::chart;
    use super::super::results::{self, Sample, Start};
    use super::*;

    /// Two rounds of a few rows.
    fn results() -> Results {
        let samples = |cpus: [f64; 2]| {
            cpus.map(|cpu| Sample::from([40_000.0, cpu, 900.0, 2_000.0]))
                .to_vec()
        };
        let rows = [
            ("plain/upstream", [7.0, 7.0]),
            ("plain/nginx", [15.0, 15.0]),
            ("plain/gateway", [24.0, 21.0]),
            ("plain/scale", [24.0, 21.42]),
            ("headers/gateway-kept", [26.0, 23.0]),
            ("headers/gateway-fresh", [50.0, 46.0]),
            ("telegram/gateway-kept", [44.0, 40.0]),
        ];
        let start = |milliseconds| Start {
            milliseconds,
            memory: 90.0,
        };
        Results {
            seconds: 3,
            samples: rows
                .map(|(key, cpus)| (key.to_owned(), samples(cpus)))
                .into(),
            idle: [
                ("idle/nginx".to_owned(), 0.6),
                ("idle/gateway".to_owned(), 24.6),
            ]
            .into(),
            starts: [
                ("gateway".to_owned(), start(900.0)),
                ("nginx".to_owned(), start(20.0)),
            ]
            .into(),
            instructions: [
                ("plain".to_owned(), 60_000),
                (crate::instructions::SCALE.to_owned(), 60_600),
            ]
            .into(),
            ..Results::default()
        }
    }

    #[test]
    fn the_first_table_has_a_row_for_each_program_with_figures() {
        let table = summary(&results());
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(
            rows,
            [
                "| | plain | headers | HMAC | TLS kept | TLS new | HTTP/2 | 64 KiB | KiB per idle connection |",
                "|---|---|---|---|---|---|---|---|---|",
                "| nginx | 15.0 (1.00) |  |  |  |  |  |  | 0.6 |",
                "| **Portcullis**, instances kept | 22.5 (1.50) | 24.5 (–) | 42.0 (2.80) |  |  |  |  | 24.6 |",
                "| **Portcullis**, a fresh instance per request |  | 48.0 (–) |  |  |  |  |  |  |",
            ]
        );
    }

    #[test]
    fn targets_have_what_was_measured_and_dashes_for_the_rest() {
        let table = targets(&results());
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
        let rows = rows(&results());
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

    #[test]
    fn a_page_says_what_was_not_measured() {
        let skipped = |reasons: &[&str]| {
            let skipped = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            text(&Results {
                skipped,
                ..results()
            })
            .expect("every name has a value")
        };
        assert!(skipped(&[]).contains("Every program was measured."));
        assert!(skipped(&["a is missing", "b too"]).contains("Not measured: a is missing; b too."));
    }

    #[test]
    fn the_committed_page_is_what_the_committed_figures_make() {
        let read =
            |name: &str| fs::read_to_string(place::root().join(name)).expect("it is committed");
        let results: Results = serde_json::from_str(&read(results::FILE)).expect("JSON");
        let made = [
            (PAGE, text(&results).expect("every name has a value")),
            (chart::CHART, chart::svg(&results)),
        ];
        for (name, text) in made {
            if std::env::var_os("UPDATE").is_some() {
                fs::write(place::root().join(name), &text).expect("the repository can be written");
            }
            assert!(
                read(name) == text,
                "{name} is not what {} and xtask/src/bench make; UPDATE=1 writes it",
                results::FILE
            );
        }
    }
}
