//! What is printed, and docs/performance.md.

use std::fmt::Write as _;

use crate::Done;

use super::results::{CPU, Results};
use super::rows::Group;
use super::tables::{rows, scale, starts, targets};
use super::targets::number;
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
    use super::super::results::{self, example};
    use super::*;

    #[test]
    fn the_first_table_has_a_row_for_each_program_with_figures() {
        let table = summary(&example());
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
    fn a_page_says_what_was_not_measured() {
        let skipped = |reasons: &[&str]| {
            let skipped = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            text(&Results {
                skipped,
                ..example()
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
