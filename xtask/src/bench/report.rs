//! From what wrk says to a table of medians and ratios.

use std::fmt::Write;
use std::process::Command;

use super::{CONNECTIONS, Row, SECONDS, Sample};
use crate::cargo::says;

/// Reads wrk's report; None when a figure is missing, an answer was not 2xx or a connection failed.
pub(super) fn sample(said: &str, cpu: f64) -> Option<Sample> {
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    let after = |word: &str| {
        said.lines()
            .find_map(|line| line.trim().strip_prefix(word).map(str::trim))
    };
    let requests: f64 = said
        .lines()
        .find_map(|l| l.trim().split_once(" requests in")?.0.parse().ok())?;
    Some(Sample {
        per_second: after("Requests/sec:")?.parse().ok()?,
        cpu: cpu / requests,
        p50: micros(after("50%")?)?,
        p99: micros(after("99%")?)?,
    })
}

/// Reads h2load's report and its log: a line per request, whose third word is how long it took in microseconds.
pub(super) fn sample_of_h2load(said: &str, log: &str, cpu: f64) -> Option<Sample> {
    let after = |word: &str| said.lines().find_map(|line| line.strip_prefix(word));
    let mut counts = after("requests: ")?.split(", ");
    let mut count = |what: &str| {
        let count = counts.find_map(|count| count.strip_suffix(what))?;
        count.trim().parse::<f64>().ok()
    };
    let (succeeded, failed) = (count(" succeeded")?, count(" failed")?);
    let per_second = after("finished in ")?
        .split(", ")
        .nth(1)?
        .strip_suffix(" req/s")?;
    let times = log
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse().ok());
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    (succeeded > 0.0 && failed == 0.0).then_some(Sample {
        per_second: per_second.parse().ok()?,
        cpu: cpu / succeeded,
        p50: *times.get(times.len() / 2)?,
        p99: *times.get(times.len() * 99 / 100)?,
    })
}

/// "1.23ms" and the like in microseconds.
fn micros(text: &str) -> Option<f64> {
    let (number, factor) = [("us", 1.0), ("ms", 1e3), ("s", 1e6)]
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

pub(super) fn text(measured: &[Row]) -> String {
    let rounds = measured
        .iter()
        .map(|row| row.samples.len())
        .min()
        .unwrap_or(0);
    let mut out = String::from("# Benchmark\n\nWritten by `cargo xtask bench`. ");
    let _ = write!(
        out,
        "Keep-alive, 1 KiB answers, {CONNECTIONS} connections (HTTP/2: 8 with 8 streams each), {rounds} interleaved rounds of {SECONDS} s, \
         medians. The proxy under test has one core and one worker; upstream (nginx) and load (wrk; h2load for HTTP/2) share another. \
         Access logs off. A WebSocket's request is a message of 1 KiB and its echo. Ratios are round by round against nginx doing the same, so a loud neighbour is loud for both.\n\n"
    );
    out.push_str("| | requests/s | CPU µs/request | p50 µs | p99 µs | × nginx: requests/s | CPU | p50 | p99 |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|\n");
    type Figure = fn(&Sample) -> f64;
    let figures: [Figure; 4] = [|s| s.per_second, |s| s.cpu, |s| s.p50, |s| s.p99];
    for Row {
        name,
        beside,
        samples,
    } in measured
    {
        let base = measured.iter().find(|row| row.name == *beside);
        let base = base.map_or(samples.as_slice(), |row| row.samples.as_slice());
        let _ = write!(out, "| {name} |");
        for (i, figure) in figures.iter().enumerate() {
            let digits = usize::from(i == 1);
            let _ = write!(out, " {:.digits$} |", median(samples.iter().map(figure)));
        }
        for figure in figures {
            let ratios = samples
                .iter()
                .zip(base)
                .map(|(sample, base)| figure(sample) / figure(base));
            let _ = write!(out, " {:.2} |", median(ratios));
        }
        out.push('\n');
    }
    let _ = write!(out, "\n{}", machine());
    out
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Where and with what it was measured.
fn machine() -> String {
    let shell =
        |line: &str| says(Command::new("sh").args(["-c", line])).unwrap_or_else(|| "?".into());
    format!(
        "Measured on {} at commit {}: {} cores ({}), kernel {}; {}; {}; {}.\n",
        shell("date -u +%Y-%m-%d"),
        shell("git describe --always --dirty"),
        shell("nproc"),
        shell("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1"),
        shell("uname -r"),
        shell("nginx -v 2>&1"),
        shell("wrk -v 2>&1 | head -n 1 | cut -d' ' -f1,2,3"),
        shell("rustc --version"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_wrk_is_read_and_errors_are_not_measured() {
        let said = "Running 3s test @ http://x\n  Latency Distribution\n     50%    1.20ms\n     75%    1.50ms\n     90%    2.00ms\n     99%  900.00us\n  3000 requests in 3.00s, 1.00MB read\nRequests/sec:   1000.00\n";
        let read = sample(said, 60_000.0).expect("complete");
        assert_eq!(
            (read.per_second, read.cpu, read.p50, read.p99),
            (1000.0, 20.0, 1200.0, 900.0)
        );
        for wrong in [
            "Non-2xx or 3xx responses: 1",
            "Socket errors: connect 0, read 1, write 0, timeout 0",
        ] {
            assert!(sample(&format!("{said}  {wrong}\n"), 1.0).is_none());
        }
    }

    #[test]
    fn a_report_of_h2load_is_read_and_errors_are_not_measured() {
        let said = "starting benchmark...\n\nfinished in 3.00s, 1000.00 req/s, 1.10MB/s\n\
             requests: 3000 total, 3064 started, 3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout\n";
        let log = "1\t200\t900\n2\t200\t1200\n3\t200\t1500\n";
        let read = sample_of_h2load(said, log, 60_000.0).expect("complete");
        assert_eq!(
            (read.per_second, read.cpu, read.p50, read.p99),
            (1000.0, 20.0, 1200.0, 1500.0)
        );
        assert!(sample_of_h2load(&said.replace(" 0 failed", " 1 failed"), log, 1.0).is_none());
    }
}
