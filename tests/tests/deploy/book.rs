//! docs/metrics.md: what the gateway tells. It is made from the registry, and a test of the proxy compares the two.

use std::collections::{BTreeMap, BTreeSet};

use crate::text;

#[derive(Debug)]
pub struct Book {
    metrics: BTreeMap<String, Metric>,
    /// Where the values of a label come from, in words.
    values: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct Metric {
    histogram: bool,
    pub labels: BTreeSet<String>,
    pub help: String,
}

impl Book {
    pub fn read() -> Book {
        let page = text("docs/metrics.md");
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| -> Vec<&str> {
                let cells = line.trim_matches('|').split('|');
                cells.map(str::trim).collect()
            });
        let mut book = Book {
            metrics: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        for row in rows {
            let name = row[0].trim_matches('`').to_owned();
            match row[1..] {
                [values] => drop(book.values.insert(name, values.to_owned())),
                [kind, labels, _unit, help] => {
                    let labels = labels.split(", ").filter(|label| !label.is_empty());
                    let metric = Metric {
                        histogram: kind == "histogram",
                        labels: labels.map(|l| l.trim_matches('`').to_owned()).collect(),
                        help: help.to_owned(),
                    };
                    book.metrics.insert(name, metric);
                }
                _ => panic!("docs/metrics.md has a row of another shape: {row:?}"),
            }
        }
        assert!(book.metrics.len() > 30, "docs/metrics.md has its tables");
        book
    }

    /// A metric by the name of its samples.
    pub fn metric(&self, sample: &str) -> Option<Metric> {
        if let Some(metric) = self.metrics.get(sample) {
            // A histogram has no sample of its own name.
            return (!metric.histogram).then(|| metric.clone());
        }
        let ends = ["_bucket", "_sum", "_count"].into_iter();
        let (name, end) = ends
            .filter_map(|end| Some((sample.strip_suffix(end)?, end)))
            .next()?;
        let mut metric = self.metrics.get(name).filter(|m| m.histogram)?.clone();
        if end == "_bucket" {
            metric.labels.insert("le".into());
        }
        Some(metric)
    }

    /// Whether a label of a metric can have this value, where its values are a list that the page tells.
    pub fn can_be(&self, metric: &Metric, label: &str, value: &str) -> bool {
        let told = self.values.get(label).map_or("", String::as_str);
        let whole = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| word == value)
        };
        whole(&metric.help) || whole(told)
    }
}
