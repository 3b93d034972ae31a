//! The figures of a run, `xtask/bench.json`, and what is computed from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{Done, Failure};

pub(super) const FILE: &str = "xtask/bench.json";

/// One measurement of one row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub(super) struct Sample {
    pub(super) per_second: f64,
    /// Of the program's processes, in microseconds per request.
    pub(super) cpu: f64,
    /// In microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// What a program took until its first response.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    pub(super) milliseconds: f64,
    /// Resident then, in MiB.
    pub(super) memory: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Results {
    /// When and where.
    pub(super) measured: String,
    /// Of all programs.
    pub(super) versions: Vec<String>,
    /// Programs that were not measured, each with the reason.
    pub(super) skipped: Vec<String>,
    pub(super) seconds: u64,
    /// By the key of the row: one for each round.
    pub(super) samples: BTreeMap<String, Vec<Sample>>,
    /// By the key of the row: KiB per idle connection.
    pub(super) idle: BTreeMap<String, f64>,
    /// By the name of the program.
    pub(super) starts: BTreeMap<String, Start>,
    /// By the row of `cargo xtask instructions`, as they were committed at the time.
    pub(super) instructions: BTreeMap<String, u64>,
}

/// One of the numbers of a sample.
pub(super) type Figure = fn(&Sample) -> f64;

pub(super) const CPU: Figure = |sample| sample.cpu;

/// Of an even number, the mean of the two in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    let below = values[(values.len() - 1) / 2];
    Some(f64::midpoint(below, above))
}

// === impl Results ===

impl Results {
    /// JSON with a line for each row, so that a change can be read.
    pub(super) fn text(&self) -> Done<String> {
        let json = |value: serde_json::Result<String>| value.map_err(Failure::of(FILE));
        let mut out = String::from("{\n");
        let _ = writeln!(
            out,
            "  \"measured\": {},",
            json(serde_json::to_string(&self.measured))?
        );
        let _ = writeln!(
            out,
            "  \"versions\": {},",
            json(serde_json::to_string(&self.versions))?
        );
        let _ = writeln!(
            out,
            "  \"skipped\": {},",
            json(serde_json::to_string(&self.skipped))?
        );
        let _ = writeln!(out, "  \"seconds\": {},", self.seconds);
        out.push_str("  \"samples\": {\n");
        for (at, (key, samples)) in self.samples.iter().enumerate() {
            let end = if at + 1 < self.samples.len() { "," } else { "" };
            let samples = json(serde_json::to_string(samples))?;
            let _ = writeln!(out, "    \"{key}\": {samples}{end}");
        }
        out.push_str("  },\n");
        let _ = writeln!(
            out,
            "  \"idle\": {},",
            json(serde_json::to_string(&self.idle))?
        );
        let _ = writeln!(
            out,
            "  \"starts\": {},",
            json(serde_json::to_string(&self.starts))?
        );
        let counts = json(serde_json::to_string(&self.instructions))?;
        let _ = write!(out, "  \"instructions\": {counts}\n}}\n");
        Ok(out)
    }

    /// The rounds of the row that has the fewest.
    pub(super) fn rounds(&self) -> usize {
        self.samples.values().map(Vec::len).min().unwrap_or(0)
    }

    pub(super) fn median(&self, key: &str, figure: Figure) -> Option<f64> {
        median(self.samples.get(key)?.iter().map(figure))
    }

    /// Round by round, so that a loud neighbour is loud for both.
    pub(super) fn ratio(&self, key: &str, base: &str, figure: Figure) -> Option<f64> {
        median(
            self.pairs(key, base, figure)?
                .map(|(one, other)| one / other),
        )
    }

    /// The same as a difference.
    pub(super) fn difference(&self, key: &str, base: &str, figure: Figure) -> Option<f64> {
        median(
            self.pairs(key, base, figure)?
                .map(|(one, other)| one - other),
        )
    }

    fn pairs(
        &self,
        key: &str,
        base: &str,
        figure: Figure,
    ) -> Option<impl Iterator<Item = (f64, f64)>> {
        let (one, other) = (self.samples.get(key)?, self.samples.get(base)?);
        Some(
            one.iter()
                .zip(other)
                .map(move |(one, other)| (figure(one), figure(other))),
        )
    }
}

// === impl Sample ===

impl From<[f64; 4]> for Sample {
    fn from([per_second, cpu, p50, p99]: [f64; 4]) -> Self {
        Self {
            per_second,
            cpu,
            p50,
            p99,
        }
    }
}

impl From<Sample> for [f64; 4] {
    /// Rounded to what is above the noise.
    fn from(sample: Sample) -> Self {
        let tenth = |number: f64| (number * 10.0).round() / 10.0;
        let hundredth = |number: f64| (number * 100.0).round() / 100.0;
        [
            tenth(sample.per_second),
            hundredth(sample.cpu),
            tenth(sample.p50),
            tenth(sample.p99),
        ]
    }
}

/// Two rounds of a few rows.
#[cfg(test)]
pub(super) fn example() -> Results {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let samples = |cpus: &[f64]| {
            cpus.iter()
                .map(|cpu| Sample::from([1.0, *cpu, 2.0, 3.0]))
                .collect()
        };
        Results {
            seconds: 3,
            samples: [
                ("plain/gateway".to_owned(), samples(&[20.0, 60.0, 24.0])),
                ("plain/nginx".to_owned(), samples(&[10.0, 20.0, 12.0])),
            ]
            .into(),
            idle: [("idle/nginx".to_owned(), 0.6)].into(),
            ..Results::default()
        }
    }

    #[test]
    fn medians_need_no_odd_number() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 4.0]), Some(4.0));
        assert_eq!(median([9.0, 1.0, 4.0, 2.0]), Some(3.0));
    }

    #[test]
    fn ratios_and_differences_are_those_of_the_same_round() {
        let results = results();
        let of = |compare: fn(&Results, &str, &str, Figure) -> Option<f64>| {
            compare(&results, "plain/gateway", "plain/nginx", CPU)
        };
        assert_eq!(of(Results::ratio), Some(2.0));
        assert_eq!(of(Results::difference), Some(12.0));
        assert_eq!(results.ratio("plain/gateway", "plain/envoy", CPU), None);
        assert_eq!(results.rounds(), 3);
    }

    #[test]
    fn figures_are_read_as_they_were_written() {
        let results = results();
        let text = results.text().expect("JSON");
        assert!(
            text.contains("    \"plain/nginx\": [[1.0,10.0,2.0,3.0],"),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<Results>(&text).expect("JSON"),
            results
        );
    }
}
