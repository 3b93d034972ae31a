//! `portcullis top`: what each plugin costs on each route, now and since the gateway started.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use clap::Args as Group;
use http::Method;
use portcullis_terminal::Failure;
use serde::Deserialize;

use crate::client::{AdminOptions, ask};

#[derive(Debug, Group)]
pub(crate) struct TopOptions {
    #[command(flatten)]
    admin: AdminOptions,
    /// Show the sums since the start once, and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

/// The part of /plugins that is shown.
#[derive(Debug, Deserialize)]
struct Plugin {
    name: String,
    routes: Vec<Bill>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Bill {
    route: String,
    outcomes: BTreeMap<String, u64>,
    wall_seconds: f64,
    cpu_seconds: f64,
    host_calls: u64,
    bytes_in: u64,
    bytes_out: u64,
    memory_peak_bytes: u64,
    instances_live: i64,
}

/// By plugin and route.
type Bills = BTreeMap<(String, String), Bill>;

/// Shows until Ctrl-C, or once.
pub(crate) fn top(options: &TopOptions) -> Result<(), Failure> {
    let admin = options.admin.client()?;
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let look = || -> Result<Bills, Failure> {
        let page = tokio.block_on(ask(&admin, Method::GET, "/plugins"))?;
        bills(page.text()).map_err(|error| {
            Failure::Trouble(format!("{admin}/plugins is of another version: {error}"))
        })
    };
    let mut before = look()?;
    if options.once {
        print!("{}", table(&before, None));
        return Ok(());
    }
    let every = Duration::from_secs(options.every);
    let mut looked = Instant::now();
    loop {
        std::thread::sleep(every);
        let now = look()?;
        let (passed, at) = (looked.elapsed(), Instant::now());
        let text = table(&since(&now, &before), Some(passed));
        // Home and clear on a terminal; one table after the other in a pipe.
        let clear = if std::io::stdout().is_terminal() {
            "\x1b[H\x1b[2J"
        } else {
            ""
        };
        let mut out = std::io::stdout().lock();
        // Nobody reads any more: that is how `| head` ends it.
        if write!(out, "{clear}{text}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return Ok(());
        }
        (before, looked) = (now, at);
    }
}

fn bills(text: &str) -> serde_json::Result<Bills> {
    let plugins: Vec<Plugin> = serde_json::from_str(text)?;
    let entries = plugins.into_iter().flat_map(|plugin| {
        let name = plugin.name;
        let keyed = move |bill: Bill| ((name.clone(), bill.route.clone()), bill);
        plugin.routes.into_iter().map(keyed)
    });
    Ok(entries.collect())
}

/// What was added between two looks. A gateway that was restarted counts from zero.
fn since(now: &Bills, before: &Bills) -> Bills {
    let added = |(key, now): (&(String, String), &Bill)| {
        let none = Bill::default();
        let before = before.get(key).unwrap_or(&none);
        let outcomes = now.outcomes.iter().map(|(outcome, count)| {
            let was = before.outcomes.get(outcome).copied().unwrap_or(0);
            (outcome.clone(), count.saturating_sub(was))
        });
        let bill = Bill {
            outcomes: outcomes.collect(),
            wall_seconds: (now.wall_seconds - before.wall_seconds).max(0.0),
            cpu_seconds: (now.cpu_seconds - before.cpu_seconds).max(0.0),
            host_calls: now.host_calls.saturating_sub(before.host_calls),
            bytes_in: now.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: now.bytes_out.saturating_sub(before.bytes_out),
            ..now.clone()
        };
        (key.clone(), bill)
    };
    now.iter().map(added).collect()
}

/// One line per plugin and route, the dearest first. With the time that passed: per second; without: sums.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn table(bills: &Bills, passed: Option<Duration>) -> String {
    let per = passed.map_or(1.0, |passed| passed.as_secs_f64());
    let mut rows: Vec<_> = bills.iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.cpu_seconds.total_cmp(&a.cpu_seconds));
    let heads = match passed {
        Some(_) => ["calls/s", "cpu %", "KiB/s"],
        None => ["calls", "cpu s", "KiB"],
    };
    let mut text = format!(
        "{:<16} {:<16} {:>9} {:>8} {:>8} {:>9} {:>9} {:>6} {:>9} {:>9} {:>5}\n",
        "plugin",
        "route",
        heads[0],
        "refused",
        "failed",
        heads[1],
        "cpu us",
        "host",
        "wall us",
        heads[2],
        "live"
    );
    for ((plugin, route), bill) in rows {
        let count = |names: &[&str]| -> u64 {
            names
                .iter()
                .filter_map(|name| bill.outcomes.get(*name))
                .sum()
        };
        let calls = bill.outcomes.values().sum::<u64>() as f64;
        let each = |total: f64| if calls > 0.0 { total / calls } else { 0.0 };
        let refused = count(&["refused"]);
        let failed = count(&["failed", "trapped", "timed_out", "invalid", "overloaded"]);
        let cpu = match passed {
            Some(_) => 100.0 * bill.cpu_seconds / per,
            None => bill.cpu_seconds,
        };
        let copied = (bill.bytes_in + bill.bytes_out) as f64 / 1024.0 / per;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{plugin:<16} {route:<16} {:>9.0} {refused:>8} {failed:>8} {cpu:>9.2} {:>9.1} {:>6.1} {:>9.1} {copied:>9.1} {:>5}",
            calls / per,
            each(bill.cpu_seconds * 1e6),
            each(bill.host_calls as f64),
            each(bill.wall_seconds * 1e6),
            bill.instances_live,
        );
        if bill.memory_peak_bytes > 0 && passed.is_none() {
            let _ = writeln!(
                text,
                "{:<16} {:<16} peak memory {} KiB",
                "",
                "",
                bill.memory_peak_bytes / 1024
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(calls: u64, cpu: f64) -> Bills {
        let text = format!(
            r#"[{{"name": "auth", "routes": [{{"route": "users", "outcomes": {{"ok": {calls}, "refused": 1, "trapped": 0}},
                "wall_seconds": {cpu}, "cpu_seconds": {cpu}, "host_calls": {}, "bytes_in": 2048, "bytes_out": 0,
                "memory_peak_bytes": 65536, "instances_live": 2, "more": 1}}]}}]"#,
            3 * (calls + 1)
        );
        bills(&text).expect("the page of /plugins")
    }

    #[test]
    fn sums_and_differences_are_told_per_call() {
        let sums = table(&page(99, 0.002), None);
        let line = sums.lines().nth(1).expect("one row");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "auth", "users", "100", "1", "0", "0.00", "20.0", "3.0", "20.0", "2.0", "2"
            ]
        );
        assert!(sums.contains("peak memory 64 KiB"));
        let added = since(&page(299, 0.004), &page(99, 0.002));
        let second = table(&added, Some(Duration::from_secs(2)));
        let line = second.lines().nth(1).expect("one row");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "auth", "users", "100", "0", "0", "0.10", "10.0", "3.0", "10.0", "0.0", "2"
            ]
        );
    }

    #[test]
    fn a_gateway_that_started_anew_counts_from_nothing() {
        let added = since(&page(1, 0.001), &page(99, 0.002));
        assert!(added.values().all(|bill| bill.cpu_seconds == 0.0));
    }
}
